import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Java } from './java.ts';
import { runSparkSubmit, sparkEnvironment } from './spark-process.ts';
import type { Spark } from './spark.ts';
import { isThere, makeWhole, packageToolsDir } from './tools-folder.ts';

/** A Spark as it is started: an archive fits exactly one. */
export interface SparkStart {
  spark: Spark;
  java: Java;
  /** What goes before Spark's own jars (`spark.driver.extraClassPath`). */
  classPath?: string | undefined;
}

export interface ClassArchiveOptions {
  /** Where archives lie. Default: `.tools` of this package. */
  toolsDir?: string;
  onNote?: (note: string) => void;
  signal?: AbortSignal;
}

/** For SPARK_SUBMIT_OPTS. A JVM that cannot use an archive says so on standard output, and goes on: users need not see it. */
const QUIET = '-Xlog:disable -Xlog:all=error:stderr';

/** The limit of the training: a start without an archive, and writing it. A slow machine takes a minute and a half. */
const TRAINING_LIMIT_MS = 10 * 60_000;

/**
 * Where the archive lies of the classes that Spark loads at its start, as the JVM maps it (application class-data
 * sharing): with it Spark starts in about two thirds of the time. A JVM checks that it fits, and goes on without where it
 * does not.
 */
export function classArchivePath(
  { spark, java, classPath = '' }: SparkStart,
  toolsDir = packageToolsDir(),
): string {
  const key = JSON.stringify([spark.home, java.path, java.version, classPath]);
  const name = createHash('sha256').update(key).digest('hex').slice(0, NAME_LENGTH);
  return join(toolsDir, `spark-classes-${spark.version}`, `${name}.jsa`);
}

const NAME_LENGTH = 16;

/** SPARK_SUBMIT_OPTS for this start: empty where there is no archive. */
export async function classArchiveOptions(start: SparkStart, toolsDir?: string): Promise<string> {
  const path = classArchivePath(start, toolsDir);
  return (await isThere(path)) ? `-XX:SharedArchiveFile=${path} ${QUIET}` : '';
}

/**
 * The archive, made where there is none, by starting Spark once: about a minute, and 200 MB. What goes wrong is no
 * error, and is not tried again: Spark starts without one too.
 */
export async function ensureClassArchive(
  start: SparkStart,
  { toolsDir = packageToolsDir(), onNote, signal }: ClassArchiveOptions = {},
): Promise<void> {
  const path = classArchivePath(start, toolsDir);
  const failed = `${path}.failed`;
  if (!canArchive(start, path) || (await isThere(path)) || (await isThere(failed))) return;
  onNote?.('Preparing Spark to start faster (once, about a minute)');
  try {
    await mkdir(join(path, '..'), { recursive: true });
    await makeWhole(path, async (scratch) => await train(start, scratch, signal));
  } catch (error) {
    signal?.throwIfAborted();
    await writeFile(failed, `${String(error)}\n`).catch(() => undefined);
  }
}

/** Archives are made from Java 13 on; a path with white space would be two options. */
function canArchive({ java }: SparkStart, path: string): boolean {
  return Number.parseInt(java.version, 10) >= OLDEST_JAVA && !/\s/.test(path);
}

const OLDEST_JAVA = 13;

async function train(
  { spark, java, classPath }: SparkStart,
  scratch: string,
  signal: AbortSignal | undefined,
): Promise<string> {
  const archive = join(scratch, 'classes.jsa');
  const conf: Record<string, string> = {
    'spark.ui.enabled': 'false',
    'spark.driver.bindAddress': '127.0.0.1',
    'spark.driver.host': '127.0.0.1',
    'spark.local.dir': scratch,
    ...(classPath === undefined ? {} : { 'spark.driver.extraClassPath': classPath }),
  };
  const settings = Object.entries(conf).flatMap(([key, value]) => ['--conf', `${key}=${value}`]);
  const script = fileURLToPath(new URL('spark-classes.py', import.meta.url));
  const words = [spark.submit, '--master', 'local[1]', ...settings, script, scratch];
  const limit = AbortSignal.timeout(TRAINING_LIMIT_MS);
  const { code, stderr } = await runSparkSubmit(words, {
    scratchFolder: scratch,
    env: {
      ...sparkEnvironment(spark, java),
      SPARK_SUBMIT_OPTS: `${TRAINING} -XX:ArchiveClassesAtExit=${archive} ${QUIET}`,
    },
    signal: signal ? AbortSignal.any([signal, limit]) : limit,
  });
  if (code !== 0) throw new Error(stderr);
  return archive;
}

/** Loaded is what counts, not how fast. */
const TRAINING = '-XX:TieredStopAtLevel=1';
