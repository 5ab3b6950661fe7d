import type { Config } from '../config/load-config.ts';
import { fingerprintsFor, type Fingerprints, type Work } from '../config/fingerprints.ts';
import type { Settings } from '../config/settings.ts';
import { findEmbedded, joinEmbedded, type JoinOptions } from '../embedded/index.ts';
import { LonghaulError } from '../model/errors.ts';
import type { CliContext } from './context.ts';
import { linkConfigured, linkEmbedded, type TemporalLink } from './temporal-link.ts';

/** What a command wants of a Temporal. */
export interface Needs {
  /** What it hands to the worker, whose settings must then be this command's; none: it only asks, or waits. */
  work?: readonly Work[];
  /** False: the embedded server is started without a worker. Default: true. */
  worker?: boolean;
  signal?: AbortSignal;
}

/**
 * The configured Temporal, else the embedded one: started for as long as the command needs it, or joined.
 * @throws LonghaulError TEMPORAL_UNREACHABLE, EMBEDDED_FAILED, TEMPORAL_NOT_INSTALLED, CANCELLED; CONFIG_INVALID where
 * the embedded worker has other settings than this command's work depends on.
 */
export async function openTemporal(
  context: CliContext,
  config: Config,
  { work = [], worker = true, signal }: Needs = {},
): Promise<TemporalLink> {
  const { settings, fingerprints } = config;
  if (settings.temporal.address !== undefined) return await linkConfigured(settings);
  const wanted = work.length === 0 ? {} : fingerprintsFor(work, fingerprints);
  const options = joinOptions(context, settings, wanted);
  const server = await joinEmbedded({
    ...options,
    needsWorker: worker,
    signal,
  });
  return await linkEmbedded(server, settings.stateDir);
}

/** How the embedded server of these settings is joined. */
export function joinOptions(
  context: CliContext,
  { stateDir }: Settings,
  settings: Fingerprints,
): JoinOptions {
  return {
    stateDir,
    host: { entry: context.entry, args: ['__host'] },
    version: context.version,
    settings,
    onNote: (note) => context.note(note),
  };
}

/**
 * Where a run can go on after this command has ended.
 * @throws LonghaulError EMBEDDED_NOT_RUNNING where neither a server is configured nor one was told to stay.
 */
export async function assertLasting(settings: Settings): Promise<void> {
  if (settings.temporal.address !== undefined) return;
  const running = await findEmbedded(settings.stateDir);
  if (running && (running.pinned || running.members.length + running.ups.length > 0)) return;
  throw new LonghaulError(
    'EMBEDDED_NOT_RUNNING',
    'A detached run needs a server that stays: none is running and none is configured.',
  );
}
