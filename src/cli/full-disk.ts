import { setTimeout as sleep } from 'node:timers/promises';
import type { Settings } from '../config/settings.ts';
import { ERROR_CATALOGUE, hintOf, LonghaulError, type ErrorCode } from '../model/errors.ts';
import { nearestThere, tryWriting } from '../storage/free-space.ts';
import { interruptible } from './interrupts.ts';
import { asLonghaulError } from './render/error.ts';

/** Landings and conversions that hit a full disk give back what they took within a second. */
const LOOK_INTERVAL_MS = 3000;
const LOOKS_TO_GIVE_UP = 3;

/**
 * Does a command's work with Temporal, as `interruptible` does it. On a full disk the embedded Temporal cannot write that
 * a run has failed, and the command would wait for ever: so it looks at the disk of the state folder itself.
 * @throws LonghaulError DISK_FULL, LAKE_NOT_WRITABLE; what the work throws.
 */
export async function unlessDiskIsFull<T>(
  { stateDir, temporal }: Pick<Settings, 'stateDir' | 'temporal'>,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  if (temporal.address !== undefined) return await interruptible(work);
  const done = new AbortController();
  try {
    return await Promise.race([interruptible(work), watch(stateDir, done.signal)]);
  } catch (error) {
    if (!isSuspect(error)) throw error;
    throw (await problemOf(stateDir)) ?? error;
  } finally {
    done.abort();
  }
}

/** Never resolves. */
async function watch(stateDir: string, done: AbortSignal): Promise<never> {
  for (let problems = 0; ;) {
    await sleep(LOOK_INTERVAL_MS, undefined, { signal: done, ref: false }).catch(() => undefined);
    if (done.aborted) return await new Promise<never>(() => undefined);
    const problem = await problemOf(stateDir);
    problems = problem ? problems + 1 : 0;
    if (problem && problems >= LOOKS_TO_GIVE_UP) throw problem;
  }
}

async function problemOf(stateDir: string): Promise<LonghaulError | undefined> {
  try {
    await tryWriting(await nearestThere(stateDir));
    return undefined;
  } catch (error) {
    if (!(error instanceof LonghaulError)) return undefined;
    const message = `${error.message} The embedded Temporal works in that folder.`;
    const hint = HINTS[error.code] ?? hintOf(error.code);
    return new LonghaulError(error.code, message, { hint }, { cause: error });
  }
}

const AGAIN = 'then run the same command again: a run under way goes on from its checkpoint.';
const HINTS: Partial<Record<ErrorCode, string>> = {
  DISK_FULL: `Make room there, ${AGAIN}`,
  LAKE_NOT_WRITABLE: `Make it writable, ${AGAIN}`,
};

/** What a server without a disk makes of it. */
function isSuspect(error: unknown): boolean {
  const { code } = asLonghaulError(error);
  return code === 'INTERNAL' || ERROR_CATALOGUE[code].class === 'orchestration';
}
