import {
  CancelJobRunCommand,
  EMRServerlessClient,
  GetApplicationCommand,
  GetJobRunCommand,
  StartApplicationCommand,
  StartJobRunCommand,
  type JobRun,
  type StartJobRunCommandInput,
} from '@aws-sdk/client-emr-serverless';
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  startServerlessServer,
  type JobRun as ServerRun,
  type ServerlessServer,
  type ServerlessOptions,
} from '../../../../tools/local-aws/emr-serverless/serverless-server.ts';
import { IDENTITY } from '../emr/quick-emr.ts';

const ENDED = ['SUCCESS', 'FAILED', 'CANCELLED'];

describe('a job run', () => {
  it('goes through its states to success, and is described with what was asked for', async () => {
    await withQuick(
      async (quick) => {
        const id = await quick.start('ok', { name: 'a run', executionTimeoutMinutes: 5 });
        const { run, seen } = await quick.untilEnded(id);
        // On a busy machine, the polls may miss a state.
        assert.deepEqual(
          seen,
          ['SUBMITTED', 'PENDING', 'SCHEDULED', 'RUNNING', 'SUCCESS'].filter((state) =>
            seen.some((each) => each === state),
          ),
        );
        assert.equal(seen.at(-1), 'SUCCESS');
        assert.deepEqual(
          [run.name, run.executionTimeoutMinutes, run.jobDriver?.sparkSubmit?.entryPoint],
          ['a run', 5, 'ok'],
        );
        assert.ok(run.startedAt && run.endedAt && run.startedAt <= run.endedAt);
      },
      { delays: { stateMs: 300, logsMs: 1 }, workMs: 300 },
    );
  });

  it('that fails says why, in no more characters than the API has', async () => {
    await withQuick(async (quick) => {
      const { run } = await quick.untilEnded(await quick.start('fail'));
      assert.equal(run.state, 'FAILED');
      assert.match(run.stateDetails ?? '', /^Job execution failed, .*Last few exceptions: oh oh/);
      assert.equal(run.stateDetails?.length, 256);
    });
  });

  it('is the same for the same token, also when it has failed', async () => {
    await withQuick(async (quick) => {
      const id = await quick.start('fail', { clientToken: 'run-1.a_2' });
      await quick.untilEnded(id);
      assert.equal(await quick.start('ok', { clientToken: 'run-1.a_2' }), id);
      assert.notEqual(await quick.start('ok', { clientToken: 'run-1.a_3' }), id);
    });
  });

  it('is cancelled when it is asked for, and not when it is over', async () => {
    await withQuick(async (quick) => {
      const id = await quick.start('wait');
      await quick.until(id, ['RUNNING']);
      const request = { applicationId: quick.applicationId, jobRunId: id };
      await quick.client.send(new CancelJobRunCommand(request));
      assert.equal((await quick.untilEnded(id)).run.state, 'CANCELLED');
      await assert.rejects(quick.client.send(new CancelJobRunCommand(request)), {
        name: 'ValidationException',
      });
    });
  });

  it('that is refused names what is wrong', async () => {
    await withQuick(async (quick) => {
      const refused: [Partial<StartJobRunCommandInput>, string][] = [
        [{ clientToken: 'a/b' }, 'ValidationException'],
        [{ clientToken: 'x'.repeat(65) }, 'ValidationException'],
        [{ executionTimeoutMinutes: 4 }, 'ValidationException'],
        [{ executionRoleArn: 'EMRServerlessRole' }, 'ValidationException'],
        [{ jobDriver: { sparkSubmit: { entryPoint: '' } } }, 'ValidationException'],
        [{ applicationId: '00unknown' }, 'ResourceNotFoundException'],
      ];
      for (const [change, name] of refused) {
        await assert.rejects(quick.start('ok', change), { name });
      }
      const unknown = { applicationId: quick.applicationId, jobRunId: '00unknown' };
      await assert.rejects(quick.client.send(new GetJobRunCommand(unknown)), {
        name: 'ResourceNotFoundException',
        message: 'JobRun 00unknown does not exist',
      });
      assert.deepEqual(quick.list(), []);
    });
  });

  it("has its logs brought away some time after its end, and at the server's end", async () => {
    const closed: string[] = [];
    await withQuick(
      async (quick) => {
        await quick.untilEnded(await quick.start('ok'));
        const id = await quick.start('wait');
        await quick.until(id, ['RUNNING']);
        assert.deepEqual(closed, []);
      },
      { delays: { stateMs: 1, logsMs: 60_000 }, closed },
    );
    assert.deepEqual(closed.toSorted(), ['ok', 'wait']);
  });
});

describe('the application', () => {
  it('is there and started; what this server has not is not implemented', async () => {
    await withQuick(async ({ client, applicationId }) => {
      const { application } = await client.send(new GetApplicationCommand({ applicationId }));
      assert.deepEqual([application?.state, application?.type], ['STARTED', 'Spark']);
      await assert.rejects(client.send(new StartApplicationCommand({ applicationId })), {
        name: 'NotImplemented',
      });
    });
  });
});

describe('a fault of job runs that was asked for', () => {
  it('throttles, loses an answer whose job run is there, and lets one hang', async () => {
    const faults = { throttle: { StartJobRun: 1 }, loseAnswer: { StartJobRun: 1 }, hang: 1 };
    await withQuick(
      async (quick) => {
        await assert.rejects(quick.start('ok'), { name: 'ThrottlingException' });
        assert.deepEqual(quick.list(), []);
        await assert.rejects(quick.start('ok', { clientToken: 'lost' }));
        const [lost = ''] = quick.list();
        assert.equal(await quick.start('ok', { clientToken: 'lost' }), lost);
        await quick.until(lost, ['RUNNING']);
        await quick.untilEnded(await quick.start('ok'));
        assert.equal((await quick.get(lost)).state, 'RUNNING');
      },
      { faults },
    );
  });

  it('has a job run reach its time limit: it is cancelled, as on AWS', async () => {
    await withQuick(
      async (quick) => {
        const { run } = await quick.untilEnded(await quick.start('ok'));
        assert.deepEqual([run.state, run.stateDetails], ['CANCELLED', 'Job run timed out']);
      },
      { faults: { timeLimit: 1 } },
    );
  });
});

interface Quick extends ServerlessServer {
  client: EMRServerlessClient;
  start(does: string, changes?: Partial<StartJobRunCommandInput>): Promise<string>;
  get(id: string): Promise<JobRun>;
  until(id: string, states: readonly string[]): Promise<{ run: JobRun; seen: string[] }>;
  untilEnded(id: string): Promise<{ run: JobRun; seen: string[] }>;
  /** Ids of the job runs, newest first. */
  list(): string[];
}

/** A server whose job runs do as their entry point says: `ok`, `fail`, or `wait` until they are cancelled. */
async function withQuick(
  body: (quick: Quick) => Promise<void>,
  {
    workMs = 0,
    closed = [],
    ...options
  }: Partial<ServerlessOptions> & { workMs?: number; closed?: string[] } = {},
): Promise<void> {
  const server = await startServerlessServer({
    identity: IDENTITY,
    runtime: quickRuntime(workMs, closed),
    delays: { stateMs: 1, logsMs: 1 },
    ...options,
  });
  const { endpoint, applicationId, roleArn } = server;
  const client = new EMRServerlessClient({
    ...{ endpoint, region: 'us-east-1', credentials: IDENTITY, maxAttempts: 1 },
  });
  const get = async (id: string): Promise<JobRun> => {
    const { jobRun } = await client.send(new GetJobRunCommand({ applicationId, jobRunId: id }));
    return jobRun ?? assert.fail('no job run');
  };
  const until: Quick['until'] = async (id, states) => {
    const seen: string[] = [];
    for (;;) {
      const run = await get(id);
      const state = run.state ?? '';
      if (seen.at(-1) !== state) seen.push(state);
      if (states.includes(state)) return { run, seen };
      await sleep(2);
    }
  };
  const quick: Omit<Quick, keyof ServerlessServer> = {
    client,
    get,
    until,
    untilEnded: async (id) => await until(id, ENDED),
    start: async (entryPoint, changes) => {
      const request = {
        ...{ applicationId, executionRoleArn: roleArn, jobDriver: { sparkSubmit: { entryPoint } } },
        ...changes,
      };
      const { jobRunId = '' } = await client.send(
        new StartJobRunCommand(request as StartJobRunCommandInput),
      );
      return jobRunId;
    },
    list: () => server.jobRuns().map(({ id }) => id),
  };
  try {
    await body(Object.assign(server, quick));
  } finally {
    client.destroy();
    await server.stop();
  }
}

function quickRuntime(workMs: number, closed: string[]): ServerlessOptions['runtime'] {
  const doesOf = ({ request }: ServerRun): string =>
    request.jobDriver?.sparkSubmit?.entryPoint ?? '';
  return {
    start: async (run, isHanging) => {
      const does = doesOf(run);
      await sleep(workMs);
      let cancel: () => void = () => undefined;
      const ended = new Promise<{ isCompleted: boolean; message?: string }>((resolve) => {
        cancel = () => resolve({ isCompleted: false });
        if (isHanging || does === 'wait') return;
        resolve({ isCompleted: does === 'ok', message: 'oh '.repeat(300) });
      });
      return { ended, cancel: () => cancel() };
    },
    close: async (run) => void (await Promise.resolve(closed.push(doesOf(run)))),
  };
}
