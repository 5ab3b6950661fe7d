import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  bootId,
  isIdentity,
  livenessOf,
  ownIdentity,
  type ProcessIdentity,
} from './process-identity.ts';
import { createFile, readFields, replaceFile, statePaths } from './state-files.ts';

/** Who uses the server of a state folder: a file for each process, gone or dead when it no longer does. */
export interface Membership {
  members: ProcessIdentity[];
  /** `longhaul up --background` wants the server to stay. */
  pinned: boolean;
}

/** Says that this process uses the server, until the function that comes back is called. */
export async function enter(stateDir: string): Promise<() => Promise<void>> {
  const self = ownIdentity();
  const body = JSON.stringify(self);
  for (let n = 1; ; n += 1) {
    const path = join(statePaths(stateDir).members, `${self.pid}-${self.startTime}-${n}.json`);
    if (await createFile(path, body)) return async () => await rm(path, { force: true });
  }
}

/** Removes the files of the dead on the way. */
export async function membershipOf(stateDir: string): Promise<Membership> {
  const paths = statePaths(stateDir);
  const names = await readdir(paths.members).catch((): string[] => []);
  const members: ProcessIdentity[] = [];
  for (const name of names.filter((each) => each.endsWith('.json'))) {
    const path = join(paths.members, name);
    const fields = await readFields(path);
    // A member on another machine cannot use a server that listens on loopback.
    if (isIdentity(fields) && livenessOf(fields) === 'alive') members.push(fields);
    else await rm(path, { force: true });
  }
  return { members, pinned: await isPinned(paths.pin) };
}

export function isInUse(membership: Membership): boolean {
  return membership.pinned || membership.members.length > 0;
}

/** Makes the server stay without members, until `unpin` or until the machine starts anew. */
export async function pin(stateDir: string): Promise<void> {
  await replaceFile(statePaths(stateDir).pin, JSON.stringify({ bootId: bootId() }));
}

export async function unpin(stateDir: string): Promise<void> {
  await rm(statePaths(stateDir).pin, { force: true });
}

async function isPinned(path: string): Promise<boolean> {
  return (await readFields(path))?.['bootId'] === bootId();
}
