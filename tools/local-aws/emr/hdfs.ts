import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../../src/embedded/loopback.ts';
import { LonghaulError } from '../../../src/model/errors.ts';
import { startChild } from '../../../src/programs/child.ts';
import type { EmrPrograms } from '../programs.ts';
import { LOG4J } from '../spark-site.ts';

export interface Hdfs {
  /** URL of the NameNode: `http://127.0.0.1:<port>`. WebHDFS is at `/webhdfs/v1/`. */
  httpUrl: string;
  /** Hadoop's properties that a client needs. */
  configuration: Readonly<Record<string, string>>;
  /** @returns the share that its files use, from 0 to 1. */
  use(): Promise<number>;
  /** Called when its cluster has ended. */
  stop(): Promise<void>;
}

/** The start takes 5 s on a machine with two cores. Others may start at the same time. */
const START_LIMIT_MS = 180_000;
const POLL_MS = 100;
/** HDFS ends with its cluster, so data that is not on the disk by then is not needed. */
const STOP_LIMIT_MS = 2000;
const ANSWER_LIMIT_MS = 5000;
/** The files are small and few, so a whole HDFS needs little memory. */
const JVM_OPTIONS = ['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xshare:auto'];
/** Hadoop's own small cluster for tests, with NameNode and DataNode in one process on loopback. */
const CLUSTER = 'org.apache.hadoop.test.MiniDFSClusterManager';
/** A block that is begun counts in full, so blocks have to be small compared with the capacity. */
const SMALL_BLOCK_BYTES = 1024 * 1024;

/**
 * HDFSs below a folder, one for each cluster at a time. When a cluster ends, its HDFS is emptied and serves the next
 * cluster, because the start of an HDFS takes longest. An HDFS with a given capacity serves once.
 */
export class HdfsPool {
  readonly #folder: string;
  readonly #programs: EmrPrograms;
  readonly #idle: Hdfs[] = [];
  #started = 0;
  #isClosed = false;

  constructor(folder: string, programs: EmrPrograms) {
    this.#folder = folder;
    this.#programs = programs;
  }

  /** An empty HDFS. @param capacityBytes by default the size of the disk. @throws LonghaulError EMBEDDED_FAILED. */
  async take(capacityBytes: number | undefined, signal: AbortSignal): Promise<Hdfs> {
    this.#started += 1;
    const start = async (): Promise<Hdfs> =>
      await startHdfs(
        join(this.#folder, `hdfs-${this.#started}`),
        this.#programs,
        capacityBytes,
        signal,
      );
    if (capacityBytes !== undefined) return await start();
    const hdfs = this.#idle.pop() ?? (await start());
    const giveBack = async (): Promise<void> => {
      const isEmpty = await empty(hdfs.httpUrl).catch(() => false);
      if (isEmpty && !this.#isClosed) this.#idle.push(hdfs);
      else await hdfs.stop();
    };
    return { ...hdfs, stop: giveBack };
  }

  /** Ends the HDFSs that wait for a cluster. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all(this.#idle.map(async (hdfs) => await hdfs.stop()));
  }
}

/** Starts an HDFS that ends with this process. */
async function startHdfs(
  folder: string,
  { java, hadoop }: EmrPrograms,
  capacityBytes: number | undefined,
  signal: AbortSignal,
): Promise<Hdfs> {
  const [rpcPort, httpPort] = [await freePort(), await freePort()];
  const client = {
    'fs.defaultFS': `hdfs://127.0.0.1:${rpcPort}`,
    'dfs.replication': '1',
    // There is one DataNode only, so there is no other one to replace it.
    'dfs.client.block.write.replace-datanode-on-failure.enable': 'false',
    ...(capacityBytes === undefined ? {} : { 'dfs.blocksize': String(SMALL_BLOCK_BYTES) }),
  };
  const server = {
    ...client,
    'hdfs.minidfs.basedir': join(folder, 'data'),
    'hadoop.http.staticuser.user': 'hadoop',
    'dfs.permissions.enabled': 'false',
    // By default the NameNode listens on every address of this machine.
    'dfs.namenode.rpc-bind-host': '127.0.0.1',
    // A heartbeat reports the DataNode's space.
    'dfs.heartbeat.interval': '1',
    ...(capacityBytes === undefined ? {} : ofCapacity(capacityBytes)),
  };
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'log4j.properties'), LOG4J);
  const program = [java.path, ...JVM_OPTIONS, '-cp', `${folder}:${hadoop}`, CLUSTER];
  const ports = ['-nnport', String(rpcPort), '-httpport', String(httpPort)];
  const settings = Object.entries(server).flatMap(([name, value]) => ['-D', `${name}=${value}`]);
  const log = join(folder, 'hdfs.log');
  const words = [...program, '-datanodes', '1', '-format', ...ports, ...settings];
  // Hadoop asks the system for the user's name. With permissions off, the name has no effect.
  const env = { HADOOP_USER_NAME: 'hadoop', LC_ALL: 'C.UTF-8' };
  const child = await startChild(words, { env, folder, stdout: log, stderr: log });
  const httpUrl = `http://127.0.0.1:${httpPort}`;
  const limit = performance.now() + START_LIMIT_MS;
  while (!child.hasEnded() && !signal.aborted && performance.now() < limit) {
    if (((await stateOf(httpUrl)).NumLiveDataNodes ?? 0) > 0) {
      const stop = async (): Promise<void> => {
        await child.stop(STOP_LIMIT_MS);
        await rm(folder, { recursive: true, force: true });
      };
      return { httpUrl, configuration: client, use: async () => await useOf(httpUrl), stop };
    }
    await sleep(POLL_MS);
  }
  await child.stop(STOP_LIMIT_MS);
  signal.throwIfAborted();
  const end = (await readFile(log, 'utf8').catch(() => '')).slice(-MAX_LOG_LENGTH);
  throw new LonghaulError('EMBEDDED_FAILED', `HDFS did not start; its log ${log} ends: ${end}`);
}

/** Enough for a few lines. */
const MAX_LOG_LENGTH = 500;

/** Hadoop's DataNode for tests, which only counts bytes. On a disk its size could not be chosen. */
function ofCapacity(bytes: number): Record<string, string> {
  return {
    'dfs.datanode.fsdataset.factory':
      'org.apache.hadoop.hdfs.server.datanode.SimulatedFSDataset$Factory',
    'dfs.datanode.simulateddatastorage.capacity': String(bytes),
    'dfs.namenode.fs-limits.min-block-size': '0',
  };
}

/** State that the NameNode reports. Empty if it does not answer. */
interface HdfsState {
  NumLiveDataNodes?: number;
  CapacityUsed?: number;
  CapacityTotal?: number;
}

async function useOf(httpUrl: string): Promise<number> {
  const { CapacityUsed: used = 0, CapacityTotal: total = 1 } = await stateOf(httpUrl);
  return used / total;
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

/** @returns false if the HDFS does not remove its files. */
async function empty(httpUrl: string): Promise<boolean> {
  const url = `${httpUrl}/webhdfs/v1/`;
  const answer = await fetch(`${url}?op=LISTSTATUS`);
  const { FileStatuses } = (await answer.json()) as {
    FileStatuses: { FileStatus: { pathSuffix: string }[] };
  };
  const removed = FileStatuses.FileStatus.map(async ({ pathSuffix }) => {
    const path = url + encodeURIComponent(pathSuffix);
    return (await fetch(`${path}?op=DELETE&recursive=true`, { method: 'DELETE' })).ok;
  });
  return (await Promise.all(removed)).every(Boolean);
}
