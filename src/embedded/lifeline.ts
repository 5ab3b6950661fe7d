import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { open, readdir, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { LonghaulError } from '../model/errors.ts';
import { writeFields } from './state-files.ts';

/**
 * A lifeline is a FIFO that a process holds open. Whoever opens it for writing, without waiting, learns from the kernel
 * whether that process lives: the kernel closes it at the process's end, whatever ends it. Held until then, or until it is
 * closed.
 */
export async function holdLifeline(path: string): Promise<FileHandle> {
  await promisify(execFile)('mkfifo', ['-m', '600', path]).catch(async (error: unknown) => {
    if ((await stat(path).catch(() => undefined))?.isFIFO()) return;
    // Throws where the disk is full, or the folder cannot be written.
    await writeFields(`${path}.try`, {});
    await rm(`${path}.try`);
    const message = `Cannot make the FIFO ${path}: ${String(error)}`;
    const hint = 'Point DATA_DIR to a folder on a local disk.';
    throw new LonghaulError('EMBEDDED_FAILED', message, { hint }, { cause: error });
  });
  // For reading and writing, so that opening it does not wait for the other side.
  const held = await open(path, constants.O_RDWR);
  lifelines.push(held);
  return held;
}

/** Kept from the garbage collector, which closes files that nothing refers to. */
const lifelines: FileHandle[] = [];

/** Whether a process holds it. It may be the caller's own. */
export async function isHeld(path: string): Promise<boolean> {
  try {
    await (await open(path, constants.O_WRONLY | constants.O_NONBLOCK)).close();
    return true;
  } catch (error) {
    // ENXIO: no process has it open for reading.
    if (['ENXIO', 'ENOENT'].includes((error as NodeJS.ErrnoException).code ?? '')) return false;
    throw error;
  }
}

export interface HostLock {
  /** False once the state folder was removed or moved away, or the lock in it. */
  isThere(): Promise<boolean>;
  /** Ends before this process does: nothing of the state folder may be used afterwards. */
  release(): Promise<void>;
}

/**
 * Makes this process the only host of a state folder, for as long as it lives. Undefined where another one is.
 *
 * Each candidate first shows a lifeline under a name that is never used again, then looks at all the others. Of two
 * candidates at least one sees the other, so never both hold the lock; and a lifeline that nobody holds is dead for
 * ever, so that removing it does no harm. The candidate whose name comes first waits until the others have given up.
 */
export async function takeHostLock(stateDir: string): Promise<HostLock | undefined> {
  const mine = join(stateDir, `host.${randomUUID()}.alive`);
  const held = await holdLifeline(`${mine}.new`);
  // Shown only once it is held: from here on it is alive until this process ends.
  await rename(`${mine}.new`, mine);
  const release = async (): Promise<void> => {
    await held.close();
    await rm(mine, { force: true });
  };
  for (let look = 0; look < MAX_LOOKS; look += 1) {
    const others = await livingOthers(stateDir, mine);
    if (others.length === 0) return { isThere: async () => await isHeld(mine), release };
    if (others.some((other) => other < mine)) break;
    await sleep(LOOK_INTERVAL_MS);
  }
  await release();
  return undefined;
}

/** A candidate gives up in milliseconds; who stays longer is the host. */
const MAX_LOOKS = 40;
const LOOK_INTERVAL_MS = 25;

async function livingOthers(stateDir: string, mine: string): Promise<string[]> {
  const living: string[] = [];
  for (const name of await readdir(stateDir)) {
    const path = join(stateDir, name);
    if (path === mine || !/^host\..*\.alive(?:\.new)?$/.test(name)) continue;
    if (name.endsWith('.new')) await removeIfOld(path);
    else if (await isHeld(path)) living.push(path);
    else await rm(path, { force: true });
  }
  return living;
}

/** Between its making and its showing a lifeline may not be held yet; a candidate that was killed there leaves it. */
async function removeIfOld(path: string): Promise<void> {
  const made = (await stat(path).catch(() => undefined))?.mtimeMs ?? Infinity;
  if (Date.now() - made > MAKING_LIMIT_MS) await rm(path, { force: true });
}

const MAKING_LIMIT_MS = 600_000;
