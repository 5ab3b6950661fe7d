import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import { fingerprintsFor, type Fingerprints, type Work } from '../config/fingerprints.ts';
import type { Settings } from '../config/settings.ts';
import { joinEmbedded, type JoinOptions } from '../embedded/join.ts';
import { ERROR_CATALOGUE, LonghaulError, type ErrorCode } from '../model/errors.ts';
import { lakeText, type LakeIdentity } from '../model/lake-address.ts';
import { queuesOf } from '../model/run.ts';
import { nearestThere, tryWriting } from '../storage/free-space.ts';
import { identityOfLake } from '../storage/open-lake.ts';
import { interruptible, type CliContext } from './command.ts';
import { asLonghaulError } from './errors.ts';
import type { TemporalLink } from './temporal-link.ts';

export interface Needs {
  /** Work for the worker, whose settings must then equal the command's. Absent if the command only asks or waits. */
  work?: Work;
  /** If false, the embedded server starts without a worker. Default: true. */
  worker?: boolean;
}

type Use = (link: TemporalLink, signal: AbortSignal) => Promise<void>;

/**
 * Connects to Temporal while `use` runs, and converts its errors to those of the catalogue.
 * @param use runs again from its start if the embedded server moved meanwhile.
 */
export async function withTemporal(context: CliContext, needs: Needs, use: Use): Promise<void> {
  await withLink(context, needs, async (link, signal) => {
    await link.call(async () => await use(link, signal), { signal });
  });
}

/**
 * The same, but `use` runs once. It gets the configured Temporal, else the embedded one. The CLI joins the embedded
 * one, or starts it for as long as the command needs it.
 * @throws LonghaulError TEMPORAL_UNREACHABLE, EMBEDDED_FAILED, TEMPORAL_NOT_INSTALLED, CANCELLED, DISK_FULL,
 * LAKE_NOT_WRITABLE; CONFIG_INVALID if the embedded worker differs in a setting that this command's work needs.
 */
export async function withLink(
  context: CliContext,
  { work, worker = true }: Needs,
  use: Use,
): Promise<void> {
  const { settings, fingerprints } = context.loadConfig();
  const { linkConfigured, linkEmbedded } = await import('./temporal-link.ts');
  const { fromTemporal } = await import('./failures.ts');
  const open = async (signal: AbortSignal): Promise<TemporalLink> => {
    if (settings.temporal.address !== undefined) return await linkConfigured(settings);
    const wanted = work ? fingerprintsFor(work, settings.lake, fingerprints) : {};
    const join = joinOptions(context, settings, wanted);
    const server = await joinEmbedded({ ...join, needsWorker: worker, signal });
    return await linkEmbedded(server, settings.stateDir, signal);
  };
  await unlessDiskIsFull(settings, async (signal) => {
    const link = await open(signal);
    try {
      await use(link, signal);
    } catch (error) {
      throw fromTemporal(error);
    } finally {
      await link.close();
    }
  });
}

export function joinOptions(
  context: CliContext,
  { stateDir, lake }: Settings,
  settings: Fingerprints,
): JoinOptions {
  return {
    stateDir,
    host: { entry: context.entry, args: ['__host', '--lake', lakeText(lake)] },
    version: context.version,
    settings,
    onNote: context.note,
  };
}

export async function lakeOf({ lake }: Settings): Promise<LakeIdentity & { queue: string }> {
  const identity = await identityOfLake(lake);
  return { ...identity, queue: queuesOf(identity.id).control };
}

/**
 * The task queue for the workflows that a command starts.
 * @throws LonghaulError LAKE_NAMESPACE_TAKEN if another lake uses this Temporal's namespace.
 */
export async function lakeQueue(client: Client, settings: Settings): Promise<string> {
  const { assertNamespace } = await import('../runs/lake-namespace.ts');
  const lake = await lakeOf(settings);
  await assertNamespace(client, lake);
  return lake.queue;
}

/** A landing or conversion that fills the disk frees its space within a second. So one failed write proves nothing. */
const LOOK_INTERVAL_MS = 3000;
const LOOKS_TO_GIVE_UP = 3;

/**
 * Does a command's work with Temporal, as `interruptible` does. If the disk is full, the embedded Temporal cannot
 * record that a run failed, and the command would wait for ever. So the command checks the state folder's disk itself.
 * @throws LonghaulError DISK_FULL, LAKE_NOT_WRITABLE; what the work throws.
 */
async function unlessDiskIsFull<T>(
  { stateDir, temporal }: Settings,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  if (temporal.address !== undefined) return await interruptible(work);
  const done = new AbortController();
  try {
    return await Promise.race([interruptible(work), watch(stateDir, done.signal)]);
  } catch (error) {
    const { code } = asLonghaulError(error);
    // A server whose disk is full causes one of these errors.
    const isSuspect = code === 'INTERNAL' || ERROR_CATALOGUE[code].class === 'orchestration';
    throw (isSuspect && (await problemOf(stateDir))) || error;
  } finally {
    done.abort();
  }
}

/** Rejects if the disk stays full, or when `done` aborts. It never resolves. */
async function watch(stateDir: string, done: AbortSignal): Promise<never> {
  for (let problems = 0; ;) {
    await sleep(LOOK_INTERVAL_MS, undefined, { signal: done, ref: false });
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
    return new LonghaulError(error.code, message, { hint: HINTS[error.code] }, { cause: error });
  }
}

const AGAIN = 'then run the same command again: a run under way goes on from its checkpoint.';
const HINTS: Partial<Record<ErrorCode, string>> = {
  DISK_FULL: `Make room there, ${AGAIN}`,
  LAKE_NOT_WRITABLE: `Make it writable, ${AGAIN}`,
};
