import { randomUUID } from 'node:crypto';
import { rm, stat, statfs, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { bytesText } from '../render/units.ts';
import type { Check, Finding } from './check.ts';

/** A disk that sleeps, or a network's, takes a few seconds. */
const LIMIT_MS = 15_000;
/** A landing of a few years of a city's files, what is converted from it, and what DuckDB spills meanwhile. */
const ENOUGH_BYTES = 5 * 1024 ** 3;

export function diskCheck(dataDir: string): Check {
  return {
    id: 'disk',
    title: 'Disk',
    limitMs: LIMIT_MS,
    run: async () => await lookAtDisk(dataDir),
  };
}

async function lookAtDisk(dataDir: string): Promise<Finding> {
  const folder = await nearestThere(dataDir);
  const place = folder === dataDir ? dataDir : `${dataDir} (not there yet; ${folder} is)`;
  try {
    await writeAndRemove(folder);
  } catch (error) {
    return {
      status: 'problem',
      found: `${place} cannot be written: ${(error as Error).message}`,
      fix: 'Set DATA_DIR to a folder that you may write, or change the rights of this one.',
    };
  }
  const { bavail, bsize } = await statfs(folder);
  return spaceFinding(bavail * bsize, place);
}

export function spaceFinding(freeBytes: number, place: string): Finding {
  const free = `${place} can be written, ${bytesText(freeBytes)} free`;
  if (freeBytes >= ENOUGH_BYTES) return { status: 'ok', found: free };
  return {
    status: 'problem',
    found: `${free}, less than ${bytesText(ENOUGH_BYTES)}`,
    fix: 'Free some space, or set DATA_DIR to a folder of a larger disk.',
  };
}

/** DATA_DIR is made by the first command that needs it, and not by a look at it. */
async function nearestThere(folder: string): Promise<string> {
  const parent = dirname(folder);
  if (parent === folder) return folder;
  const isThere = await stat(folder).then(
    () => true,
    () => false,
  );
  return isThere ? folder : await nearestThere(parent);
}

/** Rights alone say little: a disk may be full, or mounted for reading. */
async function writeAndRemove(folder: string): Promise<void> {
  const path = join(folder, `.longhaul-doctor-${randomUUID()}`);
  try {
    await writeFile(path, 'longhaul doctor\n', { flush: true });
  } catch (error) {
    // What a full disk took of it.
    await rm(path, { force: true }).catch(() => undefined);
    throw error;
  }
  await rm(path);
}
