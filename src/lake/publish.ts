import type { DatasetSpec } from '../model/dataset.ts';
import { LonghaulError } from '../model/errors.ts';
import { snapshotManifestKey, sourceEntryKey, stagedEntryKey } from '../model/layout.ts';
import { sumLedgers } from '../model/ledger.ts';
import type { SnapshotManifest, SourceEntry } from '../model/manifest.ts';
import type { IngestResult } from '../model/run.ts';
import { assertVolume } from '../model/volume-guard.ts';
import { SOURCE_ENTRY } from '../storage/manifest-shapes.ts';
import { readManifest, readSnapshot, toJson } from '../storage/manifests.ts';
import {
  missingEntry,
  previousEntry,
  previousSnapshot,
  toIngestResult,
} from '../storage/source-results.ts';
import type { Lake } from '../storage/store.ts';

export interface RevisionOfRun {
  dataset: DatasetSpec;
  ingestDate: string;
  revision: number;
  runId: string;
}

export interface Publication extends RevisionOfRun {
  accept: boolean;
  /** Ids of the optional sources that failed. */
  missing: string[];
  /** Ids whose entries are copied from the last snapshot. */
  unchanged: string[];
}

/** The manifest is the last thing written; put-if-absent is the last lock. */
export async function publishSnapshot(deps: Lake, input: Publication): Promise<IngestResult> {
  const { dataset, ingestDate, revision, runId } = input;
  const at = { dataset: dataset.name, ingestDate, revision };
  const previous = await previousSnapshot(deps.converted, at);
  const sources = await Promise.all(
    dataset.sources.map(async (source): Promise<SourceEntry> => {
      if (input.missing.includes(source.id)) return missingEntry(source);
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
  deps: Lake,
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
