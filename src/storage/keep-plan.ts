import { landingManifestKey, parseRevisionOfKey } from '../model/layout.ts';
import { firstKeptDate, keptDates, type KeepRule } from '../model/sweep.ts';
import type { SnapshotManifest, SourceEntry } from '../model/manifest.ts';
import type { Leftover } from './leftovers.ts';
import {
  isPublished,
  listRevisions,
  putRawRemoval,
  readRevisions,
  type RevisionRef,
} from './manifests.ts';
import type { Lake } from './store.ts';

export interface KeepPlan {
  /**
   * All revisions of the days that are to end. The newest day first, since it may show a source of an earlier one; of a day
   * the oldest revision first, since a reader sees the newest.
   */
  ending: RevisionRef[];
  /** Raw files that are to go. */
  raw: Leftover[];
  /** A day of the dataset has ended before, or is to. */
  hasEnded: boolean;
}

/**
 * What `keep` of a dataset says that is not done yet.
 * @throws LonghaulError MANIFEST_UNREADABLE, LAKE_CORRUPT: then nothing is to go, since such a manifest may name it.
 */
export async function planKeep(
  lake: Lake,
  rule: KeepRule,
  { nowMs, signal }: { nowMs: number; signal: AbortSignal },
): Promise<KeepPlan> {
  const now = new Date(nowMs);
  const refs = await listRevisions(lake.converted, rule.dataset);
  const read = await readRevisions(lake.converted, refs.filter(isPublished));
  const published = read.flatMap((manifest) => manifest ?? []);
  signal.throwIfAborted();
  const isEnding = endingOf(rule, published, now);
  const ending = refs
    .filter((ref) => !ref.hasEnded && isEnding(ref.ingestDate))
    .toSorted((a, b) => b.ingestDate.localeCompare(a.ingestDate) || a.revision - b.revision);
  const staying = published.filter(({ ingestDate }) => !isEnding(ingestDate));
  const raw = await rawFilesOf(lake, rule, removableRaw(rule, staying, now), nowMs);
  return { ending, raw, hasEnded: ending.length > 0 || refs.some((ref) => ref.hasEnded) };
}

function endingOf(
  { days, timeZone }: KeepRule,
  published: readonly SnapshotManifest[],
  now: Date,
): (ingestDate: string) => boolean {
  if (days === undefined) return () => false;
  const from = firstKeptDate(now, timeZone, days);
  const kept = keptDates(published, from, now);
  return (ingestDate) => ingestDate < from && !kept.has(ingestDate);
}

/** One entry for each raw file that only days name whose raw files are not kept. */
function removableRaw(
  { rawDays, timeZone }: KeepRule,
  published: readonly SnapshotManifest[],
  now: Date,
): SourceEntry[] {
  if (rawDays === undefined) return [];
  const kept = keptDates(published, firstKeptDate(now, timeZone, rawDays), now);
  const removable = new Map<string, SourceEntry>();
  for (const { sources } of published) for (const each of sources) removable.set(each.rawKey, each);
  for (const { ingestDate, sources } of published) {
    if (kept.has(ingestDate)) for (const { rawKey } of sources) removable.delete(rawKey);
  }
  return [...removable.values()];
}

/** As far as they are there: most are gone since an earlier sweep, so one listing is cheaper than a question for each. */
async function rawFilesOf(
  { raw }: Lake,
  { dataset, rawDays = 0 }: KeepRule,
  entries: readonly SourceEntry[],
  nowMs: number,
): Promise<Leftover[]> {
  if (entries.length === 0) return [];
  const there = new Map<string, number>();
  for await (const { key, bytes } of raw.list(`${dataset}/`)) there.set(key, bytes);
  const found: Leftover[] = [];
  for (const { rawKey, bytes: rawBytes, checksum } of entries) {
    const landedMs = Date.parse(parseRevisionOfKey(rawKey)?.ingestDate ?? '') || nowMs;
    const ageMs = Math.max(0, nowMs - landedMs);
    // A file without its manifest is no landing; a manifest without its file would be a lie.
    for (const key of [landingManifestKey(rawKey), rawKey]) {
      const bytes = there.get(key);
      if (bytes === undefined) continue;
      const remove = async (): Promise<void> => {
        await putRawRemoval(raw, { dataset, rawKey, bytes: rawBytes, checksum, keepDays: rawDays });
        await raw.delete(key);
      };
      found.push({ kind: 'raw', zone: 'raw', key, holder: { dataset }, ageMs, bytes, remove });
    }
  }
  return found;
}
