import { locateJavaFor, locateSpark } from './spark.ts';
import { createInterface } from 'node:readline';
import { startChild, type ChildEnd } from './child.ts';

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
  /** A Python script, and its arguments: every user of this machine can see them. */
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

/**
 * Runs spark-submit in a process group of its own: no process of it is left when this returns or throws, nor when this
 * process is killed.
 * @throws LonghaulError PROGRAM_NOT_INSTALLED without Spark or a Java that fits; the signal's reason when it aborts.
 */
export async function submitSpark(command: SparkCommand): Promise<SparkEnd> {
  const { home, javaHome, searchPath, signal, onNote } = command;
  const found = { searchPath, signal, onNote };
  const spark = await locateSpark({ given: home, ...found });
  const java = await locateJavaFor(spark, { given: javaHome, searchPath });
  signal.throwIfAborted();
  const words = [
    ...[spark.submit, '--master', command.master, '--driver-memory', command.driverMemory],
    ...options(command),
    ...[command.script, ...command.args],
  ];
  const env = {
    SPARK_HOME: spark.home,
    ...(java.home === undefined ? {} : { JAVA_HOME: java.home }),
    PYSPARK_PYTHON: 'python3',
    PYSPARK_DRIVER_PYTHON: 'python3',
    PYTHONDONTWRITEBYTECODE: '1',
    ...command.env,
  };
  const end = await run(words, env, command);
  signal.throwIfAborted();
  return end;
}

/**
 * The parallel collector: G1, the default, works beside the tasks, and of 1 GB in shards on two cores took 88 CPU seconds
 * where this one takes 72.
 */
const COLLECTOR = '-XX:+UseParallelGC';

/** What every JVM that is started from here reads. One with two collectors does not start. */
const JVM_VARIABLES = [
  'JAVA_TOOL_OPTIONS',
  'JDK_JAVA_OPTIONS',
  '_JAVA_OPTIONS',
  'SPARK_SUBMIT_OPTS',
];

/**
 * Compiled is what is called three times as often as by default: of 1 GB in shards on two cores, compiling took 18 CPU
 * seconds from the tasks, and takes 11. Ten times as often is a slower start.
 */
const COMPILER = '-XX:CompileThresholdScaling=3';

/** Fewer pages to look up; where the system has none, the JVM says so and goes on. Only Linux knows the option. */
const PAGES = process.platform === 'linux' ? ' -XX:+UseTransparentHugePages' : '';

function jvmOptions(): string {
  // oxlint-disable-next-line node/no-process-env
  const given = JVM_VARIABLES.map((name) => process.env[name] ?? '').join(' ');
  const collector = /-XX:\+Use\w+GC\b/.test(given) ? '' : ` ${COLLECTOR}`;
  return `-XX:-UsePerfData ${COMPILER}${PAGES}${collector}`;
}

function options({ master, scratchFolder, conf }: SparkCommand): string[] {
  const isLocal = master.startsWith('local');
  const all: Record<string, string> = {
    'spark.ui.enabled': 'false',
    'spark.ui.showConsoleProgress': 'false',
    // How often a task says how far it is.
    'spark.executor.heartbeatInterval': '1s',
    'spark.local.dir': scratchFolder,
    'spark.driver.extraJavaOptions': `-Djava.io.tmpdir=${scratchFolder} ${jvmOptions()}`,
    // Without a checksum file beside each file.
    'spark.hadoop.fs.file.impl': 'org.apache.hadoop.fs.RawLocalFileSystem',
    ...(isLocal
      ? { 'spark.driver.bindAddress': '127.0.0.1', 'spark.driver.host': '127.0.0.1' }
      : {}),
    ...conf,
  };
  return Object.entries(all).flatMap(([key, value]) => ['--conf', `${key}=${value}`]);
}

/** The end of what Spark writes to its standard error: a stack trace with its causes. */
const MAX_STDERR_CHARACTERS = 64 * 1024;

/** How spark-submit ended. */
export interface SparkEnd extends ChildEnd {
  /** The end of its standard error. */
  stderr: string;
}

async function run(
  words: readonly string[],
  env: Readonly<Record<string, string>>,
  { scratchFolder, signal, onLine }: SparkCommand,
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
