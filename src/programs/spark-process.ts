import { createInterface } from 'node:readline';
import { startChild, type ChildEnd } from './child.ts';
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
export interface SparkEnd extends ChildEnd {
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
  // Spark finds programs, proxies and its own settings there.
  // oxlint-disable-next-line node/no-process-env
  const child = await startChild(words, { folder: scratchFolder, env: { ...process.env, ...env } });
  const kill = (): void => child.signal('SIGKILL');
  signal.addEventListener('abort', kill, { once: true });
  if (signal.aborted) kill();
  const { stdout, stderr } = child;
  let stderrText = '';
  stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderrText = (stderrText + text).slice(-MAX_STDERR_CHARACTERS);
  });
  if (stdout) createInterface(stdout).on('line', (line) => onLine?.(line));
  const end = await child.ended;
  signal.removeEventListener('abort', kill);
  return { ...end, stderr: stderrText };
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
