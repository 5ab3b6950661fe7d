import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { locateJavaFor, locateSpark } from './spark.ts';

/** The end of what Spark writes to its standard error: a stack trace with its causes. */
const MAX_STDERR_CHARACTERS = 64 * 1024;

export interface SparkPrograms {
  /** SPARK_HOME. */
  home?: string | undefined;
  /** JAVA_HOME. */
  javaHome?: string | undefined;
  /** PATH. */
  searchPath?: string | undefined;
}

export interface SparkCommand extends SparkPrograms {
  /** As spark-submit takes it: `local[3]`. */
  master: string;
  /** As Java takes it: `2g`. */
  driverMemory: string;
  /** A Python script, and its arguments: they can be seen by everybody on this machine. */
  script: string;
  args: readonly string[];
  /** More settings of Spark. No credentials: they too are arguments. */
  conf?: Readonly<Record<string, string>>;
  /** Added to this process's environment, for the child alone. */
  env?: Readonly<Record<string, string>>;
  /** A folder on this machine: Spark's temporary files go there and nowhere else. */
  scratchFolder: string;
  signal: AbortSignal;
  /** A line of standard output. */
  onLine?: (line: string) => void;
  /** What takes time, for people. */
  onNote?: (note: string) => void;
}

/** How spark-submit ended. */
export interface SparkEnd {
  code: number | null;
  signal: string | null;
  /** The end of its standard error. */
  stderr: string;
}

/**
 * Runs spark-submit in a process group of its own: no process of it is left when this returns or throws, nor when this
 * process is killed.
 * @throws LonghaulError PROGRAM_NOT_INSTALLED without Spark or a Java that fits; the signal's reason when it aborts.
 */
export async function submitSpark(command: SparkCommand): Promise<SparkEnd> {
  const { home, javaHome, searchPath, signal, onNote } = command;
  const found = { searchPath, signal, ...(onNote ? { onNote } : {}) };
  const spark = await locateSpark({ given: home, ...found });
  const java = await locateJavaFor(spark, { given: javaHome, searchPath });
  signal.throwIfAborted();
  const words = [
    ...[spark.submit, '--master', command.master, '--driver-memory', command.driverMemory],
    ...options(command),
    ...[command.script, ...command.args],
  ];
  const end = await follow(words, command, {
    SPARK_HOME: spark.home,
    ...(java.home === undefined ? {} : { JAVA_HOME: java.home }),
    PYSPARK_PYTHON: 'python3',
    PYSPARK_DRIVER_PYTHON: 'python3',
    PYTHONDONTWRITEBYTECODE: '1',
    ...command.env,
  });
  signal.throwIfAborted();
  return end;
}

/**
 * The parallel collector: G1, the default, works beside the tasks, and of 1 GB in shards on two cores took 88 CPU seconds
 * where this one takes 72.
 */
const JVM_OPTIONS = '-XX:-UsePerfData -XX:+UseParallelGC';

function options({ master, scratchFolder, conf }: SparkCommand): string[] {
  const isLocal = master.startsWith('local');
  const all: Record<string, string> = {
    'spark.ui.enabled': 'false',
    'spark.ui.showConsoleProgress': 'false',
    // How often a task says how far it is.
    'spark.executor.heartbeatInterval': '1s',
    'spark.local.dir': scratchFolder,
    'spark.driver.extraJavaOptions': `-Djava.io.tmpdir=${scratchFolder} ${JVM_OPTIONS}`,
    // Without a checksum file beside each file.
    'spark.hadoop.fs.file.impl': 'org.apache.hadoop.fs.RawLocalFileSystem',
    ...(isLocal
      ? { 'spark.driver.bindAddress': '127.0.0.1', 'spark.driver.host': '127.0.0.1' }
      : {}),
    ...conf,
  };
  return Object.entries(all).flatMap(([key, value]) => ['--conf', `${key}=${value}`]);
}

/**
 * A shell becomes spark-submit, after it has left somebody behind who waits for the end of a pipe that this process
 * holds: it closes even when this process is killed, and then the whole group ends.
 */
const END_WITH_PARENT = '(read -r _ <&3 || kill -KILL -- -$$) >/dev/null 2>&1 & exec "$@" 3<&-';

async function follow(
  words: readonly string[],
  { scratchFolder, signal, onLine }: SparkCommand,
  env: Readonly<Record<string, string>>,
): Promise<SparkEnd> {
  const child = spawn('/bin/sh', ['-c', END_WITH_PARENT, 'longhaul-spark', ...words], {
    cwd: scratchFolder,
    detached: true,
    // Spark finds programs, proxies and its own settings there.
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
  createInterface(stdout).on('line', (line) => onLine?.(line));
  try {
    const closed = once(child, 'close');
    const [code, ending] = (await once(child, 'exit')) as [number | null, string | null];
    // Who waits at the pipe holds it open; what was said last is still to be read.
    kill();
    await closed;
    return { code, signal: ending, stderr };
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
