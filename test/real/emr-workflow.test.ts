import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ApplicationFailure, WorkflowFailedError } from '@temporalio/client';
import type { Activities } from '../../src/activities/index.ts';
import type { OpenInput } from '../../src/activities/types.ts';
import type { EmrPlan } from '../../src/activities/emr-types.ts';
import type { EmrStep } from '../../src/model/emr.ts';
import type { RunError, RunProgress } from '../../src/model/run.ts';
import { TestTemporal } from '../helpers/temporal.ts';
import { ingestInput, opened, type Calls } from '../workflows/fake-activities.ts';
import { FAKE_PLAN, fakeCluster } from '../workflows/fake-emr.ts';
import {
  failureOf,
  gate,
  ingestWithFakes,
  refused,
  type RunHandle,
} from '../workflows/fake-run.ts';
import { runSummary } from '../../src/workflows/run-summary.ts';
import { keepHistory } from '../workflows/history.ts';

const temporal = new TestTemporal();

interface Setup {
  plan?: Partial<EmrPlan>;
  changes?: Partial<Activities>;
  sources?: string[];
}

async function ingest(
  { plan, changes = {}, sources = ['2015', '2016'] }: Setup,
  body: (ran: { calls: Calls; handle: RunHandle }) => Promise<void>,
): Promise<void> {
  const planned = plan && { planConversion: async () => ({ ...FAKE_PLAN, ...plan }) };
  const openSnapshot = async (input: OpenInput) => ({
    ...opened(input),
    emrOutput: plan?.output ?? FAKE_PLAN.output,
  });
  const input = ingestInput(sources, { engine: 'emr' });
  await ingestWithFakes(temporal, input, { openSnapshot, ...planned, ...changes }, body);
}

/** Of the run and of its child. */
async function keep(name: string, handle: RunHandle): Promise<void> {
  const { runId } = await handle.describe();
  await keepHistory(name, { workflowId: handle.workflowId }, temporal);
  await keepHistory(`${name}-child`, { workflowId: childIdOf(runId) }, temporal);
}

function childIdOf(runId: string): string {
  return `emr/denver-311/2026-11-23/${runId}`;
}

function count(calls: Calls, name: string): number {
  return calls.filter((call) => call.split('/')[0] === name).length;
}

describe('convertOnEmr', () => {
  it('converts all sources on one cluster, which is closed before the day is published', async () => {
    await ingest({}, async ({ calls, handle }) => {
      const result = await handle.result();
      assert.equal(result.status, 'published');
      assert.deepEqual(result.emr?.clusterId, 'j-1');
      assert.equal(count(calls, 'openCluster'), 1);
      assert.equal(count(calls, 'closeCluster'), 1);
      assert.ok(calls.indexOf('closeCluster') < calls.indexOf('publishSnapshot'));
      assert.ok(calls.lastIndexOf('inspectSource/2016') < calls.indexOf('openCluster'));
      // Conversion and copy of each source, and the manifest on HDFS.
      assert.equal(count(calls, 'submitStep'), 5);
      const progress: RunProgress = await handle.query('progress');
      assert.equal(progress.emr?.cluster?.state, 'TERMINATING');
      assert.deepEqual(
        progress.emr?.steps.map(({ kind, state }) => `${kind} ${state}`).toSorted(),
        [
          ...['convert COMPLETED', 'convert COMPLETED', 'copy COMPLETED', 'copy COMPLETED'],
          'manifest COMPLETED',
        ],
      );
      await keep('emr-published', handle);
    });
  });

  it('keeps the Parquet of a day on HDFS only where the settings say so, and publishes nothing', async () => {
    await ingest({ plan: { output: 'hdfs', keepAlive: true } }, async ({ calls, handle }) => {
      const result = await handle.result();
      assert.equal(result.status, 'on-hdfs');
      assert.ok(result.ledger.balanced);
      assert.equal(count(calls, 'publishSnapshot'), 0);
      assert.equal(count(calls, 'verifySource'), 0);
      assert.equal(count(calls, 'stageHdfsManifest'), 1);
    });
  });

  it('names the source whose step failed, and ends the cluster', async () => {
    const log = { uri: 's3://bucket/logs/j-1/steps/s-1/stderr.gz', lines: ['AnalysisException'] };
    const changes: Partial<Activities> = {
      pollCluster: async ({ cluster, stepIds }) => ({
        cluster: fakeCluster({ ...cluster, state: 'RUNNING' }),
        steps: stepIds.map((id): EmrStep => ({ id, state: id === 's-1' ? 'FAILED' : 'COMPLETED' })),
        instanceHours: 0,
      }),
      explainStep: async () => ({
        code: 'EMR_STEP_FAILED',
        message: 'The step failed; probable cause: AnalysisException.',
        log,
        isLostNodes: false,
      }),
    };
    await ingest({ changes }, async ({ calls, handle }) => {
      const failure = await failureOf(handle);
      assert.equal(failure.type, 'EMR_STEP_FAILED');
      assert.match(failure.message, /AnalysisException.*other 1 of 2 sources are done/);
      const [detail] = (failure.details ?? []) as RunError[];
      assert.deepEqual(detail?.log, log);
      assert.equal(count(calls, 'closeCluster'), 1);
      assert.equal(count(calls, 'explainStep'), 1);
      assert.equal(count(calls, 'publishSnapshot'), 0);
      await keep('emr-step-failed', handle);
    });
  });

  it('does a step again whose nodes were lost, three times at most', async () => {
    let failures = 2;
    const failing: Partial<Activities> = {
      pollCluster: async ({ cluster, stepIds }) => ({
        cluster: fakeCluster({ ...cluster, state: 'RUNNING' }),
        steps: stepIds.map((id): EmrStep => {
          failures -= 1;
          return { id, state: failures >= 0 ? 'FAILED' : 'COMPLETED' };
        }),
        instanceHours: 0,
      }),
      explainStep: async () => ({
        code: 'EMR_STEP_FAILED',
        message: 'Slave lost.',
        isLostNodes: true,
      }),
    };
    await ingest({ changes: failing, sources: ['2015'] }, async ({ calls, handle }) => {
      assert.equal((await handle.result()).status, 'published');
      assert.equal(count(calls, 'stageJob'), 3);
    });
    failures = 100;
    await ingest({ changes: failing, sources: ['2015'] }, async ({ calls, handle }) => {
      assert.equal((await failureOf(handle)).type, 'EMR_STEP_FAILED');
      assert.equal(count(calls, 'stageJob'), 3);
    });
  });

  it('makes another cluster where one is lost or used up, and does not repeat what is done', async () => {
    for (const [code, reasonCode] of [
      ['EMR_CLUSTER_LOST', 'INSTANCE_FAILURE'],
      ['EMR_NO_CAPACITY', 'INSTANCE_FLEET_TIMEOUT'],
    ] as const) {
      const changes: Partial<Activities> = {
        pollCluster: async ({ cluster, stepIds }) => {
          const isLost = cluster.id === 'j-1' && stepIds.length < 2;
          const state = isLost ? 'TERMINATED_WITH_ERRORS' : 'RUNNING';
          return {
            cluster: fakeCluster({ ...cluster, state, ...(isLost ? { reasonCode } : {}) }),
            steps: stepIds.map((id): EmrStep => ({ id, state: 'COMPLETED' })),
            instanceHours: 1,
          };
        },
      };
      await ingest({ changes }, async ({ calls, handle }) => {
        const result = await handle.result();
        assert.equal(result.status, 'published', code);
        assert.equal(result.emr?.clusterId, 'j-2');
        assert.equal(count(calls, 'openCluster'), 2);
        assert.equal(count(calls, 'closeCluster'), 2);
      });
    }
  });

  it('gives up after three clusters that have no capacity', async () => {
    const changes: Partial<Activities> = {
      pollCluster: async ({ cluster }) => ({
        cluster: fakeCluster({
          ...cluster,
          state: 'TERMINATED_WITH_ERRORS',
          reasonCode: 'VALIDATION_ERROR',
          reason: 'EC2 has insufficient instance capacity',
        }),
        steps: [],
        instanceHours: 0,
      }),
    };
    await ingest({ changes }, async ({ calls, handle }) => {
      const failure = await failureOf(handle);
      assert.equal(failure.type, 'EMR_NO_CAPACITY');
      assert.match(failure.message, /insufficient instance capacity/);
      assert.equal(count(calls, 'openCluster'), 3);
      assert.equal(count(calls, 'closeCluster'), 3);
    });
  });

  it('goes on with a new cluster where the steps of one are used up', async () => {
    let left = 2;
    let steps = 0;
    const changes: Partial<Activities> = {
      submitStep: async ({ clusterId }) => {
        if (clusterId === 'j-1') left -= 1;
        if (clusterId === 'j-1' && left < 0) throw refused('EMR_STEPS_USED_UP');
        steps += 1;
        return { id: `s-${steps}`, state: 'PENDING' };
      },
    };
    await ingest({ changes }, async ({ calls, handle }) => {
      assert.equal((await handle.result()).emr?.clusterId, 'j-2');
      assert.equal(count(calls, 'openCluster'), 2);
    });
  });

  it('does not wait for ever: instances, bootstrap, steps', async () => {
    const stuck = (state: 'STARTING' | 'BOOTSTRAPPING' | 'RUNNING'): Partial<Activities> => ({
      pollCluster: async ({ cluster, stepIds }) => ({
        cluster: fakeCluster({ ...cluster, state }),
        steps: stepIds.map((id): EmrStep => ({ id, state: 'RUNNING' })),
        instanceHours: 0,
      }),
    });
    const cases = [
      [stuck('STARTING'), { provisioningLimitMs: 300 }, 'EMR_PROVISIONING_TIMED_OUT'],
      [stuck('BOOTSTRAPPING'), { bootstrapLimitMs: 300 }, 'EMR_BOOTSTRAP_TIMED_OUT'],
      [stuck('RUNNING'), { stepLimitMs: 300 }, 'EMR_STEP_TIMED_OUT'],
    ] as const;
    for (const [changes, plan, code] of cases) {
      await ingest({ plan, changes, sources: ['2015'] }, async ({ calls, handle }) => {
        assert.equal((await failureOf(handle)).type, code);
        assert.equal(count(calls, 'closeCluster'), 1);
        assert.equal(count(calls, 'cancelSteps'), code === 'EMR_STEP_TIMED_OUT' ? 1 : 0);
      });
    }
  });

  it('says of a step that hangs what it was, not what became of it when it was cancelled', async () => {
    let state: EmrStep['state'] = 'RUNNING';
    const seen = gate();
    let isTold = false;
    const changes: Partial<Activities> = {
      submitStep: async () => ({ id: 's-1', state }),
      pollCluster: async ({ cluster, stepIds }) => {
        // The next look comes when the workflow has taken what this one finds.
        if (isTold) seen.open();
        isTold = state === 'CANCELLED';
        return {
          cluster: fakeCluster({ ...cluster, state: 'RUNNING' }),
          steps: stepIds.map((id): EmrStep => ({ id, state })),
          instanceHours: 0,
        };
      },
      cancelSteps: async () => {
        state = 'CANCELLED';
        await seen.opened;
      },
    };
    const plan = { stepLimitMs: 300 };
    await ingest({ plan, changes, sources: ['2015'] }, async ({ handle }) => {
      const { type, message } = await failureOf(handle);
      assert.equal(type, 'EMR_STEP_TIMED_OUT');
      assert.match(message, /it is RUNNING\./);
    });
  });

  it('ends a cluster that has cost more than it may', async () => {
    const plan = { maxInstanceHours: 0.4 };
    await ingest({ plan }, async ({ calls, handle }) => {
      assert.equal((await failureOf(handle)).type, 'EMR_TOO_EXPENSIVE');
      assert.equal(count(calls, 'closeCluster'), 1);
    });
  });

  it('says that a cluster was ended by others', async () => {
    const changes: Partial<Activities> = {
      pollCluster: async ({ cluster, stepIds }) => ({
        cluster: fakeCluster({
          ...cluster,
          state: 'TERMINATING',
          reasonCode: 'USER_REQUEST',
          reason: 'Terminated by user request',
        }),
        steps: stepIds.map((id): EmrStep => ({ id, state: 'CANCELLED' })),
        instanceHours: 0,
      }),
    };
    await ingest({ changes }, async ({ handle }) => {
      const failure = await failureOf(handle);
      assert.equal(failure.type, 'EMR_CLUSTER_ENDED');
      assert.match(failure.message, /USER_REQUEST: Terminated by user request/);
    });
  });

  it('tries for two days to end a cluster of its own, and a quarter of an hour to leave another', async () => {
    for (const [isOurs, minutes] of [
      [true, 2 * 24 * 60],
      [false, 15],
    ] as const) {
      const changes: Partial<Activities> = {
        openCluster: async () => ({ cluster: fakeCluster({ isOurs }) }),
      };
      await ingest({ changes, sources: ['2015'] }, async ({ handle }) => {
        await handle.result();
        const { runId } = await handle.describe();
        const child = temporal.client.workflow.getHandle(childIdOf(runId));
        const { events } = await child.fetchHistory();
        const close = events
          ?.map(({ activityTaskScheduledEventAttributes: scheduled }) => scheduled)
          .find((scheduled) => scheduled?.activityType?.name === 'closeCluster');
        assert.equal(Number(close?.scheduleToCloseTimeout?.seconds) / 60, minutes);
      });
    }
  });

  it('says which cluster may still cost where EMR takes no end of it, in the result and in the Web UI', async () => {
    const closeCluster = async () => {
      throw ApplicationFailure.create({
        type: 'EMR_FORBIDDEN',
        message: 'EMR denies it.',
        nonRetryable: true,
      });
    };
    await ingest({ changes: { closeCluster }, sources: ['2015'] }, async ({ handle }) => {
      const result = await handle.result();
      assert.deepEqual([result.status, result.emr?.clusterLeft], ['published', 'j-1']);
      const progress: RunProgress = await handle.query('progress');
      assert.match(runSummary(result, progress), /cluster j-1 of this run may still be there/);
    });
    const changes: Partial<Activities> = {
      closeCluster,
      submitStep: async () => {
        throw ApplicationFailure.nonRetryable('EMR refuses it.', 'EMR_REFUSED');
      },
    };
    await ingest({ changes, sources: ['2015'] }, async ({ handle }) => {
      const failure = await failureOf(handle);
      assert.match(failure.message, /The cluster j-1 of this run may still be there/);
      const progress: RunProgress = await handle.query('progress');
      assert.equal(progress.emr?.clusterLeft, 'j-1');
    });
  });

  it('when cancelled ends the cluster, and only then says that it is cancelled', async () => {
    const ready = gate();
    const closed: (boolean | undefined)[] = [];
    const changes: Partial<Activities> = {
      pollCluster: async ({ cluster, stepIds }) => {
        if (stepIds.length > 0) ready.open();
        return {
          cluster: fakeCluster({ ...cluster, state: 'RUNNING' }),
          steps: stepIds.map((id): EmrStep => ({ id, state: 'RUNNING' })),
          instanceHours: 0,
        };
      },
      closeCluster: async ({ cluster, keep, openStepIds }) => {
        closed.push(keep, openStepIds.length > 0, cluster?.isOurs);
        return undefined;
      },
    };
    await ingest({ changes, sources: ['2015'] }, async ({ calls, handle }) => {
      await ready.opened;
      await handle.cancel();
      await assert.rejects(handle.result(), WorkflowFailedError);
      assert.equal((await handle.describe()).status.name, 'CANCELLED');
      assert.deepEqual(closed, [false, true, true]);
      assert.ok(calls.indexOf('closeCluster') < calls.indexOf('cleanUp'));
      await keep('emr-cancelled', handle);
    });
  });

  it('looks for a cluster by its name where it is cancelled before it knows of one', async () => {
    const opening = gate();
    const closed: unknown[] = [];
    const changes: Partial<Activities> = {
      openCluster: async () => {
        opening.open();
        throw ApplicationFailure.create({ type: 'EMR_UNREACHABLE', message: 'No answer.' });
      },
      closeCluster: async ({ cluster }) => {
        closed.push(cluster);
        return undefined;
      },
    };
    await ingest({ changes, sources: ['2015'] }, async ({ handle }) => {
      await opening.opened;
      await handle.cancel();
      await assert.rejects(handle.result(), WorkflowFailedError);
      assert.deepEqual(closed, [undefined]);
    });
  });

  it('leaves a run of another lake alone: a day without news needs no cluster', async () => {
    const changes: Partial<Activities> = {
      probeSource: async ({ source }) => ({ result: unchanged(source.id) }),
    };
    await ingest({ changes }, async ({ calls, handle }) => {
      await handle.result();
      assert.equal(count(calls, 'planConversion'), 0);
    });
  });
});

function unchanged(id: string) {
  return {
    ...{ id, url: '', status: 'unchanged' as const, bytes: 1, records: 1, rows: 1, rejected: 0 },
    ...{ checksum: '', raw: '', parquet: [] },
  };
}
