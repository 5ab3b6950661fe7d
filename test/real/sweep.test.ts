import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import {
  CreateMultipartUploadCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { runCli } from '../../src/cli/program.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { ingestWorkflowId } from '../../src/model/run.ts';
import { SWEEP_WORKFLOW_ID, type SweepResult } from '../../src/model/sweep.ts';
import { runWorker } from '../../src/workers/run-worker.ts';
import { contextOf, type Ran } from '../cli/fake-context.ts';
import { startS3, type TestS3 } from '../helpers/s3.ts';
import { freeNamespace, TestTemporal } from '../helpers/temporal.ts';
import { ingestInput } from '../workflows/fake-activities.ts';

const DEAD_DAY = '2026-11-20';
const LIVE_DAY = '2026-11-23';
const HOUR_MS = 3_600_000;

let s3: TestS3;
let folder: string;
let env: Record<string, string>;
let liveRunId: string;
let deadRunId: string;
let stopWorker = new AbortController();
let working: Promise<void> = Promise.resolve();

const temporal = new TestTemporal({
  before: async () => {
    s3 = await startS3();
    Object.assign(process.env, s3.env);
    folder = await mkdtemp(join(tmpdir(), 'longhaul-sweep-'));
    await writeFile(join(folder, 'datasets.yaml'), 'datasets: {}\n');
    await serve('data');
    liveRunId = await startRun(ingestWorkflowId('denver-311', LIVE_DAY), LIVE_DAY);
    deadRunId = await startRun(ingestWorkflowId('denver-311', DEAD_DAY), DEAD_DAY);
    await temporal.client.workflow.getHandle(ingestWorkflowId('denver-311', DEAD_DAY)).terminate();
    await untilListed(2);
  },
  after: async () => {
    stopWorker.abort();
    // A worker that did not start has already reported its error. The servers must still end.
    await working.catch(() => undefined);
    await s3?.close();
    await rm(folder, { recursive: true, force: true });
  },
});

/** Makes this lake the only one of the namespace. */
async function serve(lake: string): Promise<void> {
  stopWorker.abort();
  await working;
  await freeNamespace(temporal.client);
  stopWorker = new AbortController();
  env = { TEMPORAL_ADDRESS: temporal.address, S3_PATH_STYLE: 'true', LAKE: lake };
  const { settings } = loadConfig({ env, cwd: folder });
  await new Promise<void>((ready, reject) => {
    const { address } = temporal;
    const { signal } = stopWorker;
    working = runWorker({ settings, address, namespace: 'default', signal, ready: () => ready() });
    working.catch(reject);
  });
}

/** Starts a run that never ends, because no worker polls its queue. */
async function startRun(workflowId: string, ingestDate: string): Promise<string> {
  const { firstExecutionRunId } = await temporal.client.workflow.start('ingestDataset', {
    workflowId,
    taskQueue: 'no-worker',
    args: [ingestInput(['2015'], { ingestDate })],
  });
  return firstExecutionRunId;
}

/** Temporal lists a run a moment after its start. */
async function untilListed(count: number): Promise<void> {
  const query = "WorkflowType = 'ingestDataset'";
  while ((await temporal.client.workflow.count(query)).count < count) await delay(20);
}

async function longhaul(
  argv: string[],
  onNote: (text: string) => void = () => undefined,
): Promise<Ran> {
  let stdout = '';
  let stderr = '';
  const context = contextOf({
    loadConfig: () => loadConfig({ env, cwd: folder }),
    out: async (text) => void (stdout += text),
    note: (text) => {
      stderr += `${text}\n`;
      onNote(text);
    },
  });
  return { exitCode: await runCli(argv, context), stdout, stderr };
}

async function sweep(...argv: string[]): Promise<SweepResult> {
  const { exitCode, stdout, stderr } = await longhaul(['sweep', ...argv, '--json']);
  assert.equal(exitCode, 0, stdout + stderr);
  return JSON.parse(stdout) as SweepResult;
}

function outcomes({ items }: SweepResult): string[] {
  return items.map(({ kind, key, outcome }) => `${outcome} ${kind} ${key}`).toSorted();
}

function sourceKey(day: string, file = 'x.csv'): string {
  return `denver-311/ingest_date=${day}/source=2015/${file}`;
}

describe('a sweep of a disk', () => {
  it('removes what dead runs left, keeps what live runs hold, and shows both beforehand', async () => {
    const unknown = randomUUID();
    const dead = [
      `takehome-raw/${sourceKey(DEAD_DAY, 'x.csv.partial')}`,
      `takehome-raw/${sourceKey(DEAD_DAY, 'x.csv.partial.checkpoint.json')}`,
      `takehome-converted/_staging/${deadRunId}/2015/schema.json`,
      `takehome-converted/_staging/${unknown}/2015/schema.json`,
    ];
    const kept = [
      `takehome-raw/${sourceKey(DEAD_DAY)}`,
      `takehome-raw/${sourceKey(DEAD_DAY, 'x.csv.manifest.json')}`,
      `takehome-raw/${sourceKey(LIVE_DAY, 'x.csv.partial')}`,
      `takehome-converted/_staging/${liveRunId}/2015/schema.json`,
      `takehome-converted/denver-311/ingest_date=${DEAD_DAY}/_manifest.json`,
      'takehome-raw/notes.partial',
    ];
    for (const path of [...dead, ...kept]) await putOld(path);
    await putOld(`takehome-raw/${sourceKey(DEAD_DAY, 'young.csv.partial')}`, 0);

    const expected = (outcome: string): string[] => [
      `kept-live partial ${sourceKey(LIVE_DAY, 'x.csv.partial')}`,
      `kept-live staging _staging/${liveRunId}/`,
      `${outcome} checkpoint ${sourceKey(DEAD_DAY, 'x.csv.partial.checkpoint.json')}`,
      `${outcome} partial ${sourceKey(DEAD_DAY, 'x.csv.partial')}`,
      ...[deadRunId, unknown].map((id) => `${outcome} staging _staging/${id}/`),
    ];
    const before = await files();
    const dry = await sweep('--dry-run');
    assert.deepEqual(outcomes(dry), expected('would-remove').toSorted());
    assert.equal(dry.younger, 1);
    assert.deepEqual(await files(), before);

    const text = await longhaul(['sweep', '--dry-run']);
    assert.equal(text.exitCode, 0);
    assert.match(text.stdout, /│ partial +│ +2d 00h │ +4 B │ denver-311\/ingest_date=/);
    assert.match(text.stdout, /Dry run, nothing was removed: 4 items, 16 B would go/);

    const done = await sweep();
    assert.deepEqual(outcomes(done), expected('removed').toSorted());
    assert.equal(done.count, 6);
    assert.deepEqual(
      done.totals.find((total) => total.outcome === 'removed' && total.kind === 'staging'),
      { kind: 'staging', outcome: 'removed', count: 2, bytes: 8 },
    );
    assert.deepEqual(
      await files(),
      before.filter((path) => !dead.includes(path)),
    );
    const again = await sweep();
    assert.ok(again.totals.every((each) => each.outcome !== 'removed'));
  });

  it('with no age at all still keeps the staging of a run that Temporal may not list yet', async () => {
    const unlisted = `_staging/${randomUUID()}/`;
    await putOld(`takehome-converted/${unlisted}2015/schema.json`, 0);
    const result = await sweep('--older-than', '0');
    assert.ok(outcomes(result).includes(`kept-live staging ${unlisted}`));
  });

  it('waits for the end of another sweep of the lake, and then does what was asked for', async () => {
    const dead = `takehome-raw/${sourceKey(DEAD_DAY, 'late.csv.partial')}`;
    await putOld(dead);
    const other = await temporal.client.workflow.start('sweepLake', {
      workflowId: SWEEP_WORKFLOW_ID,
      taskQueue: 'no-worker',
      args: [{ olderThanMs: 0, dryRun: true, heartbeatTimeoutMs: 60_000 }],
    });
    let isWaiting = (): void => undefined;
    const waiting = new Promise<void>((resolve) => {
      isWaiting = resolve;
    });
    const ran = longhaul(['sweep', '--json'], (note) => {
      if (note.includes('Another sweep')) isWaiting();
    });
    await Promise.race([waiting, ran]);
    await other.terminate();
    const { exitCode, stdout } = await ran;
    assert.equal(exitCode, 0);
    assert.equal((JSON.parse(stdout) as SweepResult).dryRun, false);
    assert.ok(!(await files()).includes(dead));
  });

  async function putOld(path: string, hours = 48): Promise<void> {
    const full = join(folder, 'data', path);
    await mkdir(dirname(full), { recursive: true });
    await writeFile(full, 'body');
    const then = new Date(Date.now() - hours * HOUR_MS);
    await utimes(full, then, then);
    // The youngest file or folder in a run's staging decides the staging's age.
    const [staging] = /^.*_staging\/[^/]+/.exec(full) ?? [];
    if (staging !== undefined) await utimes(staging, then, then);
  }

  async function files(): Promise<string[]> {
    const data = join(folder, 'data');
    const entries = await readdir(data, { recursive: true, withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile() && entry.parentPath.includes('takehome'))
      .map((entry) => join(entry.parentPath, entry.name).slice(data.length + 1))
      .toSorted();
  }
});

describe('a sweep of a bucket', () => {
  it('aborts the uploads of dead runs with their checkpoints, and nothing of live ones or of other programs', async () => {
    await serve(`s3://${s3.bucket}`);
    const [raw, converted] = ['takehome-raw/', 'takehome-converted/'];
    const kept = [
      raw + sourceKey(LIVE_DAY),
      `${raw}other/x.csv`,
      `elsewhere/${sourceKey(DEAD_DAY)}`,
      `${converted}_staging/${liveRunId}/2015/part`,
    ];
    const dead = [raw + sourceKey(DEAD_DAY), `${converted}_staging/${deadRunId}/2015/part`];
    for (const key of [...kept, ...dead]) await begin(key);
    const keptObjects = [
      raw + sourceKey(DEAD_DAY, 'done.csv'),
      raw + sourceKey(DEAD_DAY, 'done.csv.manifest.json'),
      raw + sourceKey(LIVE_DAY, 'x.csv.partial.checkpoint.json'),
      `${raw}notes.partial`,
      `${converted}denver-311/ingest_date=${DEAD_DAY}/_manifest.json`,
    ];
    const deadObjects = [
      raw + sourceKey(DEAD_DAY, 'x.csv.partial.checkpoint.json'),
      `${converted}_staging/${deadRunId}/2015/schema.json`,
    ];
    for (const Key of [...keptObjects, ...deadObjects])
      await s3.client.send(new PutObjectCommand({ Bucket: s3.bucket, Key, Body: 'body' }));

    const none = await sweep();
    assert.equal(none.count, 0, 'all of it is younger than a day');
    assert.ok(none.younger >= 6);

    const expected = (outcome: string): string[] => [
      `kept-live checkpoint ${sourceKey(LIVE_DAY, 'x.csv.partial.checkpoint.json')}`,
      `kept-live upload _staging/${liveRunId}/2015/part`,
      `kept-live upload ${sourceKey(LIVE_DAY)}`,
      `${outcome} checkpoint ${sourceKey(DEAD_DAY, 'x.csv.partial.checkpoint.json')}`,
      `${outcome} staging _staging/${deadRunId}/`,
      `${outcome} upload _staging/${deadRunId}/2015/part`,
      `${outcome} upload ${sourceKey(DEAD_DAY)}`,
    ];
    const argv = ['--older-than', '0'];
    assert.deepEqual(outcomes(await sweep(...argv, '--dry-run')), expected('would-remove'));
    assert.deepEqual(await uploads(), [...kept, ...dead].toSorted());
    const done = await sweep(...argv);
    assert.deepEqual(outcomes(done), expected('removed'));
    const upload = done.items.find(
      ({ kind, outcome }) => kind === 'upload' && outcome === 'removed',
    );
    assert.equal(upload?.bytes, 9, 'what the parts hold');
    assert.deepEqual(await uploads(), kept.toSorted());
    assert.deepEqual(await objects(), keptObjects.toSorted());
  });

  async function begin(Key: string): Promise<void> {
    const at = { Bucket: s3.bucket, Key };
    const { UploadId } = await s3.client.send(new CreateMultipartUploadCommand(at));
    await s3.client.send(
      new UploadPartCommand({ ...at, UploadId, PartNumber: 1, Body: 'some part' }),
    );
  }

  async function uploads(): Promise<string[]> {
    const page = await s3.client.send(new ListMultipartUploadsCommand({ Bucket: s3.bucket }));
    return (page.Uploads ?? []).map(({ Key = '' }) => Key).toSorted();
  }

  async function objects(): Promise<string[]> {
    const page = await s3.client.send(new ListObjectsV2Command({ Bucket: s3.bucket }));
    return (page.Contents ?? []).map(({ Key = '' }) => Key).toSorted();
  }
});
