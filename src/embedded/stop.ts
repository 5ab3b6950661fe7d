import { LonghaulError } from '../model/errors.ts';
import { HostLink } from './host-link.ts';
import type { HostState } from './protocol.ts';

export type EmbeddedInfo = Omit<HostState, 'leave' | 'error'>;

/** What runs for a state folder, if anything does. */
export async function findEmbedded(stateDir: string): Promise<EmbeddedInfo | undefined> {
  const link = await look(stateDir);
  link?.close();
  return link?.state;
}

/** Makes the running server stay when its last member leaves, until `stopEmbedded` or a restart of the machine. */
export async function pinEmbedded(stateDir: string): Promise<void> {
  const link = await look(stateDir);
  link?.say({ say: 'stay' });
  const state = link && (await link.until(({ pinned }) => pinned));
  link?.close();
  if (!state) throw new LonghaulError('EMBEDDED_FAILED', 'The embedded server has just ended.');
}

export interface StopResult {
  /** `stops-later`: when the members have left. */
  outcome: 'not-running' | 'stopped' | 'stops-later';
  /** Process ids of the commands that use it still. */
  members: number[];
  /** Process ids of each foreground `longhaul up` that this ended. */
  ups: number[];
}

/**
 * Stops the server as soon as no command uses it, and every foreground `longhaul up` at once; with `force`, all of it at
 * once: runs under way go on with the next start.
 */
export async function stopEmbedded(
  stateDir: string,
  { force = false }: { force?: boolean } = {},
): Promise<StopResult> {
  const link = await look(stateDir);
  if (!link?.state) return { outcome: 'not-running', members: [], ups: [] };
  const { ups } = link.state;
  link.say({ say: 'down', force });
  const answer = await link.until(({ status, pinned, members }) => {
    return status !== 'stopping' && !force && !pinned && members.length > 0;
  });
  link.close();
  if (answer) return { outcome: 'stops-later', members: answer.members, ups };
  return { outcome: 'stopped', members: [], ups };
}

/** Undefined where no host listens. */
async function look(stateDir: string): Promise<HostLink | undefined> {
  const link = await HostLink.connect(stateDir, { role: 'look', needsWorker: false });
  return (await link?.until(() => true)) ? link : undefined;
}
