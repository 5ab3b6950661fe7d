import { locateJava } from './java.ts';
import { locateSpark } from './spark.ts';
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
  /** Value of spark-submit's `--master`, for example `local[3]`. */
  master: string;
  /** Value of spark-submit's `--driver-memory`, for example `2g`. */
  driverMemory: string;
  /** Path of a Python script. Every user of this machine can see its arguments. */
  script: string;
  args: readonly string[];
  /** More settings of Spark. They must not contain credentials, because they are arguments too. */
  conf?: Readonly<Record<string, string>>;
  /** Variables that are added to this process's environment for the child only. */
  env?: Readonly<Record<string, string>>;
  /** A folder on this machine. Spark writes temporary files only there. */
  scratchFolder: string;
  signal: AbortSignal;
  /** Called with each line of standard output. */
  onLine?: (line: string) => void;
  /** Called with text for the user if something takes time. */
  onNote?: (note: string) => void;
}

/**
 * Runs spark-submit in its own process group. No process of the group is left when this returns or throws, or if this
 * process is killed.
 * @throws LonghaulError PROGRAM_NOT_INSTALLED without Spark or a Java that fits; the signal's reason if it aborts.
 */
export async function submitSpark(command: SparkCommand): Promise<SparkEnd> {
  const { home, javaHome, searchPath, signal, onNote } = command;
  const found = { searchPath, signal, onNote };
  const spark = await locateSpark({ given: home, ...found });
  const java = await locateJava({ given: javaHome, searchPath }, spark);
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
 * The parallel collector needs less CPU than the default, G1, which works beside the tasks. For 1 GB in shards on two
 * cores, Spark needed 72 CPU seconds with it, and 88 with G1.
 */
const COLLECTOR = '-XX:+UseParallelGC';

/** Every JVM reads these variables. If they choose a collector, the JVM does not start with a second one. */
const JVM_VARIABLES = [
  'JAVA_TOOL_OPTIONS',
  'JDK_JAVA_OPTIONS',
  '_JAVA_OPTIONS',
  'SPARK_SUBMIT_OPTS',
];

/**
 * The JVM compiles a method only after three times as many calls as by default. For 1 GB in shards on two cores,
 * compiling then took 11 CPU seconds from the tasks instead of 18. With ten times as many, the start was slower.
 */
const COMPILER = '-XX:CompileThresholdScaling=3';

/** The JVM has fewer pages to look up. Without huge pages, it prints a warning and goes on. Linux only. */
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
    // How often a task reports its progress.
    'spark.executor.heartbeatInterval': '1s',
    'spark.local.dir': scratchFolder,
    'spark.driver.extraJavaOptions': `-Djava.io.tmpdir=${scratchFolder} ${jvmOptions()}`,
    // With this file system, Hadoop writes no checksum file beside each file.
    'spark.hadoop.fs.file.impl': 'org.apache.hadoop.fs.RawLocalFileSystem',
    ...(isLocal
      ? { 'spark.driver.bindAddress': '127.0.0.1', 'spark.driver.host': '127.0.0.1' }
      : {}),
    ...conf,
  };
  return Object.entries(all).flatMap(([key, value]) => ['--conf', `${key}=${value}`]);
}

/** Enough for the end of Spark's standard error: a stack trace with its causes. */
const MAX_STDERR_CHARACTERS = 64 * 1024;

export interface SparkEnd extends ChildEnd {
  /** The end of spark-submit's standard error. */
  stderr: string;
}

async function run(
  words: readonly string[],
  env: Readonly<Record<string, string>>,
  { scratchFolder, signal, onLine }: SparkCommand,
): Promise<SparkEnd> {
  // Spark finds programs, proxies and its own settings in the environment.
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
