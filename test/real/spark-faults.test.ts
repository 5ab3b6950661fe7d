import assert from 'node:assert/strict';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { converted, landed, scratch } from '../conversion/samples.ts';
import { alteredSpark } from '../helpers/altered-spark.ts';
import { withLab, type Lab, type Running } from '../helpers/lab.ts';
import { LOCAL_SPARK } from '../helpers/local-spark.ts';
import type { Answer } from '../helpers/origin.ts';
import { sparkEngine } from '../helpers/spark-engine.ts';
import { SHORT_LIVED } from '../helpers/spark-session.ts';
import { processesWith, until } from '../helpers/processes.ts';
import { withSmallDisk } from '../helpers/small-disk.ts';
import { withTmpdir } from '../helpers/temp-folder.ts';

/** 24 MB, so that a conversion takes long enough for the test to hit it. The records have quoted line breaks. */
const RECORDS = 300_000;
const BODY = Buffer.from(
  `id,text,when,amount\r\n${Array.from(
    { length: RECORDS },
    (_, n) =>
      `${n},"line one of ${n}\nline two, and some more text to make it long",${(n % 12) + 1}/${(n % 28) + 1}/2023,${n}.5`,
  ).join('\r\n')}\r\n`,
);
const routes: Record<string, Answer> = { '/a.csv': { body: BODY, etag: '"1"' } };
const env = {
  SPARK_MASTER: 'local[2]',
  SPARK_DRIVER_MEMORY: '1g',
  HEARTBEAT_TIMEOUT_SECONDS: '2',
  JAVA_TOOL_OPTIONS: SHORT_LIVED,
};
const INGEST = ['ingest', 'things', '--engine', 'spark', '--json'];

interface Failure {
  error: { code: string; message: string; hint: string };
}

async function oneSource(lab: Lab): Promise<void> {
  await lab.datasets({ things: { a: lab.origin.address('/a.csv') } });
}

/** Waits until Spark's tasks write. */
async function untilWriting(lab: Lab, running: Running): Promise<void> {
  let ended = false;
  void running.ended.then(() => {
    ended = true;
  });
  await until('Spark writes', async () => {
    assert.ok(!ended, 'the run ended before');
    return (await lab.lakeFiles()).some((file) => /_staging\/.*\/staging\//.test(file));
  });
}

/** Each process of Spark names Spark's folder in its command line. This folder is in the lab's TMPDIR. */
async function untilNoSpark(lab: Lab): Promise<void> {
  await until('no process of Spark', async () => {
    const found = await processesWith(lab.folder);
    return !found.some((line) => /spark|convert\.py/i.test(line));
  });
}

async function convertedFiles(lab: Lab): Promise<string[]> {
  return (await lab.lakeFiles()).filter((file) => file.includes('converted'));
}

describe('a conversion by Spark', () => {
  it('that is cancelled leaves no JVM and no file', async () => {
    await withLab({ routes, env, up: false }, async (lab) => {
      const a = lab.origin.address('/a.csv');
      await lab.datasets({ things: { a, b: a } });
      const running = lab.start(INGEST);
      await untilWriting(lab, running);
      running.process.kill('SIGINT');
      const { code, stdout, stderr } = await running.ended;
      assert.equal(code, 130, stdout + stderr);
      assert.equal((JSON.parse(stdout) as Failure).error.code, 'CANCELLED');
      await untilNoSpark(lab);
      assert.deepEqual(await convertedFiles(lab), []);
    });
  });

  it('whose worker is killed goes with it, and the next worker does what has no Parquet yet', async () => {
    const small = { body: 'id,text\n1,"a\nb"\n' };
    const all = { ...routes, '/first.csv': small, '/small.csv': small };
    const retrying = { ...env, SOURCE_RETRY_MINUTES: '15', SOURCE_CONCURRENCY: '1' };
    await withLab({ routes: all, env: retrying, up: false }, async (lab) => {
      const address = (id: string): string => lab.origin.address(`/${id}.csv`);
      // The second job has two sources. The worker lands them while Spark starts for the first job.
      const sources = { first: address('first'), small: address('small'), a: address('a') };
      await lab.datasets({ things: sources });
      const running = lab.start(INGEST);
      await until('Spark has done one of two', async () => {
        const files = await lab.lakeFiles();
        const isDone = files.some((file) => file.endsWith('small/spark/parts.json'));
        return isDone && files.some((file) => /_spark\/.*\/a\/staging\//.test(file));
      });
      const host = await readFile(join(lab.stateDir, 'host.json'), 'utf8');
      process.kill((JSON.parse(host) as { pid: number }).pid, 'SIGKILL');
      const { code, stdout, stderr } = await running.ended;
      assert.equal(code, 0, stdout + stderr);
      const { ledger } = JSON.parse(stdout) as { ledger: object };
      const records = RECORDS + 2;
      assert.deepEqual(ledger, { records, rows: records, rejected: 0, balanced: true });
      await untilNoSpark(lab);
      assert.equal((await lab.published()).length, 1);
      const files = await lab.lakeFiles();
      assert.deepEqual(
        files.filter((file) => file.includes('_staging')),
        [],
      );
      const parts = files.flatMap((file) => /part-\w+-(\w+)-\d+\.parquet$/.exec(file)?.[1] ?? []);
      assert.equal(parts.length, 3);
      assert.equal(new Set(parts).size, 3, 'each by another attempt: none was done again');
    });
  });

  it('that fills the disk says so and leaves nothing, and a retry goes on', async (t) => {
    await withLab({ routes, env, up: false }, async (lab) => {
      await oneSource(lab);
      // The disk has room for the reserve of 64 MiB and a quarter of a MiB more.
      const disk = { folder: join(lab.lakeDir, 'takehome-converted'), size: `${65_536 + 256}k` };
      await withSmallDisk(t, disk, async ({ grow }) => {
        try {
          const full = await lab.json<Failure>(INGEST.slice(0, -1));
          assert.equal(full.json.error?.code, 'DISK_FULL', full.json.error?.message);
          assert.deepEqual(await convertedFiles(lab), []);
          grow('200m');
          const { code, json } = await lab.json<{ ledger: { rows: number } }>(INGEST.slice(0, -1));
          assert.deepEqual([code, json.ledger.rows], [0, RECORDS]);
        } finally {
          await lab.run(['down']);
        }
      });
    });
  });

  it('whose job blames something else where memory ran out is one of memory', async (t) => {
    await withTmpdir(async (folder) => {
      const error = { kind: 'org.apache.spark.SparkException', message: 'Spark was shut down' };
      const result = JSON.stringify({ format: 'longhaul/spark-result/1', error });
      const home = await alteredSpark(
        join(folder, 'spark'),
        () => `printf '%s' '${result}' > a.json && mv a.json results/a.json
echo 'java.lang.OutOfMemoryError: Java heap space' >&2
exit 1
`,
      );
      const engine = sparkEngine({ settings: { ...LOCAL_SPARK, home } });
      const file = await landed(await scratch(t), 'a,b\n1,2\n');
      await assert.rejects(converted(engine, file), { code: 'ENGINE_OUT_OF_MEMORY' });
    });
  });

  it('that cannot run says what is missing, and publishes nothing', async () => {
    await withLab({ routes: { '/a.csv': { body: 'a,b\n1,2\n' } }, up: false }, async (lab) => {
      await oneSource(lab);
      const old = join(lab.folder, 'java-8');
      await mkdir(join(old, 'bin'), { recursive: true });
      const java = join(old, 'bin', 'java');
      await writeFile(java, '#!/bin/sh\necho \'openjdk version "1.8.0_402"\' >&2\n');
      await chmod(java, 0o755);
      const { json, stderr } = await lab.json<Failure>(INGEST.slice(0, -1), {
        env: { JAVA_HOME: old },
      });
      assert.equal(json.error?.code, 'PROGRAM_NOT_INSTALLED', stderr);
      assert.match(json.error.message, /needs Java 17 or 21: .* is Java 1\.8\.0_402/);
      assert.deepEqual(await convertedFiles(lab), []);
    });
  });

  it('that needs more memory than it has says so, and which setting helps', async () => {
    const record = `"${'many words, and more. '.repeat(2_200_000)}"`;
    const long: Answer = {
      body: `a,b\n${Array.from({ length: 4 }, () => `1,${record}`).join('\n')}\n`,
    };
    const small = { ...env, SPARK_DRIVER_MEMORY: '512m' };
    await withLab({ routes: { '/a.csv': long }, env: small, up: false }, async (lab) => {
      await oneSource(lab);
      const { json, code, stderr } = await lab.json<Failure>(INGEST.slice(0, -1));
      assert.deepEqual(
        [json.error?.code, code],
        ['ENGINE_OUT_OF_MEMORY', 7],
        stderr + JSON.stringify(json.error),
      );
      assert.match(json.error.hint, /SPARK_DRIVER_MEMORY/);
      assert.deepEqual(await convertedFiles(lab), []);
      await untilNoSpark(lab);
    });
  });
});

describe('a query by Spark', () => {
  it('that is interrupted leaves no JVM', async () => {
    await withLab({ env }, async (lab) => {
      const temporary = join(lab.folder, 'tmp');
      const sql =
        'SELECT count(*) FROM range(1000000000000) a JOIN range(1000000) b ON a.id % 7 = b.id';
      const running = lab.start(['query', '--engine', 'spark', sql]);
      await until('Spark runs', async () => (await processesWith(temporary)).length > 0);
      running.process.kill('SIGINT');
      const { code, stdout, stderr } = await running.ended;
      assert.equal(code, 130, stdout + stderr);
      await until('no process', async () => (await processesWith(temporary)).length === 0);
    });
  });
});
