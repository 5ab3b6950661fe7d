import { mkdir, readFile, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../../src/embedded/listen.ts';
import { LonghaulError } from '../../../src/model/errors.ts';
import { printable } from '../../../src/model/names.ts';
import { startChild, type Child } from '../../../src/programs/child.ts';

export interface HdfsOptions {
  /** Of this HDFS alone: holds its data and its log. It has to be there. */
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
  /** Of the NameNode: `http://127.0.0.1:<port>`; WebHDFS is at `/webhdfs/v1/`. */
  httpUrl: string;
  /** What a client has to know, as Hadoop's properties. */
  configuration: Readonly<Record<string, string>>;
  /** What its files take of it, from 0 to 1. */
  use(): Promise<number>;
  /** Ends when the process has. The folder stays. */
  stop(): Promise<void>;
}

/** 5 s on a machine with two cores; others may be starting at once. */
const START_LIMIT_MS = 180_000;
const POLL_MS = 100;
/** What is not on the disk by then is thrown away anyway: an HDFS ends with its cluster. */
const STOP_LIMIT_MS = 2000;
/** Small files and few: a whole HDFS in less memory than a browser's tab. */
const JVM_OPTIONS = ['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xshare:auto'];
/** Hadoop's own small cluster for tests: NameNode and DataNode in one process, on loopback. */
const CLUSTER = 'org.apache.hadoop.test.MiniDFSClusterManager';

/**
 * A new, empty HDFS, which ends with this process.
 * @throws LonghaulError EMBEDDED_FAILED with the last word of its log.
 */
export async function startHdfs(options: HdfsOptions): Promise<Hdfs> {
  const { folder, java, jars, signal } = options;
  const [rpcPort, httpPort] = [await freePort(), await freePort()];
  const client = {
    'fs.defaultFS': `hdfs://127.0.0.1:${rpcPort}`,
    'dfs.replication': '1',
    // With one DataNode there is none to put in its place.
    'dfs.client.block.write.replace-datanode-on-failure.enable': 'false',
    // A block that is begun counts whole, so blocks have to be small beside the capacity.
    ...(options.capacityBytes === undefined ? {} : { 'dfs.blocksize': String(SMALL_BLOCK_BYTES) }),
  };
  const server = {
    ...client,
    'hdfs.minidfs.basedir': join(folder, 'data'),
    'hadoop.http.staticuser.user': 'hadoop',
    'dfs.permissions.enabled': 'false',
    // Else on every address of this machine.
    'dfs.namenode.rpc-bind-host': '127.0.0.1',
    // A heartbeat brings the DataNode's space.
    'dfs.heartbeat.interval': '1',
    ...(await capacityOf(options)),
  };
  await mkdir(join(folder, 'conf'), { recursive: true });
  await writeFile(join(folder, 'conf', 'log4j.properties'), LOG4J);
  const words = [
    java,
    ...JVM_OPTIONS,
    '-cp',
    `${join(folder, 'conf')}:${join(jars, '*')}`,
    CLUSTER,
  ];
  const ports = ['-nnport', String(rpcPort), '-httpport', String(httpPort)];
  const settings = Object.entries(server).flatMap(([name, value]) => ['-D', `${name}=${value}`]);
  const log = join(folder, 'hdfs.log');
  const child = await startChild([...words, '-datanodes', '1', '-format', ...ports, ...settings], {
    // Hadoop asks the system who it is; with permissions off the name means nothing.
    env: { HADOOP_USER_NAME: 'hadoop', LC_ALL: 'C.UTF-8' },
    folder,
    stdout: log,
    stderr: log,
  });
  const httpUrl = `http://127.0.0.1:${httpPort}`;
  const stop = async (): Promise<void> => void (await child.stop(STOP_LIMIT_MS));
  const use = async (): Promise<number> => {
    const { CapacityUsed: used = 0, CapacityTotal: total = 1 } = await stateOf(httpUrl);
    return used / total;
  };
  if (await comesUp(httpUrl, child, signal)) return { httpUrl, configuration: client, use, stop };
  await stop();
  signal?.throwIfAborted();
  throw await startFailure(log);
}

/** A DataNode knows no size of its own: each of its two volumes leaves free what is reserved. */
async function capacityOf({ folder, capacityBytes }: HdfsOptions): Promise<Record<string, string>> {
  if (capacityBytes === undefined) return {};
  const { blocks, bsize } = await statfs(folder);
  const reserved = Math.max(0, blocks * bsize - Math.floor(capacityBytes / 2));
  return {
    'dfs.datanode.du.reserved': String(reserved),
    'dfs.namenode.fs-limits.min-block-size': '0',
  };
}

const SMALL_BLOCK_BYTES = 1024 * 1024;

export const LOG4J = [
  'log4j.rootLogger=INFO,console',
  'log4j.appender.console=org.apache.log4j.ConsoleAppender',
  'log4j.appender.console.target=System.err',
  'log4j.appender.console.layout=org.apache.log4j.PatternLayout',
  'log4j.appender.console.layout.ConversionPattern=%d{ISO8601} %p %c: %m%n',
  // Each request of WebHDFS, with its path.
  'log4j.logger.http.requests=WARN',
  '',
].join('\n');

async function comesUp(
  httpUrl: string,
  child: Child,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const limit = performance.now() + START_LIMIT_MS;
  const goesOn = (): boolean => !child.hasEnded() && !signal?.aborted;
  while (goesOn() && performance.now() < limit) {
    if (((await stateOf(httpUrl)).NumLiveDataNodes ?? 0) > 0) return true;
    await sleep(POLL_MS);
  }
  return false;
}

/** As the NameNode says it; nothing where it does not answer. */
interface HdfsState {
  NumLiveDataNodes?: number;
  CapacityUsed?: number;
  CapacityTotal?: number;
}

async function stateOf(httpUrl: string): Promise<HdfsState> {
  const query = '/jmx?qry=Hadoop:service=NameNode,name=FSNamesystemState';
  try {
    const answer = await fetch(httpUrl + query, { signal: AbortSignal.timeout(ANSWER_LIMIT_MS) });
    const { beans } = (await answer.json()) as { beans?: HdfsState[] };
    return beans?.[0] ?? {};
  } catch {
    return {};
  }
}

const ANSWER_LIMIT_MS = 5000;

async function startFailure(path: string): Promise<LonghaulError> {
  const log = await readFile(path, 'utf8').catch(() => '');
  const line = log.split('\n').findLast((each) => /ERROR |FATAL |Exception|Error:/.test(each));
  const reason = printable((line ?? 'nothing').slice(0, MAX_WORDS_LENGTH));
  const message = `HDFS did not start; its last word: ${reason}`;
  return new LonghaulError('EMBEDDED_FAILED', message, { hint: `Its log is ${path}.` });
}

/** Two lines of a terminal. */
const MAX_WORDS_LENGTH = 200;
