import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '../generate/random.ts';
import { processesOf, signal, type Role } from './processes.ts';

/** One thing that goes wrong. */
export interface Blow {
  /** After the blow before it. */
  afterMs: number;
  deed: 'kill' | 'freeze' | 'replace';
  /** Of a replacement: the origin, whose file it is. */
  role: Role;
  /** How long a frozen process stays so, and how long until a killed origin or gateway is back. */
  forMs: number;
  /** Says which file is replaced by which version. */
  choice: number;
}

/** What the storm needs of the world that it strikes. */
interface Victims {
  folder: string;
  /** A killed server that no other process starts again. */
  revive(role: Role): Promise<void>;
  /** The publisher has another version of a file. */
  replace(choice: number): Promise<void>;
  note(what: string): void;
}

const MIN_BLOWS = 4;
const MAX_BLOWS = 9;
const MAX_AFTER_MS = 2500;
/** Longer than the heartbeat timeout of the runs: another attempt may start while the frozen one still lives. */
const MAX_FOR_MS = 5000;
/** A conversion takes half a second, and a killed host needs some seconds until it is there again. */
const FIND_LIMIT_MS = 4000;
const FIND_INTERVAL_MS = 5;

/** Who is struck, as often as its name is there. */
const ROLES: Record<'disk' | 's3', readonly Role[]> = {
  disk: ['host', 'host', 'host', 'temporal', 'temporal', 'command', 'conversion', 'origin'],
  s3: ['host', 'host', 'temporal', 'command', 'conversion', 'origin', 'gateway', 'gateway'],
};

export function planStorm(random: Random, target: 'disk' | 's3'): Blow[] {
  const count = MIN_BLOWS + random.below(MAX_BLOWS - MIN_BLOWS + 1);
  return Array.from({ length: count }, () => {
    const deed = random.pick(['kill', 'kill', 'freeze', 'freeze', 'replace'] as const);
    const role = random.pick(ROLES[target]);
    const afterMs = random.below(MAX_AFTER_MS);
    return { deed, afterMs, role, forMs: 100 + random.below(MAX_FOR_MS), choice: random.next() };
  });
}

/** Ends when every blow has struck, every frozen process goes on, and every killed server is back. */
export async function rage(
  blows: readonly Blow[],
  victims: Victims,
  over: AbortSignal,
): Promise<void> {
  const recoveries: Promise<void>[] = [];
  for (const blow of blows) {
    await sleep(blow.afterMs, undefined, { signal: over }).catch(() => undefined);
    if (over.aborted) break;
    if (blow.deed === 'replace') await victims.replace(blow.choice);
    else recoveries.push((await strike(blow, victims, over))());
    // A failure is reported at the end, and does not end this process now.
    void recoveries.at(-1)?.catch(() => undefined);
  }
  await Promise.all(recoveries);
}

/** @returns what undoes the blow later, while other blows strike. */
async function strike(
  { deed, role, forMs }: Blow,
  victims: Victims,
  over: AbortSignal,
): Promise<() => Promise<void>> {
  const pid = await find(role, victims, over);
  if (pid === undefined) {
    victims.note(`no ${role} to ${deed}`);
    return async () => undefined;
  }
  signal(pid, deed === 'kill' ? 'SIGKILL' : 'SIGSTOP');
  victims.note(`${deed} ${role} ${pid}${deed === 'freeze' ? ` for ${forMs} ms` : ''}`);
  return async () => {
    if (deed === 'freeze') {
      await sleep(forMs);
      signal(pid, 'SIGCONT');
    } else if (role === 'origin' || role === 'gateway') {
      await sleep(forMs);
      await victims.revive(role);
    }
  };
}

async function find(
  role: Role,
  { folder }: Victims,
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
