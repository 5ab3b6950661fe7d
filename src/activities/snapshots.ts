import {
  dayPrefix,
  landingManifestKey,
  landingNameOf,
  snapshotManifestKey,
  sourceEntryKey,
  sourcePrefix,
  stagedEntryKey,
  stagingPrefix,
} from '../model/layout.ts';
import { LonghaulError } from '../model/errors.ts';
import { shownAddress } from '../model/addresses.ts';
import { sumLedgers } from '../model/ledger.ts';
import type { SnapshotManifest, SourceEntry } from '../model/manifest.ts';
import type { IngestResult } from '../model/run.ts';
import { assertVolume } from '../model/volume-guard.ts';
import { discardPartial } from '../landing/land.ts';
import { SNAPSHOT, SOURCE_ENTRY } from '../storage/manifest-shapes.ts';
import { readManifest, readSnapshot, toJson } from '../storage/manifests.ts';
import { deleteDeadParts } from '../storage/parts.ts';
import type { Store } from '../storage/store.ts';
import type { ActivityDeps } from './deps.ts';
import { rawKeyOf } from './landing.ts';
import {
  previousEntry,
  previousSnapshot,
  settingsKeyOf,
  toIngestResult,
} from './source-results.ts';
import type { CleanUpInput, CleanUpResult, PublishInput } from './types.ts';
import { shortly } from './work.ts';

type Deps = Pick<ActivityDeps, 'raw' | 'converted' | 'activity'>;

/** The end of a day: its publication, and what is left behind. */
export function createSnapshotActivities(deps: Deps) {
  return {
    publishSnapshot: async (input: PublishInput): Promise<IngestResult> =>
      await shortly(deps, async () => await publishSnapshot(deps, input)),

    cleanUp: async (input: CleanUpInput): Promise<CleanUpResult> =>
      await shortly(deps, async () => await cleanUp(deps, input)),
  };
}

/** The manifest is the last thing written; put-if-absent is the last lock. */
async function publishSnapshot(deps: Deps, input: PublishInput): Promise<IngestResult> {
  const { dataset, ingestDate, revision, runId } = input;
  const at = { dataset: dataset.name, ingestDate, revision };
  const previous = await previousSnapshot(deps.converted, at);
  const sources = await Promise.all(
    dataset.sources.map(async (source): Promise<SourceEntry> => {
      if (input.missing.includes(source.id)) return missingEntry(source.id, source.address);
      if (!input.unchanged.includes(source.id))
        return await verifiedEntry(deps, { ...at, source: source.id, runId });
      const entry = previousEntry(previous, source.id);
      if (!entry)
        throw new LonghaulError(
          'LAKE_CORRUPT',
          `The last snapshot has no source ${source.id} any more.`,
        );
      return { ...entry, status: 'unchanged' };
    }),
  );
  const present = sources.filter((entry) => entry.status !== 'missing');
  if (!input.accept && previous) assertVolume(present, previous.sources);
  const allUnchanged = present.length > 0 && present.every((entry) => entry.status === 'unchanged');
  const manifest: SnapshotManifest = {
    format: 'longhaul/snapshot/1',
    ...at,
    status: allUnchanged ? 'unchanged' : 'published',
    runId,
    publishedAt: new Date().toISOString(),
    sources,
    ledger: sumLedgers(sources),
  };
  const key = snapshotManifestKey(dataset.name, ingestDate, revision);
  const outcome = await deps.converted.putIfAbsent(key, toJson(manifest));
  const stored = await readSnapshot(deps.converted, at);
  // `exists` with our own run id: an earlier attempt wrote it and its answer was lost.
  const ours = outcome === 'created' || stored.runId === runId;
  if (!ours && contentOf(stored) !== contentOf(manifest)) throw publishedMeanwhile(stored);
  return toIngestResult(deps, stored, {
    mode: 'ingest',
    status: ours ? stored.status : 'already-published',
  });
}

/** Two runs with the same bytes of each source publish the same. */
function contentOf({ sources }: SnapshotManifest): string {
  return JSON.stringify(sources.map(({ id, checksum, bytes }) => [id, checksum, bytes]));
}

function publishedMeanwhile({
  dataset,
  ingestDate,
  revision,
  runId,
}: SnapshotManifest): LonghaulError {
  const what = `Another run (${runId}) published ${dataset} ${ingestDate} as revision ${revision} from other bytes while this one was under way.`;
  return new LonghaulError('PUBLISHED_MEANWHILE', what);
}

async function verifiedEntry(
  deps: Deps,
  at: { dataset: string; ingestDate: string; revision: number; source: string; runId: string },
): Promise<SourceEntry> {
  const entryAt = async (key: string): Promise<SourceEntry | undefined> =>
    await readManifest(deps.converted, key, SOURCE_ENTRY);
  // None of this run's own where an earlier run of the day finished it.
  const own = await entryAt(stagedEntryKey(at.runId, at.source));
  const entry = own ?? (await entryAt(sourceEntryKey(at)));
  if (!entry)
    throw new LonghaulError('LAKE_CORRUPT', `${deps.converted.uri(sourceEntryKey(at))} is gone.`);
  for (const { key, bytes } of entry.parquet) {
    if ((await deps.converted.size(key)) === bytes) continue;
    const what = `${deps.converted.uri(key)} is missing or not as long as when it was verified.`;
    throw new LonghaulError('LAKE_CORRUPT', what, { source: at.source });
  }
  return entry;
}

function missingEntry(id: string, address: string): SourceEntry {
  return {
    id,
    url: shownAddress(address),
    status: 'missing',
    bytes: 0,
    records: 0,
    rows: 0,
    rejected: 0,
    checksum: '',
    validator: {},
    rawKey: '',
    encoding: 'utf-8',
    blankLines: 0,
    engine: 'duckdb',
    schema: { columns: [] },
    parquet: [],
    settingsKey: settingsKeyOf({ id, address, optional: true, overrides: {} }, 'duckdb'),
  };
}

async function cleanUp(deps: Deps, input: CleanUpInput): Promise<CleanUpResult> {
  const { ingestDate, revision, runId, discardPartials } = input;
  const { name: dataset, sources } = input.dataset;
  await deps.converted.deletePrefix(stagingPrefix(runId));
  const day = dayPrefix(dataset, ingestDate);
  for (const zone of [deps.raw, deps.converted]) {
    await zone.deleteUnfinished(day, (kind) => kind === 'temporary');
  }
  const key = snapshotManifestKey(dataset, ingestDate, revision);
  const published = await readManifest(deps.converted, key, SNAPSHOT);
  for (const source of sources) {
    const at = { dataset, ingestDate, revision, source };
    if (discardPartials || published) await discardPartial(deps.raw, rawKeyOf(at));
    if (published) await removeOtherLandings(deps.raw, published, at);
  }
  await deleteDeadParts(deps.converted, { dataset, ingestDate, revision }, { runId });
  return published ? { publishedBy: published.runId } : {};
}

/**
 * Once a day's revision is published, a landing of it that the manifest does not name is of no use to any run: an older
 * version's, or a run's that another one overtook. Before that, another host's run may be about to name it.
 */
async function removeOtherLandings(
  raw: Store,
  { sources }: SnapshotManifest,
  at: Parameters<typeof rawKeyOf>[0],
): Promise<void> {
  const folder = sourcePrefix({ ...at, source: at.source.id });
  const named = new Set(sources.flatMap(({ rawKey }) => [rawKey, landingManifestKey(rawKey)]));
  const landed = rawKeyOf(at).slice(folder.length);
  const others: string[] = [];
  for await (const { key } of raw.list(folder)) {
    const name = landingNameOf(key.slice(folder.length));
    const isLanding = name === landed || name === landingManifestKey(landed);
    if (isLanding && !named.has(key)) others.push(key);
  }
  // A file without its manifest is no landing; a manifest without its file would be a lie.
  for (const key of others.toSorted((a, b) => b.length - a.length)) await raw.delete(key);
}
