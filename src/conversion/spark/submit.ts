import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { S3Settings, SparkSettings } from '../../config/settings.ts';
import { locateJavaFor, locateSpark, type Spark } from '../../programs/spark.ts';
import { deathError } from './errors.ts';
import type { SparkJob, SparkResult } from './job.ts';
import { s3Access } from './s3-access.ts';

/** The end of what Spark writes to its standard error: a stack trace with its causes. */
const MAX_STDERR_CHARACTERS = 64 * 1024;

export interface SparkRun {
  /** A folder on this machine, of this attempt's own: Spark's temporary files go there and nowhere else. */
  scratchFolder: string;
  /** Where files of the job lie in a bucket. */
  s3?: S3Settings | undefined;
  signal: AbortSignal;
  /** @param bytes of the inputs done so far. */
  onProgress: (bytes: number) => void;
}

/** How a job is done. */
export type SparkRunner = (job: SparkJob, run: SparkRun) => Promise<SparkResult>;

/**
 * Jobs by `spark-submit`, a process group for each: no process of it is left when this returns or throws.
 * @param script for tests of a job that goes wrong.
 * @throws LonghaulError PROGRAM_NOT_INSTALLED, and as `ConversionEngine`; the signal's reason when it aborts.
 */
export function submitting(
  settings: SparkSettings,
  script = fileURLToPath(new URL('convert.py', import.meta.url)),
): SparkRunner {
  return async (job, run) => {
    const { home: given, javaHome, searchPath } = settings;
    const { signal } = run;
    const spark = await locateSpark({ given, searchPath, signal });
    const java = await locateJavaFor(spark, { given: javaHome, searchPath });
    signal.throwIfAborted();
    const jobPath = join(run.scratchFolder, 'job.json');
    const resultPath = join(run.scratchFolder, 'result.json');
    await writeFile(jobPath, JSON.stringify({ ...job, result: fileUri(resultPath) }));
    const access = run.s3 ? await s3Access(run.s3, { searchPath, signal }) : undefined;
    const submit = [
      ...['--master', settings.master, '--driver-memory', settings.driverMemory],
      ...options(settings.master, run.scratchFolder, access?.conf ?? {}),
      ...[script, '--job', fileUri(jobPath)],
    ];
    const env = { ...environmentOf(spark, java.home), ...access?.env };
    const death = await follow([spark.submit, ...submit], env, run);
    signal.throwIfAborted();
    const result = await readFile(resultPath, 'utf8').catch(() => undefined);
    if (result === undefined) throw death;
    return JSON.parse(result) as SparkResult;
  };
}

/** As Hadoop's file systems take it: nothing in it is an escape. */
export function fileUri(path: string): string {
  return `file://${path}`;
}

function options(
  master: string,
  scratchFolder: string,
  conf: Readonly<Record<string, string>>,
): string[] {
  const isLocal = master.startsWith('local');
  const all: Record<string, string> = {
    'spark.ui.enabled': 'false',
    'spark.ui.showConsoleProgress': 'false',
    // How often a task says how far it is.
    'spark.executor.heartbeatInterval': '1s',
    'spark.local.dir': scratchFolder,
    'spark.driver.extraJavaOptions': `-Djava.io.tmpdir=${scratchFolder} -XX:-UsePerfData`,
    // Without a checksum file beside each file.
    'spark.hadoop.fs.file.impl': 'org.apache.hadoop.fs.RawLocalFileSystem',
    ...(isLocal
      ? { 'spark.driver.bindAddress': '127.0.0.1', 'spark.driver.host': '127.0.0.1' }
      : {}),
    ...conf,
  };
  return Object.entries(all).flatMap(([key, value]) => ['--conf', `${key}=${value}`]);
}

function environmentOf(spark: Spark, javaHome: string | undefined): Record<string, string> {
  return {
    SPARK_HOME: spark.home,
    ...(javaHome === undefined ? {} : { JAVA_HOME: javaHome }),
    PYSPARK_PYTHON: 'python3',
    PYSPARK_DRIVER_PYTHON: 'python3',
    PYTHONDONTWRITEBYTECODE: '1',
  };
}

/**
 * A shell becomes spark-submit, after it has left somebody behind who waits for the end of a pipe that this process
 * holds: it closes even when this process is killed, and then the whole group ends.
 */
const END_WITH_PARENT = '(read -r _ <&3 || kill -KILL -- -$$) >/dev/null 2>&1 & exec "$@" 3<&-';

/** Waits for the end. @returns what it died of, where it left no result. */
async function follow(
  command: readonly string[],
  env: Readonly<Record<string, string>>,
  { signal, onProgress, scratchFolder, s3 }: SparkRun,
): Promise<Error> {
  const child = spawn('/bin/sh', ['-c', END_WITH_PARENT, 'longhaul-spark', ...command], {
    cwd: scratchFolder,
    detached: true,
    // Spark finds programs, proxies and its own settings there, and S3's credentials.
    // oxlint-disable-next-line node/no-process-env
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  });
  const kill = (): void => endGroup(child.pid);
  signal.addEventListener('abort', kill, { once: true });
  const [stdout, stderrStream, lifeline] = child.stdio.slice(1) as [Readable, Readable, Writable];
  // It goes with whoever waits at its other end.
  lifeline.on('error', () => undefined);
  let stderr = '';
  stderrStream.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-MAX_STDERR_CHARACTERS);
  });
  createInterface(stdout).on('line', (line) => {
    const bytes = bytesIn(line);
    if (bytes !== undefined) onProgress(bytes);
  });
  try {
    const closed = once(child, 'close');
    const [code, ending] = (await once(child, 'exit')) as [number | null, string | null];
    // Who waits at the pipe holds it open; what was said last is still to be read.
    kill();
    await closed;
    return deathError(code, ending, stderr, s3?.bucket);
  } finally {
    signal.removeEventListener('abort', kill);
    kill();
    lifeline.end();
  }
}

/** Whatever is left of it: spark-submit's JVM, its Python, and who waits at the pipe. */
function endGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Nobody is left.
  }
}

function bytesIn(line: string): number | undefined {
  try {
    const said = JSON.parse(line) as { bytes?: unknown } | null;
    return typeof said?.bytes === 'number' ? said.bytes : undefined;
  } catch {
    return undefined;
  }
}
