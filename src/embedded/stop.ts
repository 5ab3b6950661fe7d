import { takeLock } from './generation-lock.ts';
import { isHolder, runningHost, signalUntilGone, stopIfUnused } from './join.ts';
import type { HostStatus } from './host-record.ts';
import { isInUse, membershipOf, pin, unpin } from './membership.ts';
import { statePaths } from './state-files.ts';
import { EMBEDDED_NAMESPACE } from './temporal-namespace.ts';
import { findTemporal } from './temporal-process.ts';

export interface EmbeddedInfo {
  status: HostStatus;
  pid: number;
  version: string;
  namespace: string;
  /** Once Temporal is up. */
  address?: string;
  uiUrl?: string;
  /** Process ids of the commands that use it. */
  members: number[];
  /** It stays without members. */
  pinned: boolean;
}

/** What runs for a state folder, if anything does. */
export async function findEmbedded(stateDir: string): Promise<EmbeddedInfo | undefined> {
  const host = await runningHost(stateDir);
  if (!host) return undefined;
  const { members, pinned } = await membershipOf(stateDir);
  const { status, pid, version, address, uiUrl } = host;
  return {
    status,
    pid,
    version,
    namespace: EMBEDDED_NAMESPACE,
    pinned,
    ...(address === undefined ? {} : { address }),
    ...(uiUrl === undefined ? {} : { uiUrl }),
    members: members.map((each) => each.pid),
  };
}

/** Makes the running server stay when its last member leaves, until `stopEmbedded` or a restart of the machine. */
export async function pinEmbedded(stateDir: string): Promise<void> {
  await pin(stateDir);
}

export interface StopResult {
  /** `stops-later`: when the members have left. */
  outcome: 'not-running' | 'stopped' | 'stops-later';
  /** Process ids of the commands that use it still. */
  members: number[];
}

/**
 * Stops the server as soon as nobody uses it; with `force`, at once: runs under way go on with the next start.
 * A Temporal server whose host was killed is stopped too.
 */
export async function stopEmbedded(
  stateDir: string,
  { force = false }: { force?: boolean } = {},
): Promise<StopResult> {
  await unpin(stateDir);
  const host = await runningHost(stateDir);
  if (!host) return { outcome: await stopLeftTemporal(stateDir), members: [] };
  const membership = await membershipOf(stateDir);
  if (isInUse(membership) && !force) {
    return { outcome: 'stops-later', members: membership.members.map((each) => each.pid) };
  }
  if (force) await signalUntilGone(stateDir, 'SIGTERM', async () => await Promise.resolve(false));
  else await stopIfUnused(stateDir);
  return { outcome: (await isHolder(stateDir, host)) ? 'stops-later' : 'stopped', members: [] };
}

async function stopLeftTemporal(stateDir: string): Promise<'not-running' | 'stopped'> {
  const attempt = await takeLock(statePaths(stateDir).locks);
  if (!('taken' in attempt)) return 'not-running';
  try {
    const temporal = await findTemporal(stateDir);
    if (!temporal) return 'not-running';
    await temporal.stop();
    return 'stopped';
  } finally {
    await attempt.taken.release();
  }
}
