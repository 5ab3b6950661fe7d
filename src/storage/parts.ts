import {
  parsePartKey,
  isPartOfRun,
  SOURCE_ENTRY_NAME,
  snapshotManifestKey,
  sourcePrefix,
  sourcesPrefix,
  type SourceAt,
} from '../model/layout.ts';
import { SOURCE_ENTRY } from './manifest-shapes.ts';
import { listRevisions, readManifest, readRevisions, type RevisionRef } from './manifests.ts';
import type { Store, StoredObject } from './store.ts';

/**
 * Deletes the parts of a day's revision, or of one source of it, that no manifest names or will name: those of the
 * run, whose attempts are over; once the revision is published, those of every run. Until then another run may be at
 * work, which another Temporal started.
 */
export async function deleteDeadParts(
  converted: Store,
  at: Omit<SourceAt, 'source'> & { source?: string },
  { runId, keep = [], signal }: { runId: string; keep?: readonly string[]; signal?: AbortSignal },
): Promise<void> {
  const { dataset, ingestDate, revision, source } = at;
  const prefix = source === undefined ? sourcesPrefix(at) : sourcePrefix({ ...at, source });
  const manifest = snapshotManifestKey(dataset, ingestDate, revision);
  const isPublished = (await converted.size(manifest)) !== undefined;
  const isDead = (key: string): boolean => isPublished || isPartOfRun(key, runId);
  await converted.deleteUnfinished(prefix, (kind, key) => kind === 'partial' && isDead(key));
  for (const { key } of await unnamedParts(converted, { dataset, prefix, since: ingestDate })) {
    signal?.throwIfAborted();
    if (isDead(key) && !keep.includes(key)) await converted.delete(key);
  }
}

export interface PartsAt {
  dataset: string;
  /** Of the dataset's keys. */
  prefix: string;
  /** The first ingest date that the prefix covers: an earlier day's manifest names none of these parts. */
  since?: string;
}

/**
 * Whole parts that nothing names: no manifest, published or unpublished, and no entry of a source that is verified and not published
 * yet. A dead attempt left them, or one at work has them.
 */
export async function unnamedParts(
  converted: Store,
  { dataset, prefix, since = '' }: PartsAt,
): Promise<StoredObject[]> {
  const parts: StoredObject[] = [];
  const entries: string[] = [];
  for await (const object of converted.list(prefix)) {
    if (parsePartKey(object.key)) parts.push(object);
    else if (object.key.endsWith(`/${SOURCE_ENTRY_NAME}`)) entries.push(object.key);
  }
  if (parts.length === 0) return [];
  const refs = (await listRevisions(converted, dataset)).filter((ref) => ref.ingestDate >= since);
  const named = await publishedParts(converted, refs);
  const unpublished = parts.filter(({ key }) => !named.has(key));
  if (unpublished.length === 0) return [];
  // What another run verified of a revision that is published now counts for nothing.
  const published = refs.map((ref) => sourcesPrefix(ref));
  for (const key of entries.filter((each) => !published.some((one) => each.startsWith(one)))) {
    const entry = await readManifest(converted, key, SOURCE_ENTRY);
    for (const part of entry?.parquet ?? []) named.add(part.key);
  }
  return unpublished.filter(({ key }) => !named.has(key));
}

async function publishedParts(
  converted: Store,
  refs: readonly RevisionRef[],
): Promise<Set<string>> {
  const snapshots = await readRevisions(converted, refs);
  return new Set(
    snapshots
      .flatMap((snapshot) => snapshot?.sources ?? [])
      .flatMap(({ parquet }) => parquet.map(({ key }) => key)),
  );
}
