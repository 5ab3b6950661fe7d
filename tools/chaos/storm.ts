import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '../generate/random.ts';
import { processesOf, signal, type Role } from './processes.ts';

/** One thing that goes wrong. */
export interface Fault {
  /** After the fault before it. */
  afterMs: number;
  action: 'kill' | 'freeze' | 'replace';
  /** Of a replacement: the origin, whose file it is. */
  role: Role;
  /** How long a frozen process stays so, and how long until a killed origin or gateway is back. */
  forMs: number;
  /** Says which file is replaced by which version. */
  choice: number;
}

/** What the storm needs of its lab. */
interface StormTargets {
  folder: string;
  /** A killed server that no other process starts again. */
  revive(role: Role): Promise<void>;
  /** The publisher has another version of a file. */
  replace(choice: number): Promise<void>;
  note(what: string): void;
}

const MIN_FAULTS = 4;
const MAX_FAULTS = 9;
const MAX_AFTER_MS = 2500;
/** Longer than the heartbeat timeout of the runs: another attempt may start while the frozen one is still there. */
const MAX_FOR_MS = 5000;
/** A conversion takes half a second, and a killed host needs some seconds until it is there again. */
const FIND_LIMIT_MS = 4000;
const FIND_INTERVAL_MS = 5;

/** How often a fault is about each role: as often as its name is there. */
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

/** Ends when every fault has happened, every frozen process goes on, and every killed server is back. */
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
    // A failure is reported at the end, and does not end this process now.
    void recoveries.at(-1)?.catch(() => undefined);
  }
  await Promise.all(recoveries);
}

/** @returns what undoes the fault later, while other faults happen. */
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
