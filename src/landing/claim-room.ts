import { bytesText } from '../model/bytes-text.ts';
import { LonghaulError } from '../model/errors.ts';
import { assertReserve, freeSpace, RESERVE_BYTES } from '../storage/free-space.ts';

/** Parquet of open data is a quarter to a twelfth as long as its CSV: the largest of that is asked for. */
const PARQUET_SHARE = 1 / 4;

export interface RoomRequest {
  /** Where the file is written. */
  path: string;
  /** Unknown where the publisher does not say. */
  totalBytes: number | undefined;
  /** Of those, what is on the disk already. */
  landedBytes: () => number;
  /** The folder that its Parquet is written to next, if it is. */
  convertedPath: string | undefined;
}

/** What landings under way still need: two at once must not count on the same free space. */
const claims = new Set<{ device: number; bytes: () => number }>();

/**
 * Refuses a landing that does not fit on its disk, before its first byte: what is left to land, its Parquet where that
 * goes to the same file system, and the reserve.
 * @returns ends the claim.
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
      [othersBytes, 'for other files on their way'],
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
