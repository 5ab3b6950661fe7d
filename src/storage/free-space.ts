import { randomUUID } from 'node:crypto';
import { rm, stat, statfs, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { bytesText } from '../model/bytes-text.ts';
import { LonghaulError } from '../model/errors.ts';
import { noInodesError, storageError } from './disk-errors.ts';

/**
 * Landings and conversions never take the last of a disk. What shares it must be able to write what became of them:
 * the SQLite database of the embedded Temporal (a run of 300 sources adds 10 MB), its logs (20 MB at most), manifests
 * and checkpoints. The rest is for what writers take between two looks.
 */
export const RESERVE_BYTES = 64 * 1024 * 1024;
/** In files, where the file system counts them: SQLite needs a new one for the journal of each transaction. */
const RESERVE_FILES = 32;

export interface FreeSpace {
  bytes: number;
  /** Infinity where the file system does not count them. */
  files: number;
  /** Which file system. */
  device: number;
}

/** Of the file system that has the path, or will have it. */
export async function freeSpace(path: string): Promise<FreeSpace> {
  const folder = await nearestThere(path);
  const [{ blocks, bavail, bsize, files, ffree }, { dev }] = await Promise.all([
    statfs(folder),
    stat(folder),
  ]);
  return {
    // Some file systems over a network do not say.
    bytes: blocks === 0 ? Infinity : bavail * bsize,
    files: files === 0 ? Infinity : ffree,
    device: dev,
  };
}

/** The folder itself, or the nearest above it that is there. */
export async function nearestThere(path: string): Promise<string> {
  const parent = dirname(path);
  if (parent === path) return path;
  const isThere = await stat(path).then(
    () => true,
    () => false,
  );
  return isThere ? path : await nearestThere(parent);
}

/** @throws LonghaulError DISK_FULL where no more than the reserve is left. */
export async function assertReserve(path: string): Promise<void> {
  const { bytes, files } = await freeSpace(path);
  if (files < RESERVE_FILES) throw noInodesError(path, bytes);
  if (bytes >= RESERVE_BYTES) return;
  throw new LonghaulError(
    'DISK_FULL',
    `Only ${bytesText(bytes)} are free on the disk of ${path}: the last ${bytesText(RESERVE_BYTES)} are kept for Temporal and for manifests.`,
  );
}

/** A disk's fill level is looked at this often: an engine writes some 30 MB in that time. */
const LOOK_INTERVAL_MS = 100;

/**
 * Does work that writes to a disk by other means than this program's own: its signal is aborted with DISK_FULL as soon
 * as only the reserve is left.
 * @throws LonghaulError DISK_FULL; what the work throws.
 */
export async function keepingReserve<T>(
  path: string,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  await assertReserve(path);
  const full = new AbortController();
  const timer = setInterval(() => {
    assertReserve(path).catch((error: unknown) => {
      // A disk that does not say is the work's own to find out.
      if (error instanceof LonghaulError) full.abort(error);
    });
  }, LOOK_INTERVAL_MS);
  try {
    return await work(AbortSignal.any([signal, full.signal]));
  } finally {
    clearInterval(timer);
  }
}

/** About what SQLite writes for a transaction of Temporal's. */
const TRIAL_BYTES = 256 * 1024;

/**
 * Writes a small file and removes it: rights and figures alone say little of a disk with quotas, or without inodes, or
 * one that is mounted for reading.
 * @throws LonghaulError DISK_FULL, LAKE_NOT_WRITABLE; what else the file system says.
 */
export async function tryWriting(folder: string): Promise<void> {
  const path = join(folder, `.longhaul-trial-${randomUUID()}`);
  try {
    await writeFile(path, Buffer.alloc(TRIAL_BYTES));
  } catch (error) {
    throw storageError(error, folder);
  } finally {
    await rm(path, { force: true }).catch(() => undefined);
  }
}
