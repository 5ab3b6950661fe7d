import { bytesText } from '../../model/bytes-text.ts';
import { LonghaulError } from '../../model/errors.ts';
import { freeSpace, nearestThere, tryWriting } from '../../storage/free-space.ts';
import type { Check, Finding } from './check.ts';

/** A disk that sleeps, or a network's, takes a few seconds. */
const LIMIT_MS = 15_000;
/** A landing of a few years of a city's files, what is converted from it, and what DuckDB spills meanwhile. */
const ENOUGH_BYTES = 5 * 1024 ** 3;

const MAKE_ROOM = 'Free some space, or set DATA_DIR to a folder of a larger disk.';

export function diskCheck(dataDir: string): Check {
  return {
    id: 'disk',
    title: 'Disk',
    limitMs: LIMIT_MS,
    run: async () => await lookAtDisk(dataDir),
  };
}

async function lookAtDisk(dataDir: string): Promise<Finding> {
  // DATA_DIR is made by the first command that needs it, and not by a look at it.
  const folder = await nearestThere(dataDir);
  const place = folder === dataDir ? dataDir : `${dataDir} (not there yet; ${folder} is)`;
  try {
    await tryWriting(folder);
  } catch (error) {
    const isFull = error instanceof LonghaulError && error.code === 'DISK_FULL';
    return {
      status: 'problem',
      found: `${place} cannot be written: ${(error as Error).message}`,
      fix: isFull
        ? MAKE_ROOM
        : 'Set DATA_DIR to a folder that you may write, or change the rights of this one.',
    };
  }
  return spaceFinding((await freeSpace(folder)).bytes, place);
}

export function spaceFinding(freeBytes: number, place: string): Finding {
  const free = `${place} can be written, ${bytesText(freeBytes)} free`;
  if (freeBytes >= ENOUGH_BYTES) return { status: 'ok', found: free };
  return {
    status: 'problem',
    found: `${free}, less than ${bytesText(ENOUGH_BYTES)}`,
    fix: MAKE_ROOM,
  };
}
