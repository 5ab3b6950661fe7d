import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { SubmitSpark } from '../../src/conversion/spark/convert-batch.ts';
import { locateJava } from '../../src/programs/java.ts';
import { locateSpark } from '../../src/programs/spark.ts';

/** Options for a JVM that does little work. It compiles quickly, but not well, and starts in half the time. */
export const SHORT_LIVED = '-XX:TieredStopAtLevel=1 -XX:+UseSerialGC';

export interface SparkSession {
  /** Runs jobs one after another in the same JVM. It cannot cancel them, because only spark-submit can. */
  submit: SubmitSpark;
  /** Runs a script with a job that names the place of its result. */
  do: (script: string, job: string) => Promise<void>;
  close(): Promise<void>;
}

/** Runs Longhaul's own script in a JVM that stays, because a start of Spark takes seconds. */
export async function startSparkSession(
  more: { home?: string; conf?: Record<string, string>; env?: Record<string, string> } = {},
): Promise<SparkSession> {
  const spark = await locateSpark({
    given: more.home ?? process.env['SPARK_HOME'],
    searchPath: process.env['PATH'],
  });
  const java = await locateJava(
    { given: process.env['JAVA_HOME'], searchPath: process.env['PATH'] },
    spark,
  );
  const folder = await mkdtemp(join(tmpdir(), 'longhaul-spark-'));
  const libraries = join(spark.home, 'python', 'lib');
  const zips = (await readdir(libraries)).filter((name) => name.endsWith('.zip'));
  const conf = {
    'spark.ui.enabled': 'false',
    'spark.driver.memory': '1g',
    'spark.driver.bindAddress': '127.0.0.1',
    'spark.driver.host': '127.0.0.1',
    'spark.local.dir': folder,
    'spark.hadoop.fs.file.impl': 'org.apache.hadoop.fs.RawLocalFileSystem',
    'spark.driver.extraJavaOptions': `${SHORT_LIVED} -Djava.io.tmpdir=${folder}`,
    ...more.conf,
  };
  const script = fileURLToPath(new URL('spark_session.py', import.meta.url));
  const child = spawn('python3', [script, JSON.stringify(conf)], {
    cwd: folder,
    detached: true,
    env: {
      ...process.env,
      SPARK_HOME: spark.home,
      JAVA_HOME: java.home,
      PYTHONPATH: zips.map((name) => join(libraries, name)).join(delimiter),
      PYSPARK_PYTHON: 'python3',
      PYTHONDONTWRITEBYTECODE: '1',
      ...more.env,
    },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-20_000);
  });
  let hear: (line: string | undefined) => void = () => undefined;
  let isOver = false;
  createInterface(child.stdout)
    .on('line', (line) => hear(line))
    .on('close', () => {
      isOver = true;
      hear(undefined);
    });
  // If the session has ended, the next step fails because no line comes.
  child.stdin.on('error', () => undefined);
  /** Waits for the line that ends a step. */
  const until = async (end: 'ready' | 'ended', onLine: (line: string) => void): Promise<void> =>
    await new Promise((resolve, reject) => {
      hear = (line) => {
        if (line === undefined) reject(new Error(`The Spark session ended: ${stderr}`));
        else if (line === JSON.stringify({ [end]: true })) resolve();
        else onLine(line);
      };
      if (isOver) hear(undefined);
    });
  await until('ready', () => undefined);
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = async (
    script: string,
    job: string,
    onLine: (line: string) => void,
  ): Promise<void> => {
    const turn = last.then(async () => {
      const ended = until('ended', onLine);
      child.stdin.write(`${JSON.stringify({ script, job })}\n`);
      await ended;
    });
    last = turn.catch(() => undefined);
    await turn;
  };
  return {
    submit: async ({ script, args: [, job = ''], onLine = () => undefined }) => {
      await inTurn(script, job, onLine);
      return { code: 0, signal: null, stderr: '' };
    },
    do: async (script, job) => await inTurn(script, job, () => undefined),
    close: async () => {
      const ended = child.exitCode === null ? once(child, 'close') : undefined;
      assert.ok(child.pid);
      if (ended) process.kill(-child.pid, 'SIGKILL');
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
}
