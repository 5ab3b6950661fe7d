import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ApplicationFailure, WorkflowFailedError } from '@temporalio/client';
import type { Activities } from '../../src/activities/index.ts';
import type { OpenInput } from '../../src/activities/days.ts';
import type { WatchInput, WatchResult } from '../../src/model/emr-inputs.ts';
import type { EmrCluster, EmrPlan, EmrStep } from '../../src/model/emr.ts';
import type { RunError, RunProgress } from '../../src/model/run.ts';
import { TestTemporal } from '../helpers/temporal.ts';
import { ingestInput, opened, type Calls } from '../workflows/fake-activities.ts';
import { FAKE_PLAN, fakeCluster } from '../workflows/fake-emr.ts';
import {
  failureOf,
  gate,
  heartbeatUntilCancelled,
  ingestWithFakes,
  refused,
  type RunHandle,
} from '../workflows/fake-run.ts';
import { runError } from '../../src/workflows/failures.ts';
import { runSummary } from '../../src/workflows/run-summary.ts';
import { keepHistory } from '../workflows/history.ts';
import { sourceResult } from '../workflows/source-result.ts';

const temporal = new TestTemporal();
/** Most events in the history of a child workflow whose steps succeed. */
const MAX_CHILD_EVENTS = 100;

interface Setup {
  plan?: Partial<EmrPlan>;
  changes?: Partial<Activities>;
  sources?: string[];
}

async function ingest(
  { plan, changes = {}, sources = ['2015', '2016'] }: Setup,
  body: (ran: { calls: Calls; handle: RunHandle }) => Promise<void>,
): Promise<void> {
  const openSnapshot = async (input: OpenInput) => {
    const result = opened(input);
    return { ...result, plan: { ...result.plan, emr: { ...FAKE_PLAN, ...plan } } };
  };
  const input = ingestInput(sources, { engine: 'emr' });
  await ingestWithFakes(temporal, input, { openSnapshot, ...changes }, body);
}

/** Keeps the histories of the run and of its child workflow. */
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

type Seen = Partial<EmrCluster> & { step?: EmrStep['state'] };

/** Each watch gets the next of these looks. Later watches get the last one. */
function seen(...looks: Seen[]): Pick<Activities, 'watchCluster'> {
  let watches = 0;
  return watching(() => {
    watches += 1;
    return looks[Math.min(watches, looks.length) - 1] ?? {};
  });
}

function watching(look: (asked: WatchInput) => Seen): Pick<Activities, 'watchCluster'> {
  return {
    watchCluster: async (asked): Promise<WatchResult> => {
      const { step = 'RUNNING', ...changes } = look(asked);
      return {
        cluster: fakeCluster({ ...asked.cluster, state: 'RUNNING', ...changes }),
        step: asked.stepId === undefined ? undefined : { id: asked.stepId, state: step },
        instanceHours: 0.5,
      };
    },
  };
}

const LOST: Seen = {
  state: 'TERMINATED_WITH_ERRORS',
  reasonCode: 'INSTANCE_FAILURE',
  step: 'INTERRUPTED',
};

async function childHistory(handle: RunHandle) {
  const { runId } = await handle.describe();
  return await temporal.client.workflow.getHandle(childIdOf(runId)).fetchHistory();
}

describe('convertOnEmr', () => {
  it('converts all sources by one step and copies them by another, and the cluster ends before the day is published', async () => {
    const submitted: string[] = [];
    const changes: Partial<Activities> = {
      submitStep: async ({ kind, ids }) => {
        submitted.push(`${kind} ${(ids ?? []).toSorted().join(' ')}`.trim());
        return { id: `s-${submitted.length}`, state: 'PENDING' };
      },
    };
    await ingest({ changes }, async ({ calls, handle }) => {
      const result = await handle.result();
      assert.equal(result.status, 'published');
      assert.deepEqual(result.emr?.clusterId, 'j-1');
      assert.deepEqual(submitted, ['convert 2015 2016', 'copy']);
      assert.equal(count(calls, 'closeCluster'), 1);
      assert.ok(calls.indexOf('closeCluster') < calls.indexOf('publishSnapshot'));
      assert.ok(calls.lastIndexOf('stageSource/2016') < calls.indexOf('openCluster'));
      // The run submits the step while the cluster is STARTING.
      assert.ok(calls.indexOf('submitStep') < calls.indexOf('watchCluster'));
      const progress: RunProgress = await handle.query('progress');
      assert.equal(progress.emr?.cluster?.state, 'TERMINATING');
      assert.deepEqual(
        progress.emr?.steps.map(({ kind, state }) => `${kind} ${state}`),
        ['convert COMPLETED', 'copy COMPLETED'],
      );
      // A long step adds no events, because the activity that watches it returns only on a change.
      const { events = [] } = await childHistory(handle);
      assert.ok((events ?? []).length < MAX_CHILD_EVENTS, `${(events ?? []).length} events`);
      await keep('emr-published', handle);
    });
  });

  it('keeps the Parquet of a day on HDFS only where the settings say so, counts it there, and publishes nothing', async () => {
    await ingest({ plan: { output: 'hdfs', keepAlive: true } }, async ({ calls, handle }) => {
      const result = await handle.result();
      assert.equal(result.status, 'on-hdfs');
      assert.ok(result.ledger.balanced);
      assert.equal(count(calls, 'publishSnapshot'), 0);
      assert.equal(count(calls, 'verifySource'), 0);
      assert.equal(count(calls, 'verifyOnHdfs'), 2);
      const progress: RunProgress = await handle.query('progress');
      assert.deepEqual(
        progress.emr?.steps.map(({ kind }) => kind),
        ['convert', 'count'],
      );
    });
  });

  it('publishes nothing on HDFS where a source has failed, before its job or in it', async () => {
    const failed: RunError[] = [{ ...runError('EMR_STEP_FAILED', 'It broke.'), source: '2016' }];
    const cases: [Partial<Activities>, boolean][] = [
      [{}, true],
      [{ takeResults: async () => ({ open: [], failed, deadStarts: 0 }) }, false],
      [
        {
          landSource: async ({ source }) => {
            if (source.id === '2016') throw refused('SOURCE_NOT_FOUND');
            return { ...sourceResult(source.id, 'landed'), rawKey: 'raw/key' };
          },
        },
        false,
      ],
    ];
    for (const [more, expected] of cases) {
      const whole: (boolean | undefined)[] = [];
      const changes: Partial<Activities> = {
        ...more,
        submitStep: async ({ kind, isWhole }) => {
          if (kind === 'count') whole.push(isWhole);
          return { id: `s-${kind}`, state: 'PENDING' };
        },
      };
      const plan = { output: 'hdfs', keepAlive: true } as const;
      await ingest({ plan, changes }, async ({ handle }) => {
        await handle.result().catch(() => undefined);
        assert.deepEqual(whole, [expected]);
      });
    }
  });

  it('names the source that failed, and copies the others', async () => {
    const changes: Partial<Activities> = {
      takeResults: async () => ({
        open: [],
        failed: [
          { ...runError('EMR_STEP_FAILED', 'Spark could not convert 2016.'), source: '2016' },
        ],
        deadStarts: 0,
      }),
    };
    await ingest({ changes, plan: { keepAlive: true } }, async ({ calls, handle }) => {
      const failure = await failureOf(handle);
      assert.equal(failure.type, 'EMR_STEP_FAILED');
      assert.match(failure.message, /convert 2016.*other 1 of 2 sources are done/);
      assert.deepEqual(
        calls.filter((call) => call.startsWith('verifySource')),
        ['verifySource/2015'],
      );
      assert.equal(count(calls, 'explainStep'), 0);
      assert.equal(count(calls, 'publishSnapshot'), 0);
      assert.equal(count(calls, 'closeCluster'), 1);
    });
  });

  it('submits a job again whose session died, while it gets further; what is left fails alone, with the log’s cause', async () => {
    const asked: string[][] = [];
    const copied: string[][] = [];
    const deaths: (string | undefined)[] = [];
    const open = [['b', 'c'], ['c'], ['c']];
    const changes: Partial<Activities> = {
      ...watching(({ known, stepId = '' }) => {
        const end = stepId.includes('copy') ? 'COMPLETED' : 'FAILED';
        return { step: known.step === 'RUNNING' ? end : 'RUNNING' };
      }),
      stageCopied: async ({ ids }) => {
        copied.push(ids.toSorted());
        return [];
      },
      submitStep: async ({ kind, ids = [], attempt }) => {
        if (kind === 'convert') asked.push(ids.toSorted());
        return { id: `s-${kind}-${attempt}`, state: 'PENDING' };
      },
      takeResults: async ({ death }) => {
        deaths.push(death);
        const left = open.shift() ?? [];
        return { open: left, failed: [], deadStarts: 3 - open.length };
      },
      explainStep: async ({ isOver }) => ({
        code: 'EMR_STEP_FAILED',
        message: `The step failed; probable cause: ${isOver ? 'OutOfMemoryError' : 'unknown'}.`,
        cause: 'OutOfMemoryError.',
        // EMR writes the log only when the cluster ends.
        log: { uri: 's3://logs/stderr.gz', lines: isOver ? ['OutOfMemoryError'] : [] },
        isWorthRetry: false,
      }),
    };
    await ingest({ changes, sources: ['a', 'b', 'c'] }, async ({ handle }) => {
      const { message } = await failureOf(handle);
      assert.match(message, /probable cause: OutOfMemoryError\. The other 2 of 3 sources are done/);
      assert.deepEqual(copied, [['a', 'b']]);
      assert.deepEqual(asked, [
        ['a', 'b', 'c'],
        ['b', 'c'],
      ]);
      assert.deepEqual(deaths, [undefined, 'OutOfMemoryError.']);
    });
  });

  it('keeps what a job has converted that passes its limit, or that an operator cancels', async () => {
    const cases = [
      { limit: 0, code: 'EMR_STEP_TIMED_OUT' },
      { limit: 3_600_000, code: 'EMR_STEP_CANCELLED' },
    ] as const;
    for (const { limit: stepLimitMs, code } of cases) {
      let isCancelled = code === 'EMR_STEP_CANCELLED';
      const copied: string[] = [];
      const changes: Partial<Activities> = {
        ...watching(({ known, stepId = '' }) => {
          if (stepId.includes('copy')) return { step: 'COMPLETED' };
          if (!isCancelled) return { step: 'RUNNING' };
          return { step: known.step?.startsWith('CANCEL') ? 'CANCELLED' : 'CANCEL_PENDING' };
        }),
        cancelSteps: async () => void (isCancelled = true),
        submitStep: async ({ kind }) => ({ id: `s-${kind}`, state: 'PENDING' }),
        takeResults: async () => ({ open: ['c'], failed: [], deadStarts: 1 }),
        stageCopied: async ({ ids }) => (copied.push(...ids.toSorted()), []),
        explainStep: async () => ({
          ...{ code: 'EMR_STEP_CANCELLED', message: 'The step is CANCELLED.', cause: '' },
          isWorthRetry: false,
        }),
      };
      const plan = { stepLimitMs };
      await ingest({ plan, changes, sources: ['a', 'b', 'c'] }, async ({ handle }) => {
        const failure = await failureOf(handle);
        assert.equal(failure.type, code);
        assert.match(failure.message, /The other 2 of 3 sources are done/);
        assert.deepEqual(copied, ['a', 'b']);
      });
    }
  });

  it('does a step again whose nodes were lost, three times at most', async () => {
    let failures = 2;
    const failing: Partial<Activities> = {
      ...watching(({ known }) => ({ step: known.step === 'RUNNING' ? 'FAILED' : 'RUNNING' })),
      takeResults: async ({ ids }) => {
        failures -= 1;
        return { open: failures >= 0 ? ids : [], failed: [], deadStarts: 0 };
      },
      explainStep: async ({ kind }) => ({
        ...{
          code: 'EMR_STEP_FAILED',
          message: `${kind}: Slave lost.`,
          cause: '',
          isWorthRetry: true,
        },
      }),
      stageCopied: async () => [],
    };
    await ingest({ changes: failing, sources: ['2015'] }, async ({ calls, handle }) => {
      // The third convert step succeeds. The copy step fails each time.
      assert.match((await failureOf(handle)).message, /copy: Slave lost/);
      assert.equal(count(calls, 'submitStep'), 6);
    });
    failures = 100;
    await ingest({ changes: failing, sources: ['2015'] }, async ({ calls, handle }) => {
      assert.match((await failureOf(handle)).message, /convert: Slave lost/);
      assert.equal(count(calls, 'submitStep'), 3);
    });
  });

  it('makes another cluster where one is lost or not to be had, and converts there what was on its HDFS', async () => {
    const cases: Seen[][] = [
      [LOST],
      [
        {
          state: 'TERMINATED_WITH_ERRORS',
          reasonCode: 'INSTANCE_FLEET_TIMEOUT',
          step: 'CANCELLED',
        },
      ],
      // The cluster is lost after the convert step and before the copy step.
      [{ step: 'COMPLETED' }, LOST],
    ];
    for (const looks of cases) {
      const first = seen(...looks);
      const next = watching(({ known }) => ({
        step: known.step === 'RUNNING' ? 'COMPLETED' : 'RUNNING',
      }));
      const changes: Partial<Activities> = {
        watchCluster: async (asked) =>
          await (asked.cluster.id === 'j-1' ? first : next).watchCluster(asked),
      };
      await ingest({ changes }, async ({ calls, handle }) => {
        const result = await handle.result();
        assert.equal(result.status, 'published');
        assert.equal(result.emr?.clusterId, 'j-2');
        assert.equal(count(calls, 'openCluster'), 2);
        assert.equal(count(calls, 'closeCluster'), 2);
        assert.equal(count(calls, 'verifySource'), 2);
      });
    }
  });

  it('makes another cluster where one ended between two looks, and takes no more steps', async () => {
    let steps = 0;
    const changes: Partial<Activities> = {
      submitStep: async ({ clusterId }) => {
        steps += 1;
        if (clusterId === 'j-1' && steps === 2) throw refused('EMR_NO_SUCH_CLUSTER');
        return { id: `s-${steps}`, state: 'PENDING' };
      },
      ...watching(({ stepId }) => (stepId === undefined ? LOST : { step: 'COMPLETED' })),
    };
    await ingest({ changes }, async ({ calls, handle }) => {
      assert.equal((await handle.result()).emr?.clusterId, 'j-2');
      assert.equal(count(calls, 'openCluster'), 2);
    });
  });

  it('takes a step that is cancelled for the first sign of a cluster that ends', async () => {
    const first = seen({ step: 'CANCELLED' }, { ...LOST, step: 'CANCELLED' });
    const next = seen({ step: 'COMPLETED' });
    const changes: Partial<Activities> = {
      watchCluster: async (asked) =>
        await (asked.cluster.id === 'j-1' ? first : next).watchCluster(asked),
    };
    await ingest({ changes }, async ({ handle }) => {
      assert.equal((await handle.result()).emr?.clusterId, 'j-2');
    });
  });

  it('says that a step was cancelled by others, and submits none in its place', async () => {
    const changes: Partial<Activities> = {
      ...seen({ step: 'CANCELLED' }),
      takeResults: async () => ({ open: ['2015', '2016'], failed: [], deadStarts: 2 }),
      explainStep: async () => ({
        ...{
          code: 'EMR_STEP_CANCELLED',
          message: 'It was cancelled.',
          cause: '',
          isWorthRetry: false,
        },
      }),
    };
    await ingest({ changes }, async ({ calls, handle }) => {
      assert.equal((await failureOf(handle)).type, 'EMR_STEP_CANCELLED');
      assert.equal(count(calls, 'submitStep'), 1);
    });
  });

  it('reads the log of a failed step again when its cluster has ended', async () => {
    const uri = 's3://bucket/logs/j-1/steps/s-1/stderr.gz';
    const changes: Partial<Activities> = {
      ...seen({ step: 'FAILED' }),
      takeResults: async ({ ids }) => ({ open: ids, failed: [], deadStarts: 0 }),
      explainStep: async ({ isOver }) => ({
        code: 'EMR_STEP_FAILED',
        message: isOver ? 'probable cause: AnalysisException.' : 'no reason is known.',
        log: { uri, lines: isOver ? ['AnalysisException'] : [] },
        cause: '',
        isWorthRetry: false,
      }),
    };
    await ingest({ changes }, async ({ calls, handle }) => {
      const failure = await failureOf(handle);
      assert.match(failure.message, /AnalysisException/);
      const [detail] = (failure.details ?? []) as RunError[];
      assert.deepEqual(detail?.log, { uri, lines: ['AnalysisException'] });
      assert.ok(calls.indexOf('closeCluster') < calls.lastIndexOf('explainStep'));
      await keep('emr-step-failed', handle);
    });
  });

  it('gives up after three clusters that have no capacity', async () => {
    const changes = seen({
      state: 'TERMINATED_WITH_ERRORS',
      reasonCode: 'VALIDATION_ERROR',
      reason: 'EC2 has insufficient instance capacity',
      step: 'CANCELLED',
    });
    await ingest({ changes }, async ({ calls, handle }) => {
      const failure = await failureOf(handle);
      assert.equal(failure.type, 'EMR_NO_CAPACITY');
      assert.match(failure.message, /insufficient instance capacity/);
      assert.equal(count(calls, 'openCluster'), 3);
      assert.equal(count(calls, 'closeCluster'), 3);
    });
  });

  it('does not wait for ever: for the cluster, for a step', async () => {
    const cases = [
      [{ state: 'STARTING', step: 'PENDING' }, { startLimitMs: 0 }, 'EMR_START_TIMED_OUT'],
      [{ state: 'BOOTSTRAPPING', step: 'PENDING' }, { startLimitMs: 0 }, 'EMR_START_TIMED_OUT'],
      [{ state: 'RUNNING', step: 'RUNNING' }, { stepLimitMs: 0 }, 'EMR_STEP_TIMED_OUT'],
    ] as const;
    for (const [look, plan, code] of cases) {
      await ingest({ plan, changes: seen(look), sources: ['2015'] }, async ({ calls, handle }) => {
        const failure = await failureOf(handle);
        assert.equal(failure.type, code);
        assert.match(
          failure.message,
          new RegExp(`it is ${look.step === 'RUNNING' ? 'RUNNING' : look.state}`),
        );
        assert.equal(count(calls, 'closeCluster'), 1);
        assert.equal(count(calls, 'cancelSteps'), code === 'EMR_STEP_TIMED_OUT' ? 1 : 0);
      });
    }
  });

  it('ends a cluster that has cost more than it may, also in a step in which nothing changes', async () => {
    const plan = { maxInstanceHours: 0.6, stepLimitMs: 10 * 3_600_000 };
    const waits: number[] = [];
    const changes: Partial<Activities> = {
      watchCluster: async (asked) => {
        waits.push(asked.forMs);
        const { cluster, stepId: id = '' } = asked;
        const running = fakeCluster({ ...cluster, state: 'RUNNING' });
        const step: EmrStep = { id, state: 'RUNNING' };
        return { cluster: running, step, instanceHours: waits.length * 0.3 };
      },
    };
    await ingest({ plan, changes }, async ({ calls, handle }) => {
      assert.equal((await failureOf(handle)).type, 'EMR_TOO_EXPENSIVE');
      // At the second watch, three instances have used half of the limit.
      assert.deepEqual(waits.slice(1), [0.1 * 3_600_000]);
      assert.equal(count(calls, 'closeCluster'), 1);
    });
  });

  it('says that a cluster was ended by others', async () => {
    const changes = seen({
      state: 'TERMINATING',
      reasonCode: 'USER_REQUEST',
      reason: 'Terminated by user request',
      step: 'CANCELLED',
    });
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
        const { events } = await childHistory(handle);
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
    const watched = gate();
    const closed: (boolean | undefined)[] = [];
    const changes: Partial<Activities> = {
      watchCluster: async () => {
        watched.open();
        return await heartbeatUntilCancelled();
      },
      closeCluster: async ({ cluster, keep: stays, openStepIds }) => {
        closed.push(stays, openStepIds.length > 0, cluster?.isOurs);
        return undefined;
      },
    };
    await ingest({ changes, sources: ['2015'] }, async ({ calls, handle }) => {
      await watched.opened;
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
      assert.equal(count(calls, 'openCluster'), 0);
    });
  });
});

function unchanged(id: string) {
  return {
    ...{ id, url: '', status: 'unchanged' as const, bytes: 1, records: 1, rows: 1, rejected: 0 },
    ...{ checksum: '', raw: '', parquet: [] },
  };
}
