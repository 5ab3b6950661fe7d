import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { after, before, describe, it, type TestContext } from 'node:test';
import { createSparkEngine } from '../../src/conversion/spark/engine.ts';
import { sparkSessions } from '../../src/conversion/spark/sessions.ts';
import { S3Store } from '../../src/storage/s3/s3-store.ts';
import type { Store } from '../../src/storage/store.ts';
import {
  converted,
  expectedRows,
  inspected,
  landed,
  readBack,
  scratch,
} from '../conversion/samples.ts';
import { withLab } from '../helpers/lab.ts';
import { LOCAL_SPARK } from '../helpers/local-spark.ts';
import { processesWith, until } from '../helpers/processes.ts';
import { startS3, type TestS3 } from '../helpers/s3.ts';
import { SHORT_LIVED } from '../helpers/spark-session.ts';
import { withTmpdir } from '../helpers/temp-folder.ts';

/** Longer than any of these tests. */
const IDLE_MS = 600_000;

let s3: TestS3;
before(async () => {
  s3 = await startS3();
  Object.assign(process.env, s3.env, { JAVA_TOOL_OPTIONS: SHORT_LIVED });
});
after(async () => await s3.close());

interface Sparks {
  /** Converts a file, and compares its rows with those expected. */
  convert: (store?: Store) => Promise<void>;
  /** Has Spark make a number of a word. */
  fail: () => Promise<void>;
  /** Their own folders, which each process of theirs has in its command line. */
  running: () => Promise<string[]>;
  /** What is left in TMPDIR. */
  folders: () => Promise<string[]>;
}

async function withSparks(
  t: TestContext,
  idleMs: number,
  body: (sparks: Sparks) => Promise<void>,
): Promise<void> {
  const disk = await scratch(t);
  await withTmpdir(async (temporary) => {
    const { run, close } = sparkSessions({ ...LOCAL_SPARK, master: 'local[2]', idleMs });
    const engine = createSparkEngine(run);
    let files = 0;
    const convert = async (store: Store = disk): Promise<void> => {
      files += 1;
      const file = await landed(store, `n,t\n${files},"a\n${files}"\n2,b\n`, { spacing: 10 });
      const result = await converted(engine, file);
      assert.deepEqual((await readBack(result)).rows, expectedRows(file, result.schema));
      await store.deletePrefix('out/');
    };
    const fail = async (): Promise<void> => {
      const file = await landed(disk, 'n,t\none,b\n', { spacing: 10 });
      const found = await inspected(file);
      const columns = found.columns.map((each) => ({ ...each, type: 'BIGINT' as const }));
      await assert.rejects(converted(engine, file, { schema: { ...found, columns } }), {
        code: 'ENGINE_FAILED',
      });
    };
    const running = async (): Promise<string[]> => {
      const own = /longhaul-scratch-[\w.-]+/g;
      const lines = await processesWith(temporary);
      return [...new Set(lines.flatMap((line) => line.match(own) ?? []))];
    };
    const folders = async (): Promise<string[]> =>
      (await readdir(temporary)).filter((name) => name.startsWith('longhaul-'));
    try {
      await body({ convert, fail, running, folders });
    } finally {
      await close();
    }
    assert.deepEqual([await running(), await folders()], [[], []]);
  });
}

/** As the system does when memory is short: none of them can help it. */
async function killAll(folder: string): Promise<void> {
  await promisify(execFile)('pkill', ['-KILL', '-f', folder]);
}

describe('a Spark that has done a conversion', () => {
  it('does the next one too, and goes with its worker', async (t) => {
    await withSparks(t, IDLE_MS, async ({ convert, running }) => {
      await convert();
      const first = await running();
      assert.equal(first.length, 1);
      await convert();
      assert.deepEqual(await running(), first);
    });
  });

  it('ends, with its folder, when nothing has come for a while', async (t) => {
    await withSparks(t, 1, async ({ convert, running, folders }) => {
      await convert();
      await until('no Spark', async () => (await running()).length === 0);
      await until('no folder', async () => (await folders()).length === 0);
    });
  });

  it('ends at once where none is to wait', async (t) => {
    await withSparks(t, 0, async ({ convert, running, folders }) => {
      await convert();
      assert.deepEqual([await running(), await folders()], [[], []]);
    });
  });

  it('is replaced where a conversion failed in it, or an operator killed it', async (t) => {
    await withSparks(t, IDLE_MS, async ({ convert, fail, running }) => {
      await convert();
      await fail();
      assert.deepEqual(await running(), []);
      await convert();
      const [killed] = await running();
      assert.ok(killed !== undefined);
      await killAll(killed);
      await convert();
      assert.notDeepEqual(await running(), [killed]);
    });
  });

  it('makes room for one that reaches something else', async (t) => {
    const bucket = new S3Store(s3.settings, 'zone/');
    await withSparks(t, IDLE_MS, async ({ convert, running }) => {
      await convert();
      const ofDisk = await running();
      await convert(bucket);
      const ofBucket = await running();
      assert.equal(ofBucket.length, 1);
      assert.notDeepEqual(ofBucket, ofDisk);
      await convert(bucket);
      assert.deepEqual(await running(), ofBucket);
    });
  });
});

it('one Spark converts all sources of a run, and `longhaul down` ends it', async () => {
  const body = 'n,t\n1,"a\nb"\n';
  const routes = { '/a.csv': { body }, '/b.csv': { body } };
  const env = { SPARK_MASTER: 'local[2]', CONVERT_SLOTS: '1', JAVA_TOOL_OPTIONS: SHORT_LIVED };
  await withLab({ routes, env }, async (lab) => {
    const [a, b] = [lab.origin.address('/a.csv'), lab.origin.address('/b.csv')];
    await lab.datasets({ things: { a, b }, others: { a } });
    const jvms = async (): Promise<string[]> =>
      (await processesWith(join(lab.folder, 'tmp'))).filter((line) => /SparkSubmit/.test(line));
    for (const dataset of ['things', 'others']) {
      const { code, stderr } = await lab.run(['ingest', dataset, '--engine', 'spark', '--json']);
      assert.equal(code, 0, stderr);
    }
    assert.equal((await jvms()).length, 1);
    await lab.run(['down']);
    assert.deepEqual(await jvms(), []);
  });
});
