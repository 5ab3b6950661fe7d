import { ScratchProbe, type ZoneProbe } from './scratch-probe.ts';
import { ScratchZone } from './scratch-zone.ts';
import { openTrial, type S3Trial } from './trial.ts';

/** Some twenty small requests: a second or two, also to another continent. */
const PROBE_LIMIT_MS = 30_000;
/** A few deletions; also after the probe was given up. */
const CLEAN_UP_LIMIT_MS = 15_000;
/** `probeZone` has ended after this, whatever happens: it may probe twice. */
export const ZONE_PROBE_LIMIT_MS = 2 * (PROBE_LIMIT_MS + CLEAN_UP_LIMIT_MS);

/**
 * Puts, gets, lists, copies, uploads in parts and deletes below `<prefix>_staging/doctor-<random>/`, with the
 * lake's own code. Nothing is left there, also when it fails midway or is given up. A store that refuses what
 * carries a checksum is tried once more without.
 * @param prefix of the zone. @throws the signal's reason.
 */
export async function probeZone(
  trial: S3Trial,
  prefix: string,
  signal: AbortSignal,
): Promise<ZoneProbe> {
  const first = await probeOnce(trial, prefix, signal);
  if (!first.refusedPut || !trial.settings.checksums) return first;
  const plain = openTrial({ ...trial.settings, checksums: false });
  const second = await probeOnce(plain, prefix, signal);
  return second.refusedPut ? first : { ...second, hasChecksums: false };
}

async function probeOnce(trial: S3Trial, prefix: string, signal: AbortSignal): Promise<ZoneProbe> {
  const limit = AbortSignal.timeout(PROBE_LIMIT_MS);
  const zone = new ScratchZone(trial, prefix, AbortSignal.any([signal, limit]));
  const probe = new ScratchProbe(zone);
  try {
    await probe.run();
  } catch (error) {
    if (signal.aborted || !limit.aborted) throw error;
    probe.result.failed.push(`S3 did not answer everything within ${PROBE_LIMIT_MS / 1000} s.`);
  } finally {
    zone.signal = AbortSignal.timeout(CLEAN_UP_LIMIT_MS);
    await probe.cleanUp();
  }
  return { ...probe.result, denied: [...zone.denied] };
}
