import { existsSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { makeOwnedFolder, removeAbandonedFolders } from './owned-folders.ts';
import { startHdfs, type Hdfs, type HdfsOptions } from './hdfs.ts';

export interface HdfsPool {
  /** An empty HDFS for one cluster. */
  take(wanted: Pick<HdfsOptions, 'capacityBytes' | 'signal'>): Promise<Hdfs>;
  /** Ends those that wait for a cluster. */
  close(): Promise<void>;
}

/**
 * HDFSs below a folder, one for each cluster at a time. One that its cluster left is emptied and serves the next: its
 * start costs more than all else that a small cluster does. One with a capacity of its own serves once.
 */
export function hdfsPool(folder: string, programs: Pick<HdfsOptions, 'java' | 'jars'>): HdfsPool {
  const idle: Hdfs[] = [];
  let isClosed = false;

  const start = async (wanted: Pick<HdfsOptions, 'capacityBytes' | 'signal'>): Promise<Hdfs> => {
    started += 1;
    const where = wanted.capacityBytes === undefined ? folder : await smallHdfsFolder(folder);
    const own = await makeOwnedFolder(where, `hdfs-${process.pid}-${started}`);
    const remove = async (): Promise<void> => await rm(own, { recursive: true, force: true });
    try {
      const hdfs = await startHdfs({ ...programs, ...wanted, folder: own });
      const stop = async (): Promise<void> => {
        await hdfs.stop();
        await remove();
      };
      return { ...hdfs, stop };
    } catch (error) {
      await remove();
      throw error;
    }
  };
  const giveBack = async (hdfs: Hdfs): Promise<void> => {
    const isEmpty = !isClosed && (await empty(hdfs.httpUrl).catch(() => false));
    if (isEmpty && !isClosed) idle.push(hdfs);
    else await hdfs.stop();
  };
  return {
    take: async (wanted) => {
      if (wanted.capacityBytes !== undefined) return await start(wanted);
      const hdfs = idle.pop() ?? (await start(wanted));
      return { ...hdfs, stop: async () => await giveBack(hdfs) };
    },
    close: async () => {
      isClosed = true;
      await Promise.all(idle.map(async (hdfs) => await hdfs.stop()));
    },
  };
}

/** HDFSs that this process has started: each has a folder of its name. */
let started = 0;

/**
 * In memory where the system has such a place. A capacity is what remains of the whole file system, and on a disk less
 * than that is free: some is for the system only, so a small HDFS on it is full from the start.
 */
async function smallHdfsFolder(otherwise: string): Promise<string> {
  if (!existsSync(SHARED_MEMORY)) return otherwise;
  const folder = `${SHARED_MEMORY}/longhaul-hdfs-${userInfo().uid}`;
  await mkdir(folder, { recursive: true });
  await removeAbandonedFolders(folder);
  return folder;
}

const SHARED_MEMORY = '/dev/shm';

/** False where the HDFS does not remove its files. */
async function empty(httpUrl: string): Promise<boolean> {
  const url = `${httpUrl}/webhdfs/v1/`;
  const answer = await fetch(`${url}?op=LISTSTATUS`);
  const { FileStatuses } = (await answer.json()) as Listing;
  const removed = FileStatuses.FileStatus.map(async ({ pathSuffix }) => {
    const path = url + encodeURIComponent(pathSuffix);
    return (await fetch(`${path}?op=DELETE&recursive=true`, { method: 'DELETE' })).ok;
  });
  return (await Promise.all(removed)).every(Boolean);
}

/** As WebHDFS says it. */
interface Listing {
  FileStatuses: { FileStatus: { pathSuffix: string }[] };
}
