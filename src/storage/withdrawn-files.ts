import {
  endingKey,
  landingManifestKey,
  parseRevisionOfKey,
  rawRemovalKey,
  snapshotManifestKey,
  sourceEntryKey,
  tombstoneKey,
} from '../model/layout.ts';
import { revisionText, type SnapshotManifest } from '../model/manifest.ts';
import { datasetsIn, noneIf, type Leftover } from './leftovers.ts';
import {
  listRevisions,
  readEnding,
  readRevisions,
  readTombstone,
  type RevisionRef,
} from './manifests.ts';
import type { Lake } from './store.ts';

export interface WithdrawnLimit {
  /** Files of revisions that were unpublished at least so long ago are found; undefined: none of them. */
  unpublishedAfterMs: number | undefined;
  /** Files of revisions that ended at least so long ago are found. */
  endedAfterMs: number;
  /** Revisions by dataset that a dry run treats as ended just now. */
  ending?: ReadonlyMap<string, ReadonlySet<string>>;
  nowMs: number;
  signal: AbortSignal;
}

/**
 * The files of revisions that ended, or were unpublished, at least so long ago, in the order of removal. Files that any
 * other revision's manifest names stay. If a revision has ended and no other names its files, its manifests go too. If
 * a manifest cannot be read, the dataset keeps all files, because the manifest may name them.
 */
export async function findWithdrawn(lake: Lake, limit: WithdrawnLimit): Promise<Leftover[]> {
  const found: Leftover[] = [];
  for (const dataset of await datasetsIn(lake.converted)) {
    const files = filesOf(lake, dataset, limit);
    const none = noneIf('LAKE_CORRUPT', 'MANIFEST_UNREADABLE');
    found.push(...((await files.catch(none)) ?? []));
  }
  return found;
}

/** A revision whose files the sweep may remove. */
interface Withdrawn {
  kind: 'unpublished' | 'ended';
  ref: RevisionRef;
  ageMs: number;
  /** Undefined if a sweep that was cut off has removed the manifest. */
  manifest: SnapshotManifest | undefined;
}

async function filesOf(lake: Lake, dataset: string, limit: WithdrawnLimit): Promise<Leftover[]> {
  const refs = await listRevisions(lake.converted, dataset);
  const ending = limit.ending?.get(dataset);
  const isAny = refs.some(({ isUnpublished, hasEnded }) => isUnpublished || hasEnded);
  const old: Withdrawn[] = [];
  const named = new Set<string>();
  // If all revisions of a dataset are published, only its listing is read.
  const looked = isAny || ending ? refs : [];
  const manifests = await readRevisions(lake.converted, looked);
  for (const [index, ref] of looked.entries()) {
    limit.signal.throwIfAborted();
    const manifest = manifests[index];
    const isEnding = ending?.has(revisionText(ref)) ?? false;
    const age = isEnding ? endedNow(limit) : await ageOf(lake, ref, limit);
    if (age) old.push({ ...age, ref, manifest });
    else
      for (const { zone, key } of manifest ? filesNamedBy(manifest) : [])
        named.add(`${zone}/${key}`);
  }
  const carried = new Set([...named].map(revisionOf));
  const found: Leftover[] = [];
  for (const each of old) {
    found.push(...(await filesOfRevision(lake, each, named)));
    const isCarried = carried.has(revisionText(each.ref));
    if (each.kind === 'ended' && !isCarried) found.push(...(await manifestsOf(lake, each)));
  }
  return found;
}

/** The revision whose folder has the file, by the file's zone and key. */
function revisionOf(path: string): string {
  const at = parseRevisionOfKey(path.slice(path.indexOf('/') + 1));
  return at ? revisionText(at) : '';
}

function endedNow({ endedAfterMs }: WithdrawnLimit): Pick<Withdrawn, 'kind' | 'ageMs'> | undefined {
  return endedAfterMs === 0 ? { kind: 'ended', ageMs: 0 } : undefined;
}

/** Undefined if the revision's files stay. */
async function ageOf(
  { converted }: Lake,
  ref: RevisionRef,
  { unpublishedAfterMs, endedAfterMs, nowMs }: WithdrawnLimit,
): Promise<Pick<Withdrawn, 'kind' | 'ageMs'> | undefined> {
  const ageSince = (moment: string): number => Math.max(0, nowMs - Date.parse(moment));
  const ending = ref.hasEnded ? await readEnding(converted, ref) : undefined;
  const endedMs = ending && ageSince(ending.endedAt);
  if (endedMs !== undefined && endedMs >= endedAfterMs) return { kind: 'ended', ageMs: endedMs };
  if (!ref.isUnpublished || unpublishedAfterMs === undefined) return undefined;
  const tombstone = await readTombstone(converted, ref);
  const ageMs = tombstone && ageSince(tombstone.unpublishedAt);
  if (ageMs === undefined || ageMs < unpublishedAfterMs) return undefined;
  return { kind: 'unpublished', ageMs };
}

async function filesOfRevision(
  lake: Lake,
  { kind, ref, ageMs, manifest }: Withdrawn,
  named: ReadonlySet<string>,
): Promise<Leftover[]> {
  const { dataset, ingestDate } = ref;
  const holder = kind === 'ended' ? { dataset } : { dataset, ingestDate };
  const found: Leftover[] = [];
  for (const { zone, key } of manifest ? filesNamedBy(manifest) : []) {
    const path = `${zone}/${key}`;
    // A file of another revision goes only with that revision.
    if (revisionOf(path) !== revisionText(ref) || named.has(path)) continue;
    const bytes = await lake[zone].size(key);
    if (bytes === undefined) continue;
    const remove = async (): Promise<void> => await lake[zone].delete(key);
    found.push({ kind, zone, key, holder, ageMs, bytes, remove });
  }
  return found;
}

/** The manifests and marks of a revision, as far as a sweep that was cut off has left them. */
async function manifestsOf(
  { converted }: Lake,
  { kind, ref, ageMs, manifest }: Withdrawn,
): Promise<Leftover[]> {
  const { dataset } = ref;
  const manifestKey = snapshotManifestKey(ref);
  // The manifest goes before the marks, which say that it no longer counts.
  const marks = [tombstoneKey(ref), endingKey(ref)];
  const entries = manifest?.sources.map(({ id }) => sourceEntryKey({ ...ref, source: id })) ?? [];
  const found: Leftover[] = [];
  for (const key of [...entries, ...(manifest ? [manifestKey] : marks)]) {
    const bytes = await converted.size(key);
    if (bytes === undefined) continue;
    const isLast = key === manifestKey;
    const remove = async (): Promise<void> => {
      for (const each of isLast ? [key, ...marks] : [key]) await converted.delete(each);
    };
    found.push({ kind, zone: 'converted', key, holder: { dataset }, ageMs, bytes, remove });
  }
  return found;
}

/** A landing's manifest goes first. Without one a file is not a landing; a manifest without its file would be false. */
function filesNamedBy({ sources }: SnapshotManifest): { zone: 'raw' | 'converted'; key: string }[] {
  return sources.flatMap(({ rawKey, parquet }) => [
    ...parquet.map(({ key }) => ({ zone: 'converted' as const, key })),
    ...(rawKey === '' ? [] : [landingManifestKey(rawKey), rawKey, rawRemovalKey(rawKey)]).map(
      (key) => ({ zone: 'raw' as const, key }),
    ),
  ]);
}
