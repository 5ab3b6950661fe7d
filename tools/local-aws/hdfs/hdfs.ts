import { mkdir, readFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LonghaulError } from '../../../src/model/errors.ts';
import { printable } from '../../../src/model/names.ts';
import { freePort } from '../../../src/embedded/listen.ts';
import { startChild, type Child } from '../../../src/programs/child.ts';
import { clientConfiguration, writeHdfsConfiguration } from './configuration.ts';
import { makeNameFolder, pagesFolder } from './once.ts';

export interface HdfsOptions {
  /** Of this HDFS alone: holds its data, configuration and logs. It has to be there. */
  folder: string;
  /** The Java program. */
  java: string;
  /** The folder of Hadoop's `cluster` jars. */
  jars: string;
  /** What all files may take together; undefined: what the disk has. */
  capacityBytes?: number | undefined;
  /** Gives up, and stops what was started. */
  signal?: AbortSignal;
}

export interface Hdfs {
  /** `hdfs://127.0.0.1:<port>`. */
  uri: string;
  /** Of the NameNode: `http://127.0.0.1:<port>`; WebHDFS is at `/webhdfs/v1/`. */
  httpUrl: string;
  /** What a client has to know, as Hadoop's properties. */
  configuration: Readonly<Record<string, string>>;
  /** Ends when both processes have. The folder stays. */
  stop(): Promise<void>;
}

/** With what Java finds first on its class path: this HDFS's configuration. */
type HdfsProgram = HdfsOptions & { classPath: string };

/** 6 to 9 s on a machine with two cores; four JVMs may be starting at once. */
const START_LIMIT_MS = 180_000;
const POLL_MS = 100;
/** What is not on the disk by then is thrown away anyway: an HDFS ends with its cluster. */
const STOP_LIMIT_MS = 2000;
/** Small files and few: a whole NameNode and DataNode in less memory than a browser's tab. */
const JVM_OPTIONS = ['-Xmx192m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xshare:auto'];

/**
 * A new, empty HDFS on loopback: a NameNode and one DataNode, processes of their own that end with this one.
 * @throws LonghaulError EMBEDDED_FAILED with the last word of its log.
 */
export async function startHdfs(options: HdfsOptions): Promise<Hdfs> {
  const { folder, signal } = options;
  await mkdir(join(folder, 'logs'), { recursive: true });
  await mkdir(join(folder, 'tmp'), { recursive: true });
  const [rpcPort, httpPort] = [await freePort(), await freePort()];
  const { capacityBytes } = options;
  const conf = await writeHdfsConfiguration({ folder, rpcPort, httpPort, capacityBytes });
  const pages = await pagesFolder(options.jars);
  const classPath = [conf, pages, join(options.jars, '*')].filter((each) => each !== undefined);
  const program = { ...options, classPath: classPath.join(delimiter) };
  await makeNameFolder(join(folder, 'name'), options.jars, async () => await format(program));
  signal?.throwIfAborted();
  const children = [
    await start(program, 'namenode.NameNode'),
    await start(program, 'datanode.DataNode'),
  ];
  const stop = async (): Promise<void> => {
    await Promise.all(children.map(async (child) => await child.stop(STOP_LIMIT_MS)));
  };
  const httpUrl = `http://127.0.0.1:${httpPort}`;
  if (!(await comesUp(httpUrl, children, signal))) {
    await stop();
    signal?.throwIfAborted();
    throw await startFailure(folder);
  }
  const uri = `hdfs://127.0.0.1:${rpcPort}`;
  return { uri, httpUrl, configuration: clientConfiguration(uri), stop };
}

async function format(program: HdfsProgram): Promise<void> {
  const child = await start(program, 'namenode.NameNode', ['-format', '-nonInteractive']);
  const { code } = await endOrAbort(child, program.signal);
  program.signal?.throwIfAborted();
  if (code !== 0) throw await startFailure(program.folder);
}

async function endOrAbort(
  child: Child,
  signal: AbortSignal | undefined,
): ReturnType<Child['stop']> {
  const abort = (): void => child.signal('SIGKILL');
  signal?.addEventListener('abort', abort, { once: true });
  if (signal?.aborted) abort();
  try {
    return await child.ended;
  } finally {
    signal?.removeEventListener('abort', abort);
  }
}

async function start(
  { folder, java, classPath }: HdfsProgram,
  server: string,
  args: readonly string[] = [],
): Promise<Child> {
  const log = logPath(folder, server);
  // Jetty unpacks its pages there, and leaves them.
  const options = [...JVM_OPTIONS, `-Djava.io.tmpdir=${join(folder, 'tmp')}`, '-cp', classPath];
  return await startChild([java, ...options, `${SERVERS}.${server}`, ...args], {
    // Hadoop asks the system who it is; with permissions off the name means nothing.
    env: { HADOOP_USER_NAME: 'hadoop', LC_ALL: 'C.UTF-8' },
    folder,
    stdout: log,
    stderr: log,
  });
}

const SERVERS = 'org.apache.hadoop.hdfs.server';

function logPath(folder: string, server: string): string {
  return join(folder, 'logs', `${server.split('.')[0] ?? server}.log`);
}

async function comesUp(
  httpUrl: string,
  children: readonly Child[],
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const limit = performance.now() + START_LIMIT_MS;
  const goesOn = (): boolean => !children.some((child) => child.hasEnded()) && !signal?.aborted;
  while (goesOn() && performance.now() < limit) {
    if ((await liveDataNodes(httpUrl)) > 0) return true;
    await sleep(POLL_MS);
  }
  return false;
}

async function liveDataNodes(httpUrl: string): Promise<number> {
  const query = '/jmx?qry=Hadoop:service=NameNode,name=FSNamesystemState';
  try {
    const answer = await fetch(httpUrl + query, { signal: AbortSignal.timeout(ANSWER_LIMIT_MS) });
    const { beans } = (await answer.json()) as { beans?: { NumLiveDataNodes?: number }[] };
    return beans?.[0]?.NumLiveDataNodes ?? 0;
  } catch {
    return 0;
  }
}

const ANSWER_LIMIT_MS = 5000;

async function startFailure(folder: string): Promise<LonghaulError> {
  const words: string[] = [];
  for (const server of ['namenode', 'datanode']) {
    const log = await readFile(logPath(folder, server), 'utf8').catch(() => '');
    const last = log
      .split('\n')
      .findLast((line) => / (?:ERROR|FATAL) |Exception|Error:/.test(line));
    if (last) words.push(printable(last.slice(0, MAX_WORDS_LENGTH)));
  }
  const said = words.join(' | ') || 'nothing';
  return new LonghaulError('EMBEDDED_FAILED', `HDFS did not start; its last word: ${said}`, {
    hint: `Its logs are in ${join(folder, 'logs')}.`,
  });
}

/** Two lines of a terminal. */
const MAX_WORDS_LENGTH = 200;
