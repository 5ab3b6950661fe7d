import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { MockActivityEnvironment } from '@temporalio/testing';
import type { ActivityDeps } from '../../src/activities/deps.ts';
import { createSnapshotActivities } from '../../src/activities/days.ts';
import { createSourceActivities } from '../../src/activities/sources.ts';
import type { ConvertResult } from '../../src/conversion/convert-source.ts';
import type { SourceResult, SourceTask } from '../../src/model/run.ts';
import { DiskStore } from '../../src/storage/disk-store.ts';
import { SOURCE_ENTRY } from '../../src/storage/manifest-shapes.ts';
import { readManifest } from '../../src/storage/manifests.ts';
import { finishedEntry } from '../../src/storage/source-results.ts';
import type { LandedTask } from '../../src/storage/staged.ts';
import { entryWith, landingJson, snapshotJson } from '../helpers/manifests.ts';
import { readFooter } from '../../src/verification/footers.ts';
import { scanOf } from '../conversion/samples.ts';
import { withTempFolder } from '../helpers/temp-folder.ts';

const DAY = 'd/ingest_date=2026-11-23/';
const FOLDER = `${DAY}source=a/`;
const RAW_KEY = `${FOLDER}a.csv`;
const CSV = Buffer.from('id,text\n1,"a\nb"\n2,c\n3,d\n');
const TASK: SourceTask = {
  ...{ dataset: 'd', ingestDate: '2026-11-23', revision: 1, engine: 'duckdb' },
  runId: '0b0e1a52-7c3a-4a4e-9f4e-2f1f5a3f0c11',
  source: { id: 'a', address: 'http://h/a.csv', optional: false, overrides: {} },
};

/** A worker's activities over a lake in which one source is landed and inspected. */
class Worker {
  readonly converted: DiskStore;
  readonly #raw: DiskStore;
  readonly #deps: ActivityDeps;

  constructor(folder: string) {
    this.#raw = new DiskStore(join(folder, 'raw'));
    this.converted = new DiskStore(join(folder, 'converted'));
    const activity = { heartbeatTimeoutMs: 60_000, retryForMs: 0 };
    const duckdb = { memoryLimit: '1GiB', threads: 1 };
    const stores = { raw: this.#raw, converted: this.converted };
    this.#deps = { ...stores, activity, duckdb } as unknown as ActivityDeps;
  }

  async land(records = 3): Promise<void> {
    const scan = { ...scanOf(CSV, { delimiter: ',' }, 'utf-8'), records };
    await this.#raw.put(RAW_KEY, CSV);
    await this.#raw.put(
      `${RAW_KEY}.manifest.json`,
      landingJson({ bytes: CSV.length, rawKey: RAW_KEY, scan }),
    );
  }

  async prepare(): Promise<void> {
    await this.land();
    const { inspectSource } = createSourceActivities(this.#deps);
    await new MockActivityEnvironment().run(inspectSource, this.#input);
  }

  async convert(): Promise<ConvertResult> {
    const { convertSource } = createSourceActivities(this.#deps);
    return (await new MockActivityEnvironment().run(convertSource, this.#input)) as ConvertResult;
  }

  async verify({ stagedPrefix }: ConvertResult): Promise<SourceResult> {
    const { verifySource } = createSourceActivities(this.#deps);
    const input = { ...this.#input, stagedPrefix };
    return (await new MockActivityEnvironment().run(verifySource, input)) as SourceResult;
  }

  async cleanUp(): Promise<unknown> {
    const { cleanUp } = createSnapshotActivities(this.#deps);
    const dataset = { name: 'd', timeZone: 'UTC', sources: [TASK.source] };
    const input = { ...TASK, dataset, discardPartials: true };
    return await new MockActivityEnvironment().run(cleanUp, input);
  }

  async files(): Promise<string[]> {
    const found: string[] = [];
    for await (const { key } of this.converted.list(DAY)) found.push(key.slice(DAY.length));
    return found.toSorted();
  }

  get #input(): LandedTask {
    return { ...TASK, rawKey: RAW_KEY };
  }
}

async function withWorker(body: (worker: Worker) => Promise<void>): Promise<void> {
  await withTempFolder(async (folder) => {
    const worker = new Worker(folder);
    await worker.prepare();
    await body(worker);
  });
}

function partsOf({ parquet }: SourceResult): string[] {
  return parquet.map(({ path }) => path.slice(path.indexOf('source=a/')));
}

test('two attempts never write the same key, and what is verified is alone in its folder', async () => {
  await withWorker(async (worker) => {
    await worker.convert();
    const whole = await worker.files();
    const second = await worker.convert();
    // The third attempt was killed in the middle of a part.
    await worker.converted.put(`${FOLDER}.part-5a3f0c11-89abcdef-00000.parquet.partial`, 'PAR1');
    assert.equal((await worker.files()).length, 3);
    const parts = partsOf(await worker.verify(second));
    assert.deepEqual(await worker.files(), ['source=a/_source.json', ...parts].toSorted());
    assert.notDeepEqual(parts, whole);
    assert.equal((await readFooter(worker.converted, DAY + (parts[0] ?? ''))).rows, 3);
  });
});

test('a part that a published manifest names stays, whichever attempt converts into its folder', async () => {
  await withWorker(async (worker) => {
    await worker.convert();
    const [published = ''] = await worker.files();
    const sources = [entryWith(DAY + published)];
    const manifest = snapshotJson({ ingestDate: '2026-11-24', sources });
    await worker.converted.put('d/ingest_date=2026-11-24/_manifest.json', manifest);
    await worker.verify(await worker.convert());
    await worker.cleanUp();
    assert.ok((await worker.files()).includes(published));
  });
});

test('an attempt whose rows do not balance deletes its own parts, and no others', async () => {
  await withWorker(async (worker) => {
    await worker.convert();
    const others = await worker.files();
    const wrong = await worker.convert();
    await worker.land(4);
    await assert.rejects(worker.verify(wrong), { type: 'LEDGER_UNBALANCED' });
    assert.deepEqual(await worker.files(), others);
    await assert.rejects(worker.convert(), { type: 'ENGINE_FAILED' });
    assert.deepEqual(await worker.files(), others);
  });
});

test("a run's end leaves what is verified, and nothing of its own dead attempts", async () => {
  await withWorker(async (worker) => {
    const verified = partsOf(await worker.verify(await worker.convert()));
    const kept = await worker.files();
    await worker.convert();
    await worker.converted.put(`${DAY}source=b/.part-5a3f0c11-89abcdef-00000.parquet.partial`, '');
    assert.ok((await worker.files()).length > kept.length);
    await worker.cleanUp();
    assert.deepEqual(await worker.files(), kept);
    assert.equal((await finishedEntry(worker.converted, TASK))?.parquet.length, verified.length);
  });
});

test("another run's parts stay until the day is published, and no longer", async () => {
  await withWorker(async (worker) => {
    const foreign = [
      'source=a/.part-01234567-00000001-00000.parquet.partial',
      'source=a/part-01234567-00000000-00000.parquet',
    ];
    for (const name of foreign) await worker.converted.put(DAY + name, 'PAR1');
    const parts = partsOf(await worker.verify(await worker.convert()));
    await worker.cleanUp();
    assert.deepEqual(
      await worker.files(),
      [...foreign, 'source=a/_source.json', ...parts].toSorted(),
    );
    // The other run published first, so the files that this run verified no longer count.
    const sources = [entryWith(`${DAY}${foreign[1]}`)];
    const manifest = snapshotJson({ ingestDate: '2026-11-23', runId: 'other', sources });
    await worker.converted.put(`${DAY}_manifest.json`, manifest);
    assert.deepEqual(await worker.cleanUp(), { publishedBy: 'other' });
    assert.deepEqual(
      await worker.files(),
      ['_manifest.json', 'source=a/_source.json', foreign[1] ?? ''].toSorted(),
    );
  });
});

test('what was verified counts as finished only while its parts are there', async () => {
  await withWorker(async (worker) => {
    await worker.verify(await worker.convert());
    const entry = await readManifest(worker.converted, `${FOLDER}_source.json`, SOURCE_ENTRY);
    assert.deepEqual(await finishedEntry(worker.converted, TASK), entry);
    await worker.converted.delete(entry?.parquet[0]?.key ?? '');
    assert.equal(await finishedEntry(worker.converted, TASK), undefined);
  });
});
