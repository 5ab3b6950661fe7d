import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { chmod, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { after, before, describe, it, type TestContext } from 'node:test';
import { convertBatch, type SubmitSpark } from '../../src/conversion/spark/convert-batch.ts';
import type { Watch } from '../../src/conversion/engine.ts';
import type { FailedSource } from '../../src/conversion/spark/job.ts';
import { SPARK_SIZES, stageJob } from '../../src/conversion/spark/inputs.ts';
import type { SparkBatch } from '../../src/conversion/spark/job.ts';
import { csvReadingOf } from '../../src/model/scan.ts';
import {
  sourcePrefix,
  stagedSchemaKey,
  stagedSparkPrefix,
  stagingPrefix,
} from '../../src/model/layout.ts';
import type { BatchInput } from '../../src/model/run.ts';
import type { Column } from '../../src/model/schema.ts';
import { submitSpark } from '../../src/programs/spark-submit.ts';
import { STAGED_PARTS } from '../../src/storage/manifest-shapes.ts';
import { toJson } from '../../src/storage/manifests.ts';
import { S3Store } from '../../src/storage/s3/s3-store.ts';
import { requireStaged, stagedPartsKey } from '../../src/storage/staged.ts';
import type { Store } from '../../src/storage/store.ts';
import {
  expectedRows,
  inspected,
  namesBelow,
  readBack,
  scanOf,
  scratch,
} from '../conversion/samples.ts';
import { sharedS3 } from '../helpers/s3.ts';
import { LOCAL_SPARK } from '../helpers/local-spark.ts';
import { SHORT_LIVED, startSparkSession, type SparkSession } from '../helpers/spark-session.ts';
import { withTempFolder } from '../helpers/temp-folder.ts';

process.env['JAVA_TOOL_OPTIONS'] = SHORT_LIVED;

/** A run's staged input. */
interface Run {
  store: Store;
  input: BatchInput;
  sources: Record<string, Staged>;
}

interface Staged {
  content: Buffer;
  columns: Column[];
}

interface Cut {
  /** Default: a store on a disk. */
  store?: Store;
  shardBytes?: number;
  /** Replaces the columns that the inspection finds. */
  columns?: Record<string, Column[]>;
}

/** @param contents content of each source by its id. */
async function staged(
  t: TestContext,
  contents: Record<string, string>,
  { shardBytes = SPARK_SIZES.shardBytes, columns, store: given }: Cut = {},
): Promise<Run> {
  const store = given ?? (await scratch(t));
  const lake = { raw: store, converted: store };
  const runId = randomUUID();
  const run: Run = {
    store,
    input: { dataset: 'd', ingestDate: '2026-01-01', revision: 1, runId, sources: [] },
    sources: {},
  };
  for (const [id, text] of Object.entries(contents)) {
    const content = Buffer.from(text);
    const rawKey = `${id}.csv`;
    await store.put(rawKey, content);
    const scan = scanOf(content, { delimiter: ',' }, 'utf-8', 50);
    const location = store.location(rawKey);
    const facts = { location, bytes: content.length, scan, encoding: 'utf-8' as const };
    const found = await inspected({ ...facts, store, content });
    const schema = { ...found, columns: columns?.[id] ?? found.columns };
    const csv = csvReadingOf(scan, 'utf-8', {});
    await store.put(stagedSchemaKey(runId, id), toJson({ encoding: 'utf-8', schema, csv }));
    const file = { ...facts, lake, rawKey, schema };
    const { signal } = new AbortController();
    const sizes = { ...SPARK_SIZES, shardBytes };
    const watch = { signal, onProgress: () => undefined };
    const { inputs } = await stageJob(file, stagedSparkPrefix(runId, id), sizes, watch);
    const bytes = inputs.reduce((sum, each) => sum + each.bytes, 0);
    run.input.sources.push({ id, rawKey, bytes });
    run.sources[id] = { content, columns: schema.columns };
  }
  return run;
}

async function converting(
  { store, input }: Run,
  submit: SubmitSpark,
  onProgress: (done: Parameters<Watch['onProgress']>[0]) => void = () => undefined,
): Promise<FailedSource[]> {
  const deps = { raw: store, converted: store, spark: LOCAL_SPARK };
  const { signal } = new AbortController();
  return await convertBatch(deps, input, { signal, onProgress, onNote: () => undefined }, submit);
}

/** Names of a source's parts. Checks that their rows are those that csv-parse reads. */
async function partsOf({ store, input, sources }: Run, id: string): Promise<string[]> {
  const key = stagedPartsKey(stagedSparkPrefix(input.runId, id));
  const { parts, schema } = await requireStaged(store, key, STAGED_PARTS);
  const { content } = sources[id] ?? assert.fail();
  const scan = scanOf(content, { delimiter: ',' }, 'utf-8', 50);
  const sample = { store, content, location: store.location(''), bytes: content.length, scan };
  const prefix = sourcePrefix({ ...input, source: id });
  const names = parts.map((part) => part.slice(prefix.length));
  const { rows } = await readBack({ parts: names, schema, store, prefix });
  assert.deepEqual(rows, expectedRows({ ...sample, encoding: 'utf-8' }, schema));
  return parts;
}

async function modeOf(path: string): Promise<number> {
  return (await stat(path)).mode & 0o777;
}

function numbered(records: number, words = 'two\nlines'): string {
  return `n,t\n${Array.from({ length: records }, (_, n) => `${n},"${words} ${n}"\n`).join('')}`;
}

const NUMBERS: Column[] = ['n', 't'].map((name) => ({
  name,
  publisherName: name,
  type: 'BIGINT',
}));

/** Checks that nothing of the job itself is left, and no staged copy of a source that has its parts. */
async function assertTidy({ store, input }: Run, done: readonly string[]): Promise<void> {
  const left = await namesBelow(store, stagingPrefix(input.runId));
  assert.deepEqual(
    left.filter((name) => name.startsWith('_spark/attempt')),
    [],
  );
  const copies = left.filter((name) => name.includes('/shards/'));
  assert.ok(!copies.some((name) => done.some((id) => name.startsWith(`${id}/`))), copies.join());
}

describe('a job of several sources', () => {
  let session: SparkSession;
  before(async () => {
    session = await startSparkSession();
  });
  after(async () => await session?.close());
  const submit: SubmitSpark = async (command) => await session.submit(command);

  it('converts them all but the one that fails, and says how far it is', async (t) => {
    const contents = { a: numbered(300), b: numbered(20), c: numbered(500, 'x'), empty: 'n,t\n' };
    const run = await staged(t, contents, { shardBytes: 2000, columns: { b: NUMBERS } });
    const told: Parameters<Watch['onProgress']>[0][] = [];
    const failed = await converting(run, submit, (done) => void told.push(done));
    assert.deepEqual(
      failed.map(({ id, error }) => [id, error.code]),
      [['b', 'ENGINE_FAILED']],
    );
    for (const id of ['a', 'c', 'empty']) assert.equal((await partsOf(run, id)).length, 1);
    await assertTidy(run, ['a', 'c', 'empty']);
    const total = run.input.sources.reduce((sum, { bytes }) => sum + bytes, 0);
    assert.ok(told.every(({ bytes, totalBytes }) => totalBytes === total && bytes <= total));
    assert.ok((told.at(-1)?.bytes ?? 0) > 0);
  });

  it('that is repeated leaves what has its parts, and converts the others', async (t) => {
    const run = await staged(t, { a: numbered(30), b: numbered(20) });
    const [a, b] = run.input.sources;
    assert.ok(a && b);
    const first = { ...run, input: { ...run.input, sources: [a] } };
    assert.deepEqual(await converting(first, submit), []);
    const parts = await partsOf(run, 'a');
    const asked: string[] = [];
    const watching: SubmitSpark = async (command) => {
      asked.push(await readFile(join(command.scratchFolder, 'batch.json'), 'utf8'));
      return await submit(command);
    };
    assert.deepEqual(await converting(run, watching), []);
    assert.deepEqual(await partsOf(run, 'a'), parts);
    await partsOf(run, 'b');
    const { sources } = JSON.parse(asked[0] ?? '') as { sources: { id: string }[] };
    assert.deepEqual(
      sources.map(({ id }) => id),
      ['b'],
    );
    const none: SubmitSpark = async () => assert.fail('there is nothing to do');
    assert.deepEqual(await converting(run, none), []);
  });

  it('keeps for its owner what is made of a file that only its owner reads', async (t) => {
    const run = await staged(t, { a: numbered(30), b: numbered(20) });
    await chmod(run.store.uri('a.csv'), 0o600);
    const attempts: number[] = [];
    const watching: SubmitSpark = async (command) => {
      const below = `${stagingPrefix(run.input.runId)}_spark/`;
      for (const name of await run.store.folders(below)) {
        if (name.startsWith('attempt=')) attempts.push(await modeOf(run.store.uri(below + name)));
      }
      return await submit(command);
    };
    assert.deepEqual(await converting(run, watching), []);
    assert.deepEqual(attempts, [0o700]);
    const [key = ''] = await partsOf(run, 'a');
    assert.equal(await modeOf(run.store.uri(key)), 0o600);
    assert.equal(await modeOf(dirname(run.store.uri(key))), 0o700);
  });

  it('goes on one input at a time where a Spark does not say which task reads what', async (t) => {
    await withTempFolder(async (folder) => {
      const script = join(folder, 'convert.py');
      const run = await staged(t, { a: numbered(300) }, { shardBytes: 2000 });
      const other: SubmitSpark = async (command) => {
        const text = await readFile(command.script, 'utf8');
        await writeFile(script, text.replace('.toRdd()', '.toSomethingElse()'));
        return await submit({ ...command, script });
      };
      assert.deepEqual(await converting(run, other), []);
      await partsOf(run, 'a');
    });
  });
});

describe('a session that dies', () => {
  it('of one source of several fails only that one, with the cause', async (t) => {
    const huge = `a,b\n1,"${'many words, and more. '.repeat(5_500_000)}"\n`;
    const run = await staged(t, { a: numbered(3000), huge, z: numbered(2000) });
    let sessions = 0;
    const counted: SubmitSpark = async (command) => {
      sessions += 1;
      return await submitSpark({ ...command, driverMemory: '512m' });
    };
    const failed = await converting(run, counted);
    assert.deepEqual(
      failed.map(({ id, error }) => [id, error.code]),
      [['huge', 'ENGINE_OUT_OF_MEMORY']],
    );
    assert.match(failed[0]?.error.details.hint ?? '', /SPARK_DRIVER_MEMORY/);
    for (const id of ['a', 'z']) await partsOf(run, id);
    assert.ok(sessions <= 3, `${sessions} sessions`);
    await assertTidy(run, ['a', 'z']);
  });

  it('before it has begun anything is the failure of all, at once', async (t) => {
    const run = await staged(t, { a: numbered(3), b: numbered(3) });
    let sessions = 0;
    const dead: SubmitSpark = async () => {
      sessions += 1;
      return await Promise.resolve({ code: 1, signal: null, stderr: 'no such option\n' });
    };
    const failed = await converting(run, dead);
    assert.deepEqual(
      failed.map(({ id, error }) => [id, error.code]),
      [
        ['a', 'ENGINE_FAILED'],
        ['b', 'ENGINE_FAILED'],
      ],
    );
    assert.equal(sessions, 1);
  });
});

describe('a session whose credentials expire', () => {
  const shared = sharedS3();

  const EXPIRED = {
    kind: 'software.amazon.awssdk.services.s3.model.S3Exception',
    message: 'The provided token has expired. (Service: S3, Status Code: 400, Request ID: x)',
  };

  /** Spark with expired credentials: the first `mostDone` sessions convert one source each. S3 refuses the rest. */
  function refusedSpark(mostDone: number): { submit: SubmitSpark; sessions: string[][] } {
    const sessions: string[][] = [];
    const submit: SubmitSpark = async ({ scratchFolder }) => {
      const path = join(scratchFolder, 'batch.json');
      const { sources } = JSON.parse(await readFile(path, 'utf8')) as SparkBatch;
      sessions.push(sources.map(({ id }) => id));
      const done = sessions.length <= mostDone ? 1 : 0;
      for (const [index, { output, partPrefix, result }] of sources.entries()) {
        const name = `${partPrefix}00000.parquet`;
        const folder = fileURLToPath(output);
        await mkdir(folder, { recursive: true });
        if (index < done) await writeFile(join(folder, name), 'PAR1');
        const outcome = index < done ? { parts: [{ name }] } : { error: EXPIRED };
        await writeFile(fileURLToPath(result), JSON.stringify(outcome));
      }
      return { code: 1, signal: null, stderr: '' };
    };
    return { submit, sessions };
  }

  async function inBucket(t: TestContext): Promise<Run> {
    const store = new S3Store(shared.s3.settings, `zone-${randomUUID()}/`);
    return await staged(t, { a: numbered(3), b: numbered(3), c: numbered(3) }, { store });
  }

  it('is followed by one with new ones, as long as that gets further', async (t) => {
    const run = await inBucket(t);
    const { submit, sessions } = refusedSpark(3);
    assert.deepEqual(await converting(run, submit), []);
    assert.deepEqual(sessions, [['a', 'b', 'c'], ['b', 'c'], ['c']]);
  });

  it('fails those that new ones do not help', async (t) => {
    const run = await inBucket(t);
    const { submit, sessions } = refusedSpark(1);
    const failed = await converting(run, submit);
    assert.deepEqual(
      failed.map(({ id, error }) => [id, error.code]),
      [
        ['b', 'STORE_CREDENTIALS'],
        ['c', 'STORE_CREDENTIALS'],
      ],
    );
    assert.equal(sessions.length, 2);
  });
});
