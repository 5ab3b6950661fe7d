import { shownAddress } from '../model/addresses.ts';
import type { SourceSpec } from '../model/dataset.ts';
import { LonghaulError } from '../model/errors.ts';
import { landingManifestKey, sourcePrefix } from '../model/layout.ts';
import type { LandingManifest, SourceEntry } from '../model/manifest.ts';
import { isPinned, isSameVersion, type Validator } from '../model/validator.ts';
import { fileNameOf } from '../model/names.ts';
import type { SourceTask } from '../model/run.ts';
import { land } from '../landing/land.ts';
import { probe } from '../landing/probe.ts';
import { readLanding, readLandings } from '../storage/manifests.ts';
import type { Store } from '../storage/store.ts';
import type { ActivityDeps } from './deps.ts';
import {
  arePartsThere,
  finishedEntry,
  previousEntry,
  previousSnapshot,
  settingsKeyOf,
  toLandedSource,
  toSourceResult,
} from './source-results.ts';
import type { LandedSource, LandInput, ProbeInput, ProbeResult } from './types.ts';
import { working } from './work.ts';

type Deps = Pick<
  ActivityDeps,
  'raw' | 'converted' | 'http' | 'addresses' | 'secretsOf' | 'activity'
>;

/** From the publisher to the raw zone. */
export function createLandingActivities(deps: Deps) {
  return {
    probeSource: async (input: ProbeInput): Promise<ProbeResult> =>
      await working(
        deps,
        { ...ofSource(input), stage: 'probe', followed: input.followed },
        async ({ signal }) => await probeSource(deps, input, signal),
      ),

    landSource: async (input: LandInput): Promise<LandedSource> =>
      await working(
        deps,
        { ...ofSource(input), stage: 'land', followed: input.followed },
        async ({ signal, report }) => await landSource(deps, input, { signal, onProgress: report }),
      ),

    findLanding: async (input: SourceTask): Promise<LandedSource> =>
      await working(deps, { ...ofSource(input), stage: 'land' }, async () =>
        toLandedSource(deps.raw, input.source, await findLanding(deps, input)),
      ),
  };
}

/** One source of one day is one attempt's at a time, whatever the stage. */
export function workKey(task: SourceTask): string {
  return `${task.dataset}/${task.ingestDate}/${task.source.id}`;
}

function ofSource(task: SourceTask): { source: string; key: string } {
  return { source: task.source.id, key: workKey(task) };
}

export function rawKeyOf(at: {
  dataset: string;
  ingestDate: string;
  revision: number;
  source: SourceSpec;
}): string {
  const prefix = sourcePrefix({ ...at, source: at.source.id });
  return prefix + fileNameOf(at.source.address, at.source.id);
}

async function probeSource(
  deps: Deps,
  input: ProbeInput,
  signal: AbortSignal,
): Promise<ProbeResult> {
  const { source } = input;
  const found = await probe(source, { ...deps, secrets: secretsOf(deps, input) }, signal);
  const landings = await readLandings(deps.raw, rawKeyOf(input));
  const own = landings.findLast((landing) => sameVersion(landing, found));
  if (own) {
    const entry = await finishedEntry(deps.converted, input);
    // Converted too where an earlier run finished it.
    const isDone = entry?.checksum === own.checksum;
    return {
      result: isDone ? toSourceResult(deps, entry) : toLandedSource(deps.raw, source, own),
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
    if (landing) return { result: toLandedSource(deps.raw, source, landing) };
  }
  return { totalBytes: found.totalBytes };
}

/** At the moment of the request, and for nothing but it. */
function secretsOf(
  deps: Deps,
  { dataset, ingestDate, source }: SourceTask,
): Record<string, string> {
  return deps.secretsOf({ dataset, ingestDate, address: source.address });
}

async function landSource(
  deps: Deps,
  input: LandInput,
  watch: Parameters<typeof land>[2],
): Promise<LandedSource> {
  const converted = input.thenConverted ? deps.converted.location('') : undefined;
  const request = { ...input, rawKey: rawKeyOf(input), converted };
  const landing = await land(
    request,
    {
      store: deps.raw,
      http: deps.http,
      addresses: deps.addresses,
      secrets: secretsOf(deps, input),
    },
    watch,
  );
  const before = previousEntry(await previousSnapshot(deps.converted, input), input.source.id);
  if (
    !before ||
    input.again ||
    before.rawKey === landing.rawKey ||
    !(await replaces(deps, before, landing, input))
  ) {
    return toLandedSource(deps.raw, input.source, landing);
  }
  await discardLanding(deps.raw, landing.rawKey);
  return toSourceResult(deps, before, 'unchanged');
}

/** The earlier entry stands for what was just landed: same bytes, same settings, and its files are there. */
async function replaces(
  deps: Deps,
  before: SourceEntry,
  landing: LandingManifest,
  input: LandInput,
): Promise<boolean> {
  const sameBytes = before.checksum === landing.checksum && before.bytes === landing.bytes;
  const sameSettings = before.settingsKey === settingsKeyOf(input.source, input.engine);
  return sameBytes && sameSettings && (await stillThere(deps, before));
}

/** The manifest first: a file without one is no landing, a manifest without its file would be a lie. */
async function discardLanding(raw: Store, rawKey: string): Promise<void> {
  await raw.delete(landingManifestKey(rawKey));
  await raw.delete(rawKey);
}

/** For `convert`: this revision's landing, an earlier revision's, or the one that the day's snapshot points to. */
async function findLanding(deps: Deps, task: SourceTask): Promise<LandingManifest> {
  for (let revision = task.revision; revision >= 1; revision -= 1) {
    const landing = (await readLandings(deps.raw, rawKeyOf({ ...task, revision }))).at(-1);
    if (landing) return landing;
  }
  const published = await previousSnapshot(deps.converted, task);
  const entry =
    published?.ingestDate === task.ingestDate
      ? previousEntry(published, task.source.id)
      : undefined;
  const landing = entry && (await readLanding(deps.raw, entry.rawKey));
  if (landing) return landing;
  throw new LonghaulError(
    'NOT_LANDED',
    `Source ${task.source.id} of ${task.dataset} has no landing of ${task.ingestDate}.`,
    {
      source: task.source.id,
    },
  );
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

async function stillThere(deps: Deps, entry: SourceEntry): Promise<boolean> {
  const areParts = await arePartsThere(deps.converted, entry);
  return areParts && (await deps.raw.size(entry.rawKey)) === entry.bytes;
}
