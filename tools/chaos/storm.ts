import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '../generate/random.ts';
import { processesOf, signal, type Role } from './processes.ts';

/** A fault that the storm injects. */
export interface Fault {
  /** Time since the fault before it. */
  afterMs: number;
  action: 'kill' | 'freeze' | 'replace';
  /** Process to hit. A replacement does not use it. */
  role: Role;
  /** How long a frozen process stays frozen, or a killed origin or gateway stays away. */
  forMs: number;
  /** Chooses the file to replace, and its version. */
  choice: number;
}

/** The lab's parts that the storm needs. */
interface StormTargets {
  folder: string;
  /** Starts a killed server that no other process starts again. */
  revive(role: Role): Promise<void>;
  /** Gives a file of the publisher another version. */
  replace(choice: number): Promise<void>;
  note(what: string): void;
}

const MIN_FAULTS = 4;
const MAX_FAULTS = 9;
const MAX_AFTER_MS = 2500;
/** Longer than the runs' heartbeat timeout, so that another attempt may start while the frozen one still exists. */
const MAX_FOR_MS = 5000;
/** A conversion takes half a second. A killed host needs some seconds until it runs again. */
const FIND_LIMIT_MS = 4000;
const FIND_INTERVAL_MS = 5;

/** Each role is hit as often as the list names it. */
const ROLES: Record<'disk' | 's3', readonly Role[]> = {
  disk: ['host', 'host', 'host', 'temporal', 'temporal', 'command', 'conversion', 'origin'],
  s3: ['host', 'host', 'temporal', 'command', 'conversion', 'origin', 'gateway', 'gateway'],
};

export function planStorm(random: Random, target: 'disk' | 's3'): Fault[] {
  const count = MIN_FAULTS + random.below(MAX_FAULTS - MIN_FAULTS + 1);
  return Array.from({ length: count }, () => {
    const action = random.pick(['kill', 'kill', 'freeze', 'freeze', 'replace'] as const);
    const role = random.pick(ROLES[target]);
    const afterMs = random.below(MAX_AFTER_MS);
    return { action, afterMs, role, forMs: 100 + random.below(MAX_FOR_MS), choice: random.next() };
  });
}

/** Runs the faults. It ends when every frozen process goes on and every killed server runs again. */
export async function runStorm(
  faults: readonly Fault[],
  targets: StormTargets,
  over: AbortSignal,
): Promise<void> {
  const recoveries: Promise<void>[] = [];
  for (const fault of faults) {
    await sleep(fault.afterMs, undefined, { signal: over }).catch(() => undefined);
    if (over.aborted) break;
    if (fault.action === 'replace') await targets.replace(fault.choice);
    else recoveries.push((await inject(fault, targets, over))());
    // `Promise.all` below reports a failure. Until then, it must not end this process.
    void recoveries.at(-1)?.catch(() => undefined);
  }
  await Promise.all(recoveries);
}

/** @returns a function that undoes the fault later, while other faults happen. */
async function inject(
  { action, role, forMs }: Fault,
  targets: StormTargets,
  over: AbortSignal,
): Promise<() => Promise<void>> {
  const pid = await find(role, targets, over);
  if (pid === undefined) {
    targets.note(`no ${role} to ${action}`);
    return async () => undefined;
  }
  signal(pid, action === 'kill' ? 'SIGKILL' : 'SIGSTOP');
  targets.note(`${action} ${role} ${pid}${action === 'freeze' ? ` for ${forMs} ms` : ''}`);
  return async () => {
    if (action === 'freeze') {
      await sleep(forMs);
      signal(pid, 'SIGCONT');
    } else if (role === 'origin' || role === 'gateway') {
      await sleep(forMs);
      await targets.revive(role);
    }
  };
}

async function find(
  role: Role,
  { folder }: StormTargets,
  over: AbortSignal,
): Promise<number | undefined> {
  const limit = performance.now() + FIND_LIMIT_MS;
  while (!over.aborted && performance.now() < limit) {
    const found = processesOf(folder).find((each) => each.role === role);
    if (found) return found.pid;
    await sleep(FIND_INTERVAL_MS);
  }
  return undefined;
}
