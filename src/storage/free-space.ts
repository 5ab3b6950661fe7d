import { randomUUID } from 'node:crypto';
import { rm, stat, statfs, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { bytesText } from '../model/texts.ts';
import { LonghaulError } from '../model/errors.ts';
import { noInodesError, storageError } from './disk-errors.ts';

/**
 * Landings and conversions never use the last bytes of a disk. Other programs must still write there: the SQLite
 * database of the embedded Temporal (a run of 300 sources adds 10 MB), its logs (20 MB at most), manifests and
 * checkpoints. The rest is for bytes that are written between two checks.
 */
const RESERVE_BYTES = 64 * 1024 * 1024;
/** Files, if the file system counts them: SQLite needs a new file for the journal of each transaction. */
const RESERVE_FILES = 32;

interface FreeSpace {
  bytes: number;
  /** Infinity if the file system does not count files. */
  files: number;
  /** Id of the file system. */
  device: number;
}

/** Free space of the file system that has the path, or will have it. */
export async function freeSpace(path: string): Promise<FreeSpace> {
  const folder = await nearestThere(path);
  const [{ blocks, bavail, bsize, files, ffree }, { dev }] = await Promise.all([
    statfs(folder),
    stat(folder),
  ]);
  return {
    // Some network file systems do not say.
    bytes: blocks === 0 ? Infinity : bavail * bsize,
    files: files === 0 ? Infinity : ffree,
    device: dev,
  };
}

/** The folder itself, or the nearest folder above it that exists. */
export async function nearestThere(path: string): Promise<string> {
  const parent = dirname(path);
  if (parent === path) return path;
  const isThere = await stat(path).then(
    () => true,
    () => false,
  );
  return isThere ? path : await nearestThere(parent);
}

/** @throws LonghaulError DISK_FULL if no more than the reserve is left. */
export async function assertReserve(path: string): Promise<void> {
  const { bytes, files } = await freeSpace(path);
  if (files < RESERVE_FILES) throw noInodesError(path, bytes);
  if (bytes >= RESERVE_BYTES) return;
  throw new LonghaulError(
    'DISK_FULL',
    `Only ${bytesText(bytes)} are free on the disk of ${path}: the last ${bytesText(RESERVE_BYTES)} are kept for Temporal and for manifests.`,
  );
}

/** Time between two checks of a disk's free space. An engine writes some 30 MB in that time. */
const LOOK_INTERVAL_MS = 100;

/**
 * Does work in which another program writes to a disk. Its signal is aborted with DISK_FULL as soon as only the reserve
 * is left.
 * @throws LonghaulError DISK_FULL; errors of the work.
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
      // If the disk does not say what is free, the work finds out itself.
      if (error instanceof LonghaulError) full.abort(error);
    });
  }, LOOK_INTERVAL_MS);
  try {
    return await work(AbortSignal.any([signal, full.signal]));
  } finally {
    clearInterval(timer);
  }
}

/** About the bytes that SQLite writes for a transaction of Temporal. */
const CHECK_BYTES = 256 * 1024;

/**
 * Writes a small file and removes it. Permissions and free space say little about a disk that has quotas, has no
 * inodes, or is mounted read-only.
 * @throws LonghaulError DISK_FULL, LAKE_NOT_WRITABLE; other errors of the file system.
 */
export async function tryWriting(folder: string): Promise<void> {
  const path = join(folder, `.longhaul-write-check-${randomUUID()}`);
  try {
    await writeFile(path, Buffer.alloc(CHECK_BYTES));
  } catch (error) {
    throw storageError(error, folder);
  } finally {
    await rm(path, { force: true }).catch(() => undefined);
  }
}

/** Parquet of open data is a quarter to a twelfth as long as its CSV. The largest share is reserved. */
const PARQUET_SHARE = 1 / 4;

interface RoomRequest {
  /** Path of the file that the worker writes. */
  path: string;
  /** Length of the whole file; undefined if the publisher does not say. */
  totalBytes: number | undefined;
  /** Bytes of the file that are already on the disk. */
  landedBytes: () => number;
  /** Folder of the file's Parquet; undefined if the worker does not convert the file. */
  convertedPath: string | undefined;
}

/** Bytes that current landings still need. Two landings must not count on the same free space. */
const claims = new Set<{ device: number; bytes: () => number }>();

/**
 * Refuses a landing that does not fit on its disk, before its first byte. The landing needs the bytes that are left to
 * land, its Parquet if that is on the same file system, and the reserve.
 * @returns a function that ends the claim.
 * @throws LonghaulError DISK_FULL.
 */
export async function claimRoom(request: RoomRequest): Promise<() => void> {
  const { path, totalBytes, landedBytes, convertedPath } = request;
  await assertReserve(path);
  if (totalBytes === undefined) return () => undefined;
  const { bytes: free, device } = await freeSpace(path);
  const isShared =
    convertedPath !== undefined && (await freeSpace(convertedPath)).device === device;
  const parquetBytes = isShared ? Math.ceil(totalBytes * PARQUET_SHARE) : 0;
  const claim = { device, bytes: () => totalBytes - landedBytes() + parquetBytes };
  const others = [...claims].filter((each) => each.device === device);
  const othersBytes = others.reduce((sum, each) => sum + each.bytes(), 0);
  if (claim.bytes() + othersBytes + RESERVE_BYTES > free) {
    throw tooLarge(path, free, [
      [totalBytes - landedBytes(), `for the rest of ${bytesText(totalBytes)}`],
      [parquetBytes, 'for its Parquet'],
      [othersBytes, 'for other landings'],
      [RESERVE_BYTES, 'kept for Temporal'],
    ]);
  }
  claims.add(claim);
  return () => void claims.delete(claim);
}

function tooLarge(path: string, freeBytes: number, needs: [number, string][]): LonghaulError {
  const needed = needs.reduce((sum, [bytes]) => sum + bytes, 0);
  const parts = needs
    .filter(([bytes]) => bytes > 0)
    .map(([bytes, why]) => `${bytesText(bytes)} ${why}`);
  return new LonghaulError(
    'DISK_FULL',
    `${bytesText(freeBytes)} are free on the disk of ${path}, and ${bytesText(needed)} are needed: ${parts.join(', ')}.`,
  );
}
