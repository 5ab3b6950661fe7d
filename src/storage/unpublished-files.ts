import { landingManifestKey, parseRevisionOfKey } from '../model/layout.ts';
import { revisionText, type SnapshotManifest } from '../model/manifest.ts';
import { datasetsIn, noneIf, type AgeLimit, type Leftover } from './leftovers.ts';
import { listRevisions, readSnapshot, readTombstone } from './manifests.ts';
import type { Lake } from './store.ts';

/**
 * The files of revisions that were unpublished so long ago, in the order in which they must go. What the manifest of any
 * other revision names is not among them, nor is a manifest. A dataset with a manifest that cannot be read keeps all:
 * it may name them.
 */
export async function findUnpublished(lake: Lake, limit: AgeLimit): Promise<Leftover[]> {
  const found: Leftover[] = [];
  for (const dataset of await datasetsIn(lake.converted)) {
    const files = filesOf(lake, dataset, limit);
    const none = noneIf('LAKE_CORRUPT', 'MANIFEST_UNREADABLE');
    found.push(...((await files.catch(none)) ?? []));
  }
  return found;
}

async function filesOf(
  lake: Lake,
  dataset: string,
  { olderThanMs, nowMs, signal }: AgeLimit,
): Promise<Leftover[]> {
  const refs = await listRevisions(lake.converted, dataset);
  const old: { manifest: SnapshotManifest; ageMs: number }[] = [];
  const named = new Set<string>();
  // A dataset of which nothing was unpublished costs its listing.
  for (const ref of refs.some(({ isUnpublished }) => isUnpublished) ? refs : []) {
    signal.throwIfAborted();
    const manifest = await readSnapshot(lake.converted, ref);
    const tombstone = ref.isUnpublished ? await readTombstone(lake.converted, ref) : undefined;
    const ageMs = tombstone ? Math.max(0, nowMs - Date.parse(tombstone.unpublishedAt)) : undefined;
    if (ageMs !== undefined && ageMs >= olderThanMs) old.push({ manifest, ageMs });
    else for (const { zone, key } of filesNamedBy(manifest)) named.add(`${zone}/${key}`);
  }
  const found: Leftover[] = [];
  for (const { manifest, ageMs } of old) {
    const holder = { dataset, ingestDate: manifest.ingestDate };
    for (const { zone, key } of filesNamedBy(manifest)) {
      const at = parseRevisionOfKey(key);
      // A file of another revision is that one's to give up.
      if (!at || revisionText(at) !== revisionText(manifest) || named.has(`${zone}/${key}`))
        continue;
      const bytes = await lake[zone].size(key);
      if (bytes === undefined) continue;
      const remove = async (): Promise<void> => await lake[zone].delete(key);
      found.push({ kind: 'unpublished', zone, key, holder, ageMs, bytes, remove });
    }
  }
  return found;
}

/** A file without its manifest is no landing; a manifest without its file would be a lie. */
function filesNamedBy({ sources }: SnapshotManifest): { zone: 'raw' | 'converted'; key: string }[] {
  return sources.flatMap(({ rawKey, parquet }) => [
    ...parquet.map(({ key }) => ({ zone: 'converted' as const, key })),
    ...(rawKey === '' ? [] : [landingManifestKey(rawKey), rawKey]).map((key) => ({
      zone: 'raw' as const,
      key,
    })),
  ]);
}
