import { parentPort, workerData } from 'node:worker_threads';
import { profileRange } from './profile-range.ts';
import { emptyProfile, mergeProfiles } from './profiler.ts';
import type { Profile } from './profiler.ts';
import type { RangeToProfile } from './profile-range.ts';

/** Profiles its ranges one after the other; messages to the parent are `ProfileMessage`s. */
export type ProfileMessage = { bytes: number } | { profile: Profile };

const ranges = workerData as RangeToProfile[];
const total = emptyProfile(ranges[0]?.columns ?? 0);
for (const range of ranges) {
  mergeProfiles(total, await profileRange(range, (bytes) => send({ bytes })));
}
send({ profile: total });

function send(message: ProfileMessage): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread's port, not a window
  parentPort?.postMessage(message);
}
