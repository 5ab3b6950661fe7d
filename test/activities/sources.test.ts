import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import type { ActivityDeps } from '../../src/activities/deps.ts';
import { createSnapshotActivities } from '../../src/activities/snapshots.ts';
import { createSourceActivities } from '../../src/activities/sources.ts';
import type {
  IngestResult,
  LandedSource,
  SourceTask,
  TransferHeartbeat,
} from '../../src/model/run.ts';
import { DiskStore } from '../../src/storage/disk-store.ts';
import { startOrigin, type Origin } from '../helpers/origin.ts';
import { withTempFolder } from '../helpers/temp-folder.ts';

const CSV = 'id,text\n1,"a\nb"\n2,c\n';
const FIRST_DAY = '2026-11-23';
const SECOND_DAY = '2026-11-24';

let origin: Origin;
before(async () => {
  origin = await startOrigin({});
});
after(async () => await origin.close());

/** A worker's activities over a lake on disk, for one source of a publisher. */
class Day {
  readonly raw: DiskStore;
  readonly heartbeats: TransferHeartbeat[] = [];
  readonly #activities;

  constructor(folder: string) {
    this.raw = new DiskStore(join(folder, 'raw'));
    const deps = {
      raw: this.raw,
      converted: new DiskStore(join(folder, 'converted')),
      activity: { heartbeatTimeoutMs: 60_000, retryForMs: 0 },
      duckdb: { memoryLimit: '1GiB', threads: 1 },
      http: { connectTimeoutMs: 5000, stallTimeoutMs: 5000 },
      addresses: { allowPrivate: true },
      secretsOf: () => ({}),
    } as unknown as ActivityDeps;
    this.#activities = { ...createSourceActivities(deps), ...createSnapshotActivities(deps) };
  }

  async probe(at: Partial<SourceTask> = {}): Promise<{ result?: LandedSource }> {
    return await this.#run(this.#activities.probeSource, { ...taskOf(at), again: false });
  }

  async land(at: Partial<SourceTask> = {}): Promise<LandedSource> {
    return await this.#run(this.#activities.landSource, { ...taskOf(at), again: false });
  }

  async find(at: Partial<SourceTask> = {}): Promise<LandedSource> {
    return await this.#run(this.#activities.findLanding, taskOf(at));
  }

  /** From the landing to the published day. */
  async publish(
    { rawKey = '' }: LandedSource,
    at: Partial<SourceTask> = {},
  ): Promise<IngestResult> {
    const task = { ...taskOf(at), rawKey };
    await this.#run(this.#activities.inspectSource, task);
    const { stagedPrefix } = await this.#run(this.#activities.convertSource, task);
    await this.#run(this.#activities.verifySource, { ...task, stagedPrefix });
    return await this.publishOnly(at);
  }

  async publishOnly(at: Partial<SourceTask>, unchanged: string[] = []): Promise<IngestResult> {
    const { source, ...task } = taskOf(at);
    const dataset = { name: task.dataset, timeZone: 'UTC', sources: [source] };
    const input = { ...task, dataset, accept: false, missing: [], unchanged };
    return await this.#run(this.#activities.publishSnapshot, input);
  }

  async landings(): Promise<string[]> {
    const keys: string[] = [];
    for await (const { key } of this.raw.list('d/')) keys.push(key);
    return keys.filter((key) => key.endsWith('.csv'));
  }

  async #run<I, O>(activity: (input: I) => Promise<O>, input: I): Promise<O> {
    const logger = new DefaultLogger('ERROR');
    const environment = new MockActivityEnvironment({}, { logger });
    environment.on('heartbeat', (beat: TransferHeartbeat) => this.heartbeats.push(beat));
    return (await environment.run(activity, input)) as O;
  }
}

function taskOf(at: Partial<SourceTask>): SourceTask {
  return {
    ...{ dataset: 'd', ingestDate: FIRST_DAY, revision: 1, engine: 'duckdb' },
    runId: '0b0e1a52-7c3a-4a4e-9f4e-2f1f5a3f0c11',
    source: { id: 'a', address: origin.address('/a.csv'), optional: false, overrides: {} },
    ...at,
  };
}

async function withDay(body: (day: Day) => Promise<void>): Promise<void> {
  await withTempFolder(async (folder) => await body(new Day(folder)));
}

test('a landing reports its bytes in heartbeats, and a later probe of that day finds it', async () => {
  origin.set('/a.csv', { body: CSV, etag: '"1"' });
  await withDay(async (day) => {
    assert.equal((await day.probe()).result, undefined);
    const landed = await day.land();
    assert.deepEqual([landed.status, landed.records], ['landed', 2]);
    const { source, stage, bytes } = day.heartbeats.at(-1) ?? assert.fail('no heartbeat');
    assert.deepEqual([source, stage, bytes], ['a', 'land', CSV.length]);
    assert.deepEqual((await day.probe()).result, landed);
    assert.deepEqual(await day.find(), landed);
  });
});

test('the same version on the next day is unchanged, and is not landed', async () => {
  origin.set('/a.csv', { body: CSV, etag: '"1"' });
  await withDay(async (day) => {
    const published = await day.publish(await day.land());
    assert.deepEqual([published.status, published.ledger.balanced], ['published', true]);
    const next = { ingestDate: SECOND_DAY };
    assert.equal((await day.probe(next)).result?.status, 'unchanged');
    assert.equal((await day.publishOnly(next, ['a'])).status, 'unchanged');
    await assert.rejects(day.find({ ingestDate: '2026-11-25' }), { type: 'NOT_LANDED' });
  });
});

test('the same bytes under a new version are unchanged too, and their second landing is deleted', async () => {
  origin.set('/a.csv', (request) => ({ body: CSV, etag: `"${request}"` }));
  await withDay(async (day) => {
    await day.publish(await day.land());
    const before = await day.landings();
    const next = { ingestDate: SECOND_DAY };
    assert.equal((await day.probe(next)).result, undefined);
    assert.equal((await day.land(next)).status, 'unchanged');
    assert.deepEqual(await day.landings(), before);
  });
});

test('of two runs of a day that read other bytes, the second publishes nothing', async () => {
  origin.set('/a.csv', (request) => ({ body: `${CSV}${request},d\n`, etag: `"${request}"` }));
  await withDay(async (day) => {
    const [one, other] = [await day.land(), await day.land()];
    await day.publish(one);
    const second = { runId: '99999999-7c3a-4a4e-9f4e-2f1f5a3f0c11' };
    assert.equal((await day.publish(one, second)).status, 'already-published');
    await assert.rejects(day.publish(other, second), { type: 'PUBLISHED_MEANWHILE' });
  });
});

test('a day says the address that its bytes came from, also where datasets.yaml has another by now', async () => {
  origin.set('/a.csv', { body: CSV, etag: '"1"' });
  await withDay(async (day) => {
    const { url } = await day.land();
    const moved = { source: { ...taskOf({}).source, address: origin.address('/new/a.csv') } };
    const found = await day.find(moved);
    assert.equal(found.url, url);
    assert.equal((await day.publish(found, moved)).sources[0]?.url, url);
  });
});

test('a file that is not there fails with the code that the workflow decides by', async () => {
  await withDay(async (day) => {
    origin.set('/a.csv', { status: 404 });
    await assert.rejects(day.probe(), { type: 'SOURCE_NOT_FOUND', nonRetryable: true });
  });
});
