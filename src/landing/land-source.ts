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

/** One lake, and what a publisher is asked with. */
export interface LandSourceDeps extends Lake {
  http: HttpSettings;
  addresses: AddressPolicy;
  /** What the variables in an address stand for: asked for at the moment of the request, and kept for nothing else. */
  secretsOf: AddressSecrets;
}

/** One source of one day. */
export interface SourceDay extends SourceTask {
  /** The day is done again, whatever was published of it. */
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
  // A page's address may end in `.json`, or in the same word for every source.
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
    // Converted too where an earlier run finished it.
    const isDone = entry?.checksum === own.checksum;
    return {
      result: isDone ? toSourceResult(deps, entry) : toLandedSource(deps.raw, own),
    };
  }
  const before = previousEntry(await previousSnapshot(deps.converted, input), source.id);
  if (
    before &&
    // A day's own address may answer with the ETag of the day before.
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
  /** Where it is converted next, its Parquet needs room too. */
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
  // The manifest first: a file without one is no landing, a manifest without its file would be a lie.
  await deps.raw.delete(landingManifestKey(landing.rawKey));
  await deps.raw.delete(landing.rawKey);
  return toSourceResult(deps, before, 'unchanged');
}

/** For `convert`: this revision's landing, an earlier one's that is published, or the one that the day's snapshot points to. */
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
  const hint = removal && `\`longhaul ingest ${task.dataset} --again\` downloads it anew.`;
  throw new LonghaulError('NOT_LANDED', what, { source: task.source.id, ...(hint && { hint }) });
}

/**
 * A publisher without validators gives no way to know but to read the file again, so its landing of the same
 * day counts as current if it has the same length and reads well.
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

/** A raw file that `keep.raw` has removed is not asked for: its Parquet is what an unchanged source needs. */
async function stillThere(deps: Lake, entry: SourceEntry): Promise<boolean> {
  if (!(await arePartsThere(deps.converted, entry))) return false;
  if ((await deps.raw.size(entry.rawKey)) === entry.bytes) return true;
  return (await readRawRemoval(deps.raw, entry.rawKey)) !== undefined;
}
