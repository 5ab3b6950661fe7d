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
   * All revisions of the days that will end. The newest day is first, because it may show a source of an earlier one.
   * Within a day the oldest revision is first, because a reader sees the newest.
   */
  ending: RevisionRef[];
  /** Raw files that the sweep will remove. */
  raw: Leftover[];
  /** Whether a day of the dataset has ended before, or will end. */
  hasEnded: boolean;
}

/**
 * What `keep` of a dataset requires and no sweep has done yet.
 * @throws LonghaulError MANIFEST_UNREADABLE, LAKE_CORRUPT: nothing may go then, because the manifest may name it.
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

/** One entry for each raw file that is named only by days whose raw files are not kept. */
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

/** The raw files that exist. Earlier sweeps removed most of them, so one listing is cheaper than a request for each. */
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
    // The manifest goes first. A file without a manifest is not a landing; a manifest without its file would be false.
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
