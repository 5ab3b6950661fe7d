import { LonghaulError } from '../model/errors.ts';
import {
  isIdentity,
  livenessOf,
  ownIdentity,
  type Liveness,
  type ProcessIdentity,
} from './process-identity.ts';
import { diskLockFiles, type LockFiles } from './lock-files.ts';
import { parseFields } from './state-files.ts';

/**
 * A lock of numbered files: `lock.<n>` names its owner, and whoever owns the highest n, and lives, holds the
 * lock. A file is created whole and exclusively, and the highest is never deleted, so that a dead holder can be
 * followed without a moment in which two believe that they are the successor.
 */
export interface GenerationLock {
  generation: number;
  release(): Promise<void>;
}

export type LockAttempt = { taken: GenerationLock } | { holder: ProcessIdentity };

export interface LockOptions {
  self?: ProcessIdentity;
  liveness?: (identity: ProcessIdentity) => Liveness;
}

/**
 * Takes the lock, or says who has it.
 * @throws LonghaulError EMBEDDED_FAILED where the holder cannot be judged: it is on another machine, or its
 * file was damaged. The message names the file to remove.
 */
export async function takeLock(
  where: string | LockFiles,
  { self = ownIdentity(), liveness = livenessOf }: LockOptions = {},
): Promise<LockAttempt> {
  const files = typeof where === 'string' ? diskLockFiles(where) : where;
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    const top = await highestOf(files);
    const holder = top === 0 ? undefined : await liveHolder(files, top, liveness);
    if (holder === 'gone') continue;
    if (holder) return { holder };
    const mine = top + 1;
    if (!(await files.create(mine, JSON.stringify(self)))) continue;
    if (await isHighest(files, mine)) return { taken: await hold(files, mine, self) };
    await files.remove(mine);
  }
  throw new LonghaulError(
    'EMBEDDED_FAILED',
    `No turn at the lock in ${files.name} after ${MAX_ROUNDS} rounds.`,
  );
}

/** Whoever holds the lock and lives. Throws as `takeLock` does. */
export async function lockHolder(
  where: string | LockFiles,
  { liveness = livenessOf }: LockOptions = {},
): Promise<ProcessIdentity | undefined> {
  const files = typeof where === 'string' ? diskLockFiles(where) : where;
  for (;;) {
    const top = await highestOf(files);
    const holder = top === 0 ? undefined : await liveHolder(files, top, liveness);
    if (holder !== 'gone') return holder;
  }
}

/** A round is lost only when another process took or left the lock meanwhile. */
const MAX_ROUNDS = 100;

/** `gone`: removed by a later holder between listing and reading. */
async function liveHolder(
  files: LockFiles,
  generation: number,
  liveness: (identity: ProcessIdentity) => Liveness,
): Promise<ProcessIdentity | 'gone' | undefined> {
  const text = await files.read(generation);
  if (text === undefined) return 'gone';
  if (text === RELEASED) return undefined;
  const fields = parseFields(text);
  if (!isIdentity(fields)) throw unclear(files, generation, 'cannot be read');
  const state = liveness(fields);
  if (state === 'elsewhere') {
    throw unclear(
      files,
      generation,
      `belongs to process ${fields.pid} on ${JSON.stringify(fields.hostname)}`,
    );
  }
  return state === 'alive' ? fields : undefined;
}

function unclear(files: LockFiles, generation: number, why: string): LonghaulError {
  const path = files.pathOf(generation);
  const hint = `If no longhaul uses this DATA_DIR on any machine, remove ${path} and try again.`;
  return new LonghaulError('EMBEDDED_FAILED', `The lock ${path} ${why}.`, { hint });
}

/** Someone slower may have created a generation below one that was created meanwhile. */
async function isHighest(files: LockFiles, mine: number): Promise<boolean> {
  return (await highestOf(files)) === mine;
}

async function highestOf(files: LockFiles): Promise<number> {
  return Math.max(0, ...(await files.list()));
}

async function hold(
  files: LockFiles,
  generation: number,
  self: ProcessIdentity,
): Promise<GenerationLock> {
  const lock: GenerationLock = {
    generation,
    release: async () => {
      if ((await files.read(generation)) !== JSON.stringify(self)) return;
      await files.replace(generation, RELEASED);
    },
  };
  for (const each of await files.list()) if (each < generation) await files.remove(each);
  return lock;
}

const RELEASED = 'released';
