import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { END_WITH_PARENT } from './end-with-parent.ts';
import type { Java } from './java.ts';
import type { Spark } from './spark.ts';

/** The end of what Spark writes to its standard error: a stack trace with its causes. */
const MAX_STDERR_CHARACTERS = 64 * 1024;

export interface SparkSurroundings {
  /** A folder on this machine, where it runs. */
  scratchFolder: string;
  /** Added to this process's environment, for the child alone. */
  env: Readonly<Record<string, string>>;
  signal: AbortSignal;
  /** A line of standard output. */
  onLine?: ((line: string) => void) | undefined;
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
 * @param words the program, and its arguments.
 */
export async function runSparkSubmit(
  words: readonly string[],
  { scratchFolder, env, signal, onLine }: SparkSurroundings,
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

/** What spark-submit finds its parts by. */
export function sparkEnvironment(spark: Spark, java: Java): Record<string, string> {
  return {
    SPARK_HOME: spark.home,
    ...(java.home === undefined ? {} : { JAVA_HOME: java.home }),
    PYSPARK_PYTHON: 'python3',
    PYSPARK_DRIVER_PYTHON: 'python3',
    PYTHONDONTWRITEBYTECODE: '1',
  };
}
