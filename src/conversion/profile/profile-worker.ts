import { parentPort, workerData } from 'node:worker_threads';
import { toPlainError, type PlainError } from '../plain-error.ts';
import { profileRange } from './profile-range.ts';
import type { RangeToProfile } from './profile-range.ts';
import type { Profile } from './profiler.ts';

/** Profiles its range; messages to the parent are `ProfileMessage`s. */
export type ProfileMessage = { bytes: number } | { profile: Profile } | { error: PlainError };

try {
  send({ profile: await profileRange(workerData as RangeToProfile, (bytes) => send({ bytes })) });
} catch (error) {
  send({ error: toPlainError(error) });
}

function send(message: ProfileMessage): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread's port, not a window
  parentPort?.postMessage(message);
}
