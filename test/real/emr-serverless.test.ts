import { CancelJobRunCommand, EMRServerlessClient } from '@aws-sdk/client-emr-serverless';
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { DAY, ingestError, killHost } from '../helpers/emr-runs.ts';
import { withLab, type Lab } from '../helpers/lab.ts';
import { startTestServerless } from '../helpers/local-emr.ts';
import { bucketContents } from '../helpers/s3-lab.ts';
import { startS3, type TestS3 } from '../helpers/s3.ts';

const SAMPLES = resolve('../shared/data');
const skip = existsSync(SAMPLES)
  ? false
  : 'the real Denver samples (../shared/data) are not on this machine';
const SMALL = { body: 'id,text\r\n1,"a\nb"\r\n2,c\r\n', etag: '"1"' };

/** Spark works on it for several seconds, so that the job run does not end before the test cancels it. */
const LONG = { body: `id,text\r\n${'1,"a\nb"\r\n'.repeat(3_000_000)}`, etag: '"long"' };

interface Run {
  status: string;
  runId: string;
  ledger: { rows: number };
}

let s3: TestS3;
let serverless: Awaited<ReturnType<typeof startTestServerless>>;
let client: EMRServerlessClient;
before(async () => {
  s3 = await startS3();
  serverless = await startTestServerless(s3);
  const { endpoint } = serverless;
  client = new EMRServerlessClient({ endpoint, region: s3.server.region, credentials: s3.server });
});
after(async () => {
  client?.destroy();
  await serverless?.stop();
  await s3?.close();
});
afterEach(() => {
  serverless.faults = {};
});

let labs = 0;

async function withServerlessLab(
  routes: Parameters<typeof withLab>[0]['routes'],
  body: (lab: Lab, prefix: string) => Promise<void>,
  more: Record<string, string> = {},
): Promise<void> {
  labs += 1;
  const prefix = `lab-${labs}`;
  const env = {
    ...s3.env,
    LAKE: `s3://${s3.bucket}/${prefix}`,
    ENGINE: 'emr-serverless',
    ...serverless.env,
    SOURCE_RETRY_MINUTES: '1',
    ...more,
  };
  await withLab({ routes, env }, async (lab) => {
    await body(lab, prefix);
    const { keys, uploads } = await bucketContents(s3);
    const left = keys.filter((key) => key.startsWith(prefix) && key.includes('_staging'));
    assert.deepEqual([left, uploads], [[], []]);
  });
}

/** Job runs of a dataset. The newest is first. */
function jobRuns(dataset: string): { id: string; state: string }[] {
  return serverless
    .jobRuns()
    .filter(({ request }) => request.name?.startsWith(`longhaul/${dataset}/`))
    .map(({ id, state }) => ({ id, state }));
}

async function runningJob(dataset: string): Promise<string> {
  for (;;) {
    const [run] = jobRuns(dataset);
    if (run?.state === 'RUNNING') return run.id;
    await sleep(100);
  }
}

/** Waits until a source of a lab's only job run has a result. */
async function firstResult(prefix: string): Promise<void> {
  for (;;) {
    const { keys } = await bucketContents(s3);
    if (keys.some((key) => key.startsWith(prefix) && key.includes('/results/'))) return;
    await sleep(100);
  }
}

function ingest(name: string): string[] {
  return ['ingest', name, '--date', DAY, '--as-if', '--json'];
}

describe('the engine emr-serverless', () => {
  it(
    'makes of the real Denver samples the rows that DuckDB makes, all of them, by one job run',
    { skip },
    async () => {
      const names = { a: '311_service_data_2015.csv', b: 'traffic_accidents_2014.csv' };
      const routes = Object.fromEntries(
        Object.entries(names).map(([id, name]) => [
          `/${id}.csv`,
          { body: { file: join(SAMPLES, name) }, etag: `"${name}"` },
        ]),
      );
      await withServerlessLab(routes, async (lab, prefix) => {
        const sources = { a: lab.origin.address('/a.csv'), b: lab.origin.address('/b.csv') };
        await lab.datasets({ serverless: sources, duck: sources });
        // Neither a lost answer nor a throttled request makes a second job run.
        serverless.faults = {
          loseAnswer: { StartJobRun: 1 },
          throttle: { StartJobRun: 1, GetJobRun: 1 },
        };
        const run = await lab.json<Run>(ingest('serverless').slice(0, -1));
        assert.equal(run.code, 0, run.stdout + run.stderr);
        assert.equal(run.json.status, 'published');
        assert.deepEqual(
          jobRuns('serverless').map(({ state }) => state),
          ['SUCCESS'],
        );
        const duck = await lab.run([...ingest('duck'), '--engine', 'duckdb']);
        assert.equal(duck.code, 0, duck.stderr);
        const sql = `SELECT (SELECT count(*) FROM (FROM serverless EXCEPT ALL FROM duck)) AS more,
          (SELECT count(*) FROM (FROM duck EXCEPT ALL FROM serverless)) AS fewer,
          (SELECT count(*) FROM serverless) AS n`;
        const { stdout } = await lab.run(['query', sql, '--format', 'json']);
        assert.deepEqual(JSON.parse(stdout), [{ more: 0, fewer: 0, n: run.json.ledger.rows }]);
        assert.equal((await lab.run(['verify', 'serverless', '--date', DAY])).code, 0);
        const { stdout: checks } = await lab.run(['doctor']);
        assert.match(checks, /application \w+ answers: Spark of emr-[\d.]+, STARTED/i);
        // The prefix holds no markers of folders and no temporary files.
        const { keys } = await bucketContents(s3);
        const odd = keys.filter(
          (key) => key.startsWith(prefix) && /\/$|_temporary|\$folder\$/.test(key),
        );
        assert.deepEqual(odd, []);
      });
    },
  );

  it('goes on with the same job run when its worker was killed, and ends it when the run is cancelled', async () => {
    const env = { HEARTBEAT_TIMEOUT_SECONDS: '2' };
    const body = async (lab: Lab): Promise<void> => {
      await lab.datasets({ killed: { a: lab.origin.address('/a.csv') } });
      serverless.faults = { hang: 9 };
      const running = lab.start(ingest('killed'));
      const id = await runningJob('killed');
      await killHost(lab);
      running.process.kill('SIGKILL');
      await running.ended;
      await lab.run(['up', '--background']);
      const cancelled = await lab.json<{ status: string }>(['cancel', `killed/${DAY}`]);
      assert.equal(cancelled.json.status, 'CANCELLED', cancelled.stderr);
      const [run, ...others] = jobRuns('killed');
      assert.deepEqual([run?.id, others], [id, []]);
      assert.match(run?.state ?? '', /^CANCELL(?:ED|ING)$/);
    };
    await withServerlessLab({ '/a.csv': SMALL }, body, env);
  });

  it('says what became of a job run that others cancel, that is at its limit, or that fails', async () => {
    await withServerlessLab({ '/a.csv': SMALL }, async (lab) => {
      const a = lab.origin.address('/a.csv');
      await lab.datasets({ cancelled: { a }, limited: { a }, failing: { a } });
      serverless.faults = { hang: 1 };
      const cancelled = ingestError(lab, 'cancelled');
      const jobRunId = await runningJob('cancelled');
      const { applicationId } = serverless;
      await client.send(new CancelJobRunCommand({ applicationId, jobRunId }));
      assert.equal((await cancelled).code, 'EMR_STEP_CANCELLED');
      serverless.faults = { timeLimit: 1 };
      assert.equal((await ingestError(lab, 'limited')).code, 'EMR_STEP_TIMED_OUT');
    });
  });

  it('keeps the sources that a job run had converted before it was cancelled', async () => {
    const routes = { '/a.csv': SMALL, '/long.csv': LONG };
    await withServerlessLab(routes, async (lab, prefix) => {
      const sources = ['a', 'long'].map((id) => [id, lab.origin.address(`/${id}.csv`)]);
      await lab.datasets({ part: Object.fromEntries(sources) as Record<string, string> });
      const failure = ingestError(lab, 'part');
      const jobRunId = await runningJob('part');
      await firstResult(prefix);
      const { applicationId } = serverless;
      await client.send(new CancelJobRunCommand({ applicationId, jobRunId }));
      const { code, message } = await failure;
      assert.equal(code, 'EMR_STEP_CANCELLED', message);
      assert.match(message, /The other 1 of 2 sources are done\./);
      lab.origin.set('/long.csv', SMALL);
      const { json, stderr } = await lab.json<Run>(ingest('part').slice(0, -1));
      assert.equal(json.status, 'published', stderr);
      assert.doesNotMatch(stderr, /part a: convert/, 'the retry does not convert it again');
    });
  });

  it('is refused before anything is downloaded: a lake on a disk, no application', async () => {
    const more = { EMR_SERVERLESS_APPLICATION_ID: '' };
    const body = async (lab: Lab): Promise<void> => {
      await lab.datasets({ things: { a: lab.origin.address('/a.csv') } });
      const failure = await ingestError(lab, 'things');
      assert.match(failure.message, /needs EMR_SERVERLESS_APPLICATION_ID/);
      const disk = await lab.json<{ error: { code: string } }>([
        ...ingest('things').slice(0, -1),
        '--lake',
        'data',
      ]);
      assert.equal(disk.json.error.code, 'EMR_NEEDS_S3');
      assert.equal(lab.origin.requestsTo('/a.csv').length, 0);
    };
    await withServerlessLab({ '/a.csv': SMALL }, body, more);
  });
});
