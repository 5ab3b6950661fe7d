import type { AddressSecrets } from '../config/address-secrets.ts';
import type { AddressPolicy, HttpSettings } from '../config/settings.ts';
import { shownAddress } from '../model/addresses.ts';
import type { SourceSpec } from '../model/dataset.ts';
import { LonghaulError } from '../model/errors.ts';
import { landingManifestKey, sourcePrefix } from '../model/layout.ts';
import {
  isPinned,
  isSameVersion,
  type LandingManifest,
  type SourceEntry,
  type Validator,
} from '../model/manifest.ts';
import { fileNameOf } from '../model/names.ts';
import type { LandedSource, ProbedSource, SourceTask } from '../model/run.ts';
import {
  hasEnded,
  isUnpublished,
  readLanding,
  readLandings,
  readRawRemoval,
} from '../storage/manifests.ts';
import {
  arePartsThere,
  finishedEntry,
  previousEntry,
  previousSnapshot,
  settingsKeyOf,
  toLandedSource,
  toSourceResult,
} from '../storage/source-results.ts';
import type { Lake } from '../storage/store.ts';
import { land, type LandWatch } from './land.ts';
import { portalAddressOf } from './portals/recognise.ts';
import { probe } from './probe.ts';

/** A lake, and the settings with which the worker asks publishers. */
export interface LandSourceDeps extends Lake {
  http: HttpSettings;
  addresses: AddressPolicy;
  /** Returns the values of the variables in an address. The worker calls it for each request and keeps no value. */
  secretsOf: AddressSecrets;
}

/** One source of one day. */
export interface SourceDay extends SourceTask {
  /** The run ingests the day again, also if the day is published already. */
  again: boolean;
}

export function rawKeyOf(at: {
  dataset: string;
  ingestDate: string;
  revision: number;
  source: SourceSpec;
}): string {
  const prefix = sourcePrefix({ ...at, source: at.source.id });
  const { id, address } = at.source;
  // The address of a portal's page may end in `.json`, or in the same word for each source.
  const isPortal = URL.canParse(address) && portalAddressOf(new URL(address)) !== undefined;
  return prefix + (isPortal ? `${id}.csv` : fileNameOf(address, id));
}

export async function probeSource(
  deps: LandSourceDeps,
  input: SourceDay,
  signal: AbortSignal,
): Promise<ProbedSource> {
  const { source } = input;
  const found = await probe(source, { ...deps, secrets: deps.secretsOf(input) }, signal);
  const landings = await readLandings(deps.raw, rawKeyOf(input));
  const own = landings.findLast((landing) => sameVersion(landing, found));
  if (own) {
    const entry = await finishedEntry(deps.converted, input);
    // If an earlier run also converted this landing, the source is done.
    const isDone = entry?.checksum === own.checksum;
    return {
      result: isDone ? toSourceResult(deps, entry) : toLandedSource(deps.raw, own),
    };
  }
  const before = previousEntry(await previousSnapshot(deps.converted, input), source.id);
  if (
    before &&
    // The address for one day may answer with the same ETag as the address for the day before.
    before.url === shownAddress(source.address) &&
    isSameVersion(before.validator, found.validator) &&
    (await stillThere(deps, before))
  ) {
    const same = !input.again && before.settingsKey === settingsKeyOf(source, input.engine);
    if (same) return { result: toSourceResult(deps, before, 'unchanged') };
    const landing = await readLanding(deps.raw, before.rawKey);
    if (landing) return { result: toLandedSource(deps.raw, landing) };
  }
  const { totalBytes, totalRecords } = found;
  return { totalBytes, ...(totalRecords !== undefined && { totalRecords }) };
}

export async function landSource(
  deps: LandSourceDeps,
  /** `thenConverted`: the worker converts the source next, so the Parquet needs room on the disk too. */
  input: SourceDay & { thenConverted?: boolean },
  watch: LandWatch,
): Promise<LandedSource> {
  const landing = await land(
    {
      ...input,
      rawKey: rawKeyOf(input),
      converted: input.thenConverted ? deps.converted.location('') : undefined,
    },
    { ...deps, store: deps.raw, secrets: deps.secretsOf(input) },
    watch,
  );
  const before = previousEntry(await previousSnapshot(deps.converted, input), input.source.id);
  const standsForIt =
    before !== undefined &&
    !input.again &&
    before.rawKey !== landing.rawKey &&
    before.checksum === landing.checksum &&
    before.bytes === landing.bytes &&
    before.settingsKey === settingsKeyOf(input.source, input.engine) &&
    (await stillThere(deps, before));
  if (!standsForIt) return toLandedSource(deps.raw, landing);
  // Delete the manifest first. A file without a manifest is no landing; a manifest without its file would be false.
  await deps.raw.delete(landingManifestKey(landing.rawKey));
  await deps.raw.delete(landing.rawKey);
  return toSourceResult(deps, before, 'unchanged');
}

/**
 * Finds the landing for `convert`: of this revision, an earlier published one, or the one that the day's snapshot
 * names.
 */
export async function findLanding(deps: Lake, task: SourceTask): Promise<LandedSource> {
  for (let revision = task.revision; revision >= 1; revision -= 1) {
    const ref = { ...task, revision };
    if (await isUnpublished(deps.converted, ref)) continue;
    if (revision < task.revision && (await hasEnded(deps.converted, ref))) continue;
    const landing = (await readLandings(deps.raw, rawKeyOf({ ...task, revision }))).at(-1);
    if (landing) return toLandedSource(deps.raw, landing);
  }
  const published = await previousSnapshot(deps.converted, task);
  const entry =
    published?.ingestDate === task.ingestDate
      ? previousEntry(published, task.source.id)
      : undefined;
  const landing = entry && (await readLanding(deps.raw, entry.rawKey));
  if (landing) return toLandedSource(deps.raw, landing);
  const removal = entry && (await readRawRemoval(deps.raw, entry.rawKey));
  const why = removal ? ` keep.raw removed it at ${removal.removedAt}.` : '';
  const what = `Source ${task.source.id} of ${task.dataset} has no landing of ${task.ingestDate}.${why}`;
  const hint =
    removal &&
    `\`longhaul ingest ${task.dataset} --date ${task.ingestDate} --again\` downloads it anew.`;
  throw new LonghaulError('NOT_LANDED', what, { source: task.source.id, ...(hint && { hint }) });
}

/**
 * If a publisher sends no validator, the worker cannot detect a change without reading the file again. Then a landing
 * of the same day counts as current if it has the same length and the scanner found no problem in it.
 */
function sameVersion(
  own: LandingManifest,
  found: { validator: Validator; totalBytes?: number },
): boolean {
  if (found.totalBytes !== undefined && found.totalBytes !== own.bytes) return false;
  return isPinned(found.validator)
    ? isSameVersion(own.validator, found.validator)
    : own.scan.problems.length === 0;
}

/** A raw file that `keep.raw` removed may be missing: an unchanged source needs only its Parquet. */
async function stillThere(deps: Lake, entry: SourceEntry): Promise<boolean> {
  if (!(await arePartsThere(deps.converted, entry))) return false;
  if ((await deps.raw.size(entry.rawKey)) === entry.bytes) return true;
  return (await readRawRemoval(deps.raw, entry.rawKey)) !== undefined;
}
