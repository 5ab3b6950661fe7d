import {
  AddJobFlowStepsCommand,
  AddTagsCommand,
  CancelStepsCommand,
  ListClustersCommand,
  ListStepsCommand,
  PutAutoTerminationPolicyCommand,
  TerminateJobFlowsCommand,
  type EMRClient,
  type RunJobFlowInput,
  type StepConfig,
} from '@aws-sdk/client-emr';
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { create, statesOf, stepOf, untilState, withQuickEmr } from './quick-emr.ts';

const ENDED = ['TERMINATED', 'TERMINATED_WITH_ERRORS'];

describe('a cluster', () => {
  it('starts, waits, is tagged, and ends when it is terminated, with its machine', async () => {
    await withQuickEmr(
      async ({ client, machines }) => {
        const id = await create(client, { Tags: [{ Key: 'a', Value: '1' }] });
        const { seen, cluster } = await untilState(client, id, ['WAITING']);
        assert.deepEqual([seen[0], seen.at(-1)], ['STARTING', 'WAITING']);
        assert.ok(cluster.Status?.Timeline?.ReadyDateTime instanceof Date);
        assert.deepEqual([...machines], [id]);
        await client.send(new AddTagsCommand({ ResourceId: id, Tags: [{ Key: 'b', Value: '2' }] }));
        await client.send(new TerminateJobFlowsCommand({ JobFlowIds: [id] }));
        const end = await untilState(client, id, ENDED);
        assert.deepEqual(end.cluster.Status?.StateChangeReason, {
          Code: 'USER_REQUEST',
          Message: 'Terminated by user request',
        });
        assert.deepEqual(end.cluster.Tags, [
          { Key: 'a', Value: '1' },
          { Key: 'b', Value: '2' },
        ]);
        assert.equal(machines.size, 0);
        // The second call is no error, as on EMR.
        await client.send(new TerminateJobFlowsCommand({ JobFlowIds: [id] }));
      },
      { delays: { provisioningMs: 1000 } },
    );
  });

  it('says while it starts what it waits for', async () => {
    await withQuickEmr(
      async ({ client }) => {
        const id = await create(client, {});
        const { cluster } = await untilState(client, id, ['STARTING']);
        assert.equal(
          cluster.Status?.StateChangeReason?.Message,
          'Provisioning Amazon EC2 capacity',
        );
      },
      { delays: { provisioningMs: 5000 } },
    );
  });

  it('without steps ends at once unless it is kept alive, and with steps when they are done', async () => {
    await withQuickEmr(async ({ client, started }) => {
      const alone = { Instances: { KeepJobFlowAliveWhenNoSteps: false } };
      const one = await create(client, alone);
      const other = await create(client, {
        ...alone,
        Steps: [stepOf('x', 'ok'), stepOf('y', 'ok')],
      });
      for (const id of [one, other]) {
        const { cluster } = await untilState(client, id, ENDED);
        assert.equal(cluster.Status?.State, 'TERMINATED');
        assert.equal(cluster.Status.StateChangeReason?.Code, 'ALL_STEPS_COMPLETED');
      }
      assert.deepEqual(started, ['x', 'y']);
    });
  });

  it('that is idle for longer than its policy ends, and a new policy counts from anew', async () => {
    await withQuickEmr(
      async ({ client }) => {
        const id = await create(client, {});
        await untilState(client, id, ['WAITING']);
        const policy = { IdleTimeout: 60 };
        await client.send(
          new PutAutoTerminationPolicyCommand({ ClusterId: id, AutoTerminationPolicy: policy }),
        );
        const { cluster } = await untilState(client, id, ENDED);
        assert.equal(cluster.Status?.State, 'TERMINATED');
      },
      { delays: { secondMs: 1 } },
    );
  });

  it('is not idle while its HDFS is more than a tenth full', async () => {
    await withQuickEmr(
      async ({ client, hdfs }) => {
        hdfs.use = 0.11;
        const id = await create(client, { AutoTerminationPolicy: { IdleTimeout: 60 } });
        while (hdfs.asked < 3) await sleep(2);
        assert.equal((await untilState(client, id, ['WAITING', ...ENDED])).seen[0], 'WAITING');
        hdfs.use = 0.09;
        const { cluster } = await untilState(client, id, ENDED);
        assert.equal(cluster.Status?.State, 'TERMINATED');
      },
      { delays: { secondMs: 0.1 } },
    );
  });

  it('brings the logs of a step some time after its end, at the latest with its own', async () => {
    await withQuickEmr(
      async (emr) => {
        const id = await create(emr.client, {});
        emr.faults = { lateLogs: 1 };
        const [late, other] = await add(emr.client, id, [stepOf('a', 'ok'), stepOf('b', 'ok')]);
        while (emr.saved.length === 0) await sleep(2);
        assert.deepEqual(emr.saved, [other]);
        const [running] = await add(emr.client, id, [stepOf('c', 'wait')]);
        await untilStep(emr.client, id, running, 'RUNNING');
        await emr.client.send(new TerminateJobFlowsCommand({ JobFlowIds: [id] }));
        await untilState(emr.client, id, ENDED);
        assert.deepEqual(new Set(emr.saved), new Set([other, late, running]));
      },
      { delays: { logsMs: 20 } },
    );
  });

  it('is listed by state and time, in pages that a new cluster does not shift', async () => {
    await withQuickEmr(async ({ client }) => {
      const ids: string[] = [];
      for (let index = 0; index < 60; index += 1)
        ids.push(await create(client, { Name: `c${index}` }));
      const first = await client.send(new ListClustersCommand({}));
      assert.equal(first.Clusters?.length, 50);
      await create(client, { Name: 'late' });
      const second = await client.send(new ListClustersCommand({ Marker: first.Marker }));
      assert.equal(second.Marker, undefined);
      const listed = [...(first.Clusters ?? []), ...(second.Clusters ?? [])].map(({ Id }) => Id);
      assert.deepEqual(new Set(listed), new Set(ids));
      await client.send(new TerminateJobFlowsCommand({ JobFlowIds: ids.slice(0, 2) }));
      await untilState(client, ids[0], ENDED);
      await untilState(client, ids[1], ENDED);
      const ended = await client.send(new ListClustersCommand({ ClusterStates: ['TERMINATED'] }));
      assert.deepEqual(ended.Clusters?.map(({ Name }) => Name).toSorted(), ['c0', 'c1']);
      const future = await client.send(
        new ListClustersCommand({ CreatedAfter: new Date(Date.now() + 60_000) }),
      );
      assert.deepEqual(future.Clusters, []);
      await assert.rejects(client.send(new ListClustersCommand({ Marker: 'nothing' })), {
        name: 'InvalidRequestException',
      });
    });
  });

  it('whose bootstrap action fails ends with its number', async () => {
    await withQuickEmr(async ({ client, machines }) => {
      const action = (Path: string): object => ({ Name: 'a', ScriptBootstrapAction: { Path } });
      const actions = [
        action('s3://b/fine.sh'),
        action('s3://b/fails.sh'),
      ] as RunJobFlowInput['BootstrapActions'];
      const id = await create(client, { BootstrapActions: actions });
      const { cluster } = await untilState(client, id, ENDED);
      assert.equal(cluster.Status?.State, 'TERMINATED_WITH_ERRORS');
      assert.equal(cluster.Status.StateChangeReason?.Code, 'BOOTSTRAP_FAILURE');
      assert.match(
        cluster.Status.StateChangeReason.Message ?? '',
        /bootstrap action 2 returned a non-zero/,
      );
      assert.equal(machines.size, 0);
    });
  });
});

describe('steps', () => {
  it('run one after the other, are listed newest first, and are filtered by id and state', async () => {
    await withQuickEmr(async ({ client, started }) => {
      const id = await create(client, {});
      const ids = await add(client, id, [
        stepOf('one', 'ok'),
        stepOf('two', 'fail'),
        stepOf('three', 'wait'),
        stepOf('four', 'ok'),
      ]);
      await untilStep(client, id, ids[2], 'RUNNING');
      assert.deepEqual(started, ['one', 'two', 'three']);
      const all = await client.send(new ListStepsCommand({ ClusterId: id }));
      assert.deepEqual(
        all.Steps?.map(({ Name, Status }) => `${Name} ${Status?.State}`),
        ['four PENDING', 'three RUNNING', 'two FAILED', 'one COMPLETED'],
      );
      const failure = all.Steps[2]?.Status?.FailureDetails;
      assert.deepEqual(failure, { Reason: 'Unknown Error.', Message: 'java.lang.Error: no' });
      const some = await client.send(
        new ListStepsCommand({ ClusterId: id, StepStates: ['PENDING', 'RUNNING'] }),
      );
      assert.deepEqual(
        some.Steps?.map(({ Id }) => Id),
        [ids[3], ids[2]],
      );
      const byId = await client.send(
        new ListStepsCommand({ ClusterId: id, StepIds: ids.slice(0, 1) }),
      );
      assert.deepEqual(
        byId.Steps?.map(({ Id }) => Id),
        [ids[0]],
      );
      await assert.rejects(
        client.send(
          new ListStepsCommand({ ClusterId: id, StepIds: Array<string>(11).fill('s-1') }),
        ),
        {
          name: 'InvalidRequestException',
        },
      );
    });
  });

  it('are listed in pages of 50', async () => {
    await withQuickEmr(async ({ client }) => {
      const id = await create(client, {});
      const steps = Array.from({ length: 120 }, (_, index) => stepOf(`s${index}`, 'ok'));
      const ids = await add(client, id, steps);
      const listed: (string | undefined)[] = [];
      let marker: string | undefined;
      do {
        const page = await client.send(new ListStepsCommand({ ClusterId: id, Marker: marker }));
        assert.ok((page.Steps?.length ?? 0) <= 50);
        listed.push(...(page.Steps ?? []).map(({ Id }) => Id));
        marker = page.Marker;
      } while (marker !== undefined);
      assert.deepEqual(listed, ids.toReversed());
    });
  });

  it('that are added while a cluster starts run when it is ready', async () => {
    await withQuickEmr(
      async ({ client, started }) => {
        const id = await create(client, {});
        const ids = await add(client, id, [stepOf('early', 'ok')]);
        assert.equal((await untilState(client, id, ['STARTING'])).seen.length, 1);
        assert.deepEqual(started, []);
        await untilStep(client, id, ids[0], 'COMPLETED');
      },
      { delays: { provisioningMs: 2000 } },
    );
  });

  it('stay PENDING for some time before they run, and can be cancelled then', async () => {
    await withQuickEmr(
      async ({ client, started }) => {
        const id = await create(client, {});
        const ids = await add(client, id, [stepOf('one', 'ok'), stepOf('two', 'ok')]);
        await untilState(client, id, ['RUNNING']);
        assert.deepEqual(await statesOf(client, id), ['PENDING', 'PENDING']);
        await client.send(new CancelStepsCommand({ ClusterId: id, StepIds: ids.slice(0, 1) }));
        await untilStep(client, id, ids[1], 'COMPLETED');
        assert.deepEqual(started, ['two']);
      },
      { delays: { beforeStepMs: 2000 } },
    );
  });

  it('are at most 256 at once, and there is room for one more where one has ended', async () => {
    await withQuickEmr(async ({ client }) => {
      const id = await create(client, {});
      const steps = Array.from({ length: 256 }, (_, index) => stepOf(`s${index}`, 'wait'));
      const [first = ''] = await add(client, id, steps);
      const more = async (): Promise<string[]> => await add(client, id, [stepOf('more', 'ok')]);
      await assert.rejects(more(), {
        name: 'ValidationException',
        message: 'A maximum of 256 steps are allowed in each job flow.',
      });
      await untilStep(client, id, first, 'RUNNING');
      await client.send(new CancelStepsCommand({ ClusterId: id, StepIds: [first] }));
      await untilStep(client, id, first, 'CANCELLED');
      assert.equal((await more()).length, 1);
    });
  });

  it('that fail do with the cluster what they say', async () => {
    await withQuickEmr(async ({ client }) => {
      const ends = await create(client, {
        Steps: [stepOf('x', 'fail', 'TERMINATE_CLUSTER'), stepOf('y', 'ok')],
      });
      const { cluster } = await untilState(client, ends, ENDED);
      assert.equal(cluster.Status?.State, 'TERMINATED_WITH_ERRORS');
      assert.equal(cluster.Status.StateChangeReason?.Code, 'STEP_FAILURE');
      assert.deepEqual(await statesOf(client, ends), ['FAILED', 'CANCELLED']);
      const goesOn = await create(client, { Steps: [stepOf('x', 'fail'), stepOf('y', 'ok')] });
      await untilState(client, goesOn, ['WAITING']);
      assert.deepEqual(await statesOf(client, goesOn), ['FAILED', 'COMPLETED']);
    });
  });

  it('are cancelled, running or pending, and not when they are over', async () => {
    await withQuickEmr(async ({ client }) => {
      const id = await create(client, {});
      const [over = '', running = '', pending = ''] = await add(client, id, [
        stepOf('a', 'ok'),
        stepOf('b', 'wait'),
        stepOf('c', 'ok'),
      ]);
      await untilStep(client, id, running, 'RUNNING');
      const StepIds = [over, pending, running];
      const { CancelStepsInfoList: infos } = await client.send(
        new CancelStepsCommand({ ClusterId: id, StepIds }),
      );
      assert.deepEqual(
        infos?.map(({ Status }) => Status),
        ['FAILED', 'SUBMITTED', 'SUBMITTED'],
      );
      await untilStep(client, id, running, 'CANCELLED');
      assert.deepEqual(await statesOf(client, id), ['COMPLETED', 'CANCELLED', 'CANCELLED']);
    });
  });

  it('of a cluster that is terminated are cancelled with it', async () => {
    await withQuickEmr(async ({ client }) => {
      const id = await create(client, {});
      const [one] = await add(client, id, [stepOf('a', 'wait'), stepOf('b', 'ok')]);
      await untilStep(client, id, one, 'RUNNING');
      await client.send(new TerminateJobFlowsCommand({ JobFlowIds: [id] }));
      await untilState(client, id, ENDED);
      assert.deepEqual(await statesOf(client, id), ['CANCELLED', 'CANCELLED']);
      await assert.rejects(add(client, id, [stepOf('late', 'ok')]), {
        name: 'ValidationException',
      });
    });
  });
});

async function add(client: EMRClient, id: string, steps: StepConfig[]): Promise<string[]> {
  const { StepIds = [] } = await client.send(
    new AddJobFlowStepsCommand({ JobFlowId: id, Steps: steps }),
  );
  return StepIds;
}

async function untilStep(
  client: EMRClient,
  cluster: string,
  id: string | undefined,
  state: string,
): Promise<void> {
  for (;;) {
    const StepIds = [id ?? ''];
    const { Steps } = await client.send(new ListStepsCommand({ ClusterId: cluster, StepIds }));
    if (Steps?.[0]?.Status?.State === state) return;
    await sleep(2);
  }
}
