import type { DatasetSpec, Engine } from '../model/dataset.ts';
import { LonghaulError } from '../model/errors.ts';
import {
  parseRevisionOfKey,
  snapshotManifestKey,
  sourceEntryKey,
  stagedEntryKey,
} from '../model/layout.ts';
import { sumLedgers, assertVolume } from '../model/ledger.ts';
import {
  carriedRevisions,
  fileKeysOf,
  revisionText,
  type RevisionAt,
  type SnapshotManifest,
  type SourceEntry,
  type Tombstone,
} from '../model/manifest.ts';
import { printable } from '../model/names.ts';
import type { IngestResult } from '../model/run.ts';
import { SNAPSHOT, SOURCE_ENTRY } from '../storage/manifest-shapes.ts';
import {
  hasEnded,
  isUnpublished,
  listSnapshots,
  putTombstone,
  readManifest,
  readSnapshot,
  readTombstone,
  toJson,
} from '../storage/manifests.ts';
import {
  missingEntry,
  previousEntry,
  previousSnapshot,
  settingsKeyOf,
  toIngestResult,
} from '../storage/source-results.ts';
import { requireStaged } from '../storage/staged.ts';
import type { Lake, Store } from '../storage/store.ts';

export interface RevisionOfRun {
  dataset: DatasetSpec;
  ingestDate: string;
  revision: number;
  runId: string;
}

export interface Publication extends RevisionOfRun {
  engine: Engine;
  accept: boolean;
  /** Ids of the optional sources that failed. */
  missing: string[];
  /** Sources whose entries are copied from the last snapshot, and the bytes in it that they were compared with. */
  unchanged: Pick<SourceEntry, 'id' | 'checksum' | 'bytes'>[];
}

/**
 * Writes the manifest last; put-if-absent lets one run publish it. A manifest never carries files of an unpublished
 * revision. `unpublish` writes its tombstone and then looks for manifests that carry the revision. This function writes
 * its manifest and then looks for tombstones, so at least one of them sees the other.
 * @param assertSchema throws if these sources' columns must not be published. Not called if the user accepts them.
 */
export async function publishSnapshot(
  deps: Lake,
  input: Publication,
  assertSchema?: (sources: readonly SourceEntry[]) => Promise<void>,
): Promise<IngestResult> {
  const { dataset, ingestDate, revision, runId } = input;
  const at = { dataset: dataset.name, ingestDate, revision };
  try {
    const key = snapshotManifestKey(at);
    // An earlier attempt may have written the manifest, and its answer was lost.
    const earlier = await readManifest(deps.converted, key, SNAPSHOT);
    const manifest =
      earlier?.runId === runId ? earlier : await manifestOf(deps, input, assertSchema);
    await assertBasePublished(deps.converted, manifest);
    const outcome = await deps.converted.putIfAbsent(key, toJson(manifest));
    const stored = await readSnapshot(deps.converted, at);
    const ours = outcome === 'created' || stored.runId === runId;
    const tombstone = await readTombstone(deps.converted, at);
    if (tombstone) throw unpublishedMeanwhile(tombstone);
    if (!ours && contentOf(stored) !== contentOf(manifest)) throw publishedMeanwhile(stored);
    await assertBasePublished(deps.converted, stored);
    return toIngestResult(deps, stored, {
      mode: 'ingest',
      status: ours ? stored.status : 'already-published',
    });
  } catch (error) {
    if (error instanceof LonghaulError && error.code === 'UNPUBLISHED_MEANWHILE') {
      const published = await readManifest(deps.converted, snapshotManifestKey(at), SNAPSHOT);
      // This attempt of the run, or an earlier one, has just published the day.
      if (published?.runId === runId) {
        await putTombstone(deps.converted, { ...at, reason: error.message, by: `run ${runId}` });
      }
    }
    throw error;
  }
}

async function manifestOf(
  deps: Lake,
  input: Publication,
  assertSchema?: (sources: readonly SourceEntry[]) => Promise<void>,
): Promise<SnapshotManifest> {
  const { dataset, ingestDate, revision, runId } = input;
  const at = { dataset: dataset.name, ingestDate, revision };
  const previous = await previousSnapshot(deps.converted, at);
  const sources = await Promise.all(
    dataset.sources.map(async (source): Promise<SourceEntry> => {
      if (input.missing.includes(source.id)) return missingEntry(source);
      const found = input.unchanged.find(({ id }) => id === source.id);
      if (!found) return await verifiedEntry(deps, { ...at, source: source.id, runId });
      const entry = previousEntry(previous, source.id);
      const isSame =
        entry?.checksum === found.checksum &&
        entry.bytes === found.bytes &&
        entry.settingsKey === settingsKeyOf(source, input.engine);
      if (isSame) return { ...entry, status: 'unchanged' };
      const what = `Source ${source.id} was found unchanged since a snapshot that is not the last one any more: it was unpublished, or another came after it.`;
      throw new LonghaulError('UNPUBLISHED_MEANWHILE', what, { source: source.id });
    }),
  );
  const present = sources.filter((entry) => entry.status !== 'missing');
  if (!input.accept && previous) assertVolume(present, previous.sources);
  if (!input.accept) await assertSchema?.(sources);
  const allUnchanged = present.length > 0 && present.every((entry) => entry.status === 'unchanged');
  return {
    format: 'longhaul/snapshot/1',
    ...at,
    status: allUnchanged ? 'unchanged' : 'published',
    runId,
    publishedAt: new Date().toISOString(),
    sources,
    ledger: sumLedgers(sources),
  };
}

/**
 * @throws LonghaulError UNPUBLISHED_MEANWHILE if an entry's files are of a revision that is unpublished, or of one that
 * has ended and that a sweep may be removing.
 */
async function assertBasePublished(converted: Store, manifest: SnapshotManifest): Promise<void> {
  for (const at of carriedRevisions(manifest)) {
    const ref = { dataset: manifest.dataset, ...at };
    const isWithdrawn = await isUnpublished(converted, ref);
    if (!isWithdrawn && !(await hasEnded(converted, ref))) continue;
    if (!isWithdrawn && (await isCarriedElsewhere(converted, manifest, at))) continue;
    const what = `The day would reuse files of ${revisionText(at)}, which was unpublished, or passed the limit of keep, while the run was under way.`;
    throw new LonghaulError('UNPUBLISHED_MEANWHILE', what);
  }
}

/**
 * Whether other published snapshots name all files that a snapshot carries of a revision that has ended. A sweep first
 * ends days and then reads what the other snapshots name. If one of them was still published after this snapshot was
 * written, that sweep also reads this snapshot.
 */
async function isCarriedElsewhere(
  converted: Store,
  manifest: SnapshotManifest,
  ended: RevisionAt,
): Promise<boolean> {
  const keys = fileKeysOf(manifest).filter((key) => {
    const at = parseRevisionOfKey(key);
    return at !== undefined && revisionText(at) === revisionText(ended);
  });
  const open = new Set(keys);
  for (const ref of (await listSnapshots(converted, manifest.dataset)).toReversed()) {
    if (revisionText(ref) === revisionText(manifest)) continue;
    for (const key of fileKeysOf(await readSnapshot(converted, ref))) open.delete(key);
    if (open.size === 0) return true;
  }
  return false;
}

/** Two runs publish the same content if each source has the same bytes. */
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

function unpublishedMeanwhile({ dataset, reason, ...at }: Tombstone): LonghaulError {
  const what = `${dataset} ${revisionText(at)} was published, and unpublished again, while the run was under way: ${printable(reason)}`;
  return new LonghaulError('UNPUBLISHED_MEANWHILE', what);
}

async function verifiedEntry(
  deps: Lake,
  at: { dataset: string; ingestDate: string; revision: number; source: string; runId: string },
): Promise<SourceEntry> {
  // If an earlier run of the day finished the source, this run has no entry of its own.
  const ownKey = stagedEntryKey(at.runId, at.source);
  const own = await readManifest(deps.converted, ownKey, SOURCE_ENTRY);
  const entry = own ?? (await requireStaged(deps.converted, sourceEntryKey(at), SOURCE_ENTRY));
  for (const { key, bytes } of entry.parquet) {
    if ((await deps.converted.size(key)) === bytes) continue;
    const what = `${deps.converted.uri(key)} is missing or not as long as when it was verified.`;
    throw new LonghaulError('LAKE_CORRUPT', what, { source: at.source });
  }
  return entry;
}
