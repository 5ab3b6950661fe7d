import { FIRST_TIME_ZONE, ingestDateAt } from './dates.ts';
import type { SnapshotManifest } from './manifest.ts';

/** Leftovers of dead runs, in the order in which those of one landing are removed: a file that points to another goes later. */
export const LEFTOVER_KINDS = [
  'upload',
  'checkpoint',
  'partial',
  'temporary',
  'part',
  'unpublished',
  'ended',
  'raw',
  'staging',
] as const;
export type LeftoverKind = (typeof LEFTOVER_KINDS)[number];

/**
 * A day that ends, by its folder: its files are of the kind `ended`. Files of an Iceberg table that its newest version does not name. EMR clusters, which lie in no zone, go last: what they
 * write goes with them.
 */
export type SweptKind = LeftoverKind | 'day' | 'table' | 'cluster';

/** The one argument of the workflow `sweepLake`. */
export interface SweepInput {
  /** Only files that no process has touched for this long. */
  olderThanMs: number;
  /** Also files of revisions that were unpublished so long ago; absent: none of them. */
  unpublishedAfterMs?: number;
  /** What datasets.yaml of the one who starts it says to keep; absent, or of a dataset that is not here: everything. */
  keep?: KeepRule[];
  /** Removes nothing, and says what would go. */
  dryRun: boolean;
  /** As in `IngestInput`. */
  heartbeatTimeoutMs: number;
}

/** `kept-live`: a run under way holds it, or Temporal could not say that none does. */
export type SweepOutcome = 'removed' | 'would-remove' | 'kept-live';

export function outcomeOf(isHeld: boolean, dryRun: boolean): SweepOutcome {
  if (isHeld) return 'kept-live';
  return dryRun ? 'would-remove' : 'removed';
}

export interface SweptItem {
  kind: SweptKind;
  /** Absent for a cluster. */
  zone?: 'raw' | 'converted';
  /** Relative to the zone; of staging the folder of a whole run, ending with `/`; of a cluster its id and its name. */
  key: string;
  /**
   * Since it, or what belongs to it, was last modified; of a file of a revision that was unpublished or
   * has ended, since that; of a day that ends, and of a raw file that is kept no longer, since the ingest date.
   */
  ageMs: number;
  bytes: number;
  outcome: SweepOutcome;
}

export interface SweepTotal {
  kind: SweptKind;
  outcome: SweepOutcome;
  count: number;
  bytes: number;
}

/** What `sweepLake` returns, and the CLI's JSON. The result of a retried sweep is that of its last attempt. */
export interface SweepResult {
  olderThanMs: number;
  /** As in the input. */
  unpublishedAfterMs?: number;
  dryRun: boolean;
  /** At most `MAX_SWEPT_ITEMS`. */
  items: SweptItem[];
  /** The number of all of them, also of those that `items` has no room for. */
  count: number;
  bytes: number;
  /** Numbers and bytes by kind and outcome, of those that occur. */
  totals: SweepTotal[];
  /** How many more are too young to be asked about. */
  younger: number;
  /** Why the sweep did not ask EMR, where EMR may have clusters of ours. */
  clustersUnknown?: string;
}

/** Some 400 bytes each at the most: well below the 2 MB that Temporal lets pass. */
export const MAX_SWEPT_ITEMS = 1000;

/** One sweep of the lake at a time. */
export const SWEEP_WORKFLOW_ID = 'sweep';

const MINUTE_MS = 60_000;
const UNIT_MS: Readonly<Record<string, number>> = {
  m: MINUTE_MS,
  h: 60 * MINUTE_MS,
  d: 24 * 60 * MINUTE_MS,
};

/**
 * `90m`, `24h`, `7d`: a whole number of minutes, hours or days, so a minute at least. Only a bare `0` means no
 * age at all, so that no typing error asks for it.
 * @returns milliseconds; undefined for any other text.
 */
export function parseAge(text: string): number | undefined {
  if (text === '0') return 0;
  const [, count, unit = ''] = /^([1-9]\d{0,4})([mhd])$/.exec(text) ?? [];
  const unitMs = UNIT_MS[unit];
  return unitMs === undefined ? undefined : Number(count) * unitMs;
}

/** `keep` of a dataset in datasets.yaml: how old its days, and their raw files, become. Part of a sweep's input. */
export interface KeepRule {
  dataset: string;
  /** IANA; of the ingest dates. */
  timeZone: string;
  /** Published days that are older than so many days end. Absent: none. */
  days?: number;
  /** Raw files that no day of so many days, and not the last one, has. Absent: none go. */
  rawDays?: number;
}

const DAY_MS = 86_400_000;

/** The first ingest date that is not older than so many days; today is 0 days old. */
export function firstKeptDate(now: Date, timeZone: string, days: number): string {
  const today = Date.parse(ingestDateAt(now, timeZone));
  return new Date(today - days * DAY_MS).toISOString().slice(0, 'YYYY-MM-DD'.length);
}

/** What is kept depends on a snapshot's date and on the sources that it has and lacks. */
export type DatedSnapshot = Pick<SnapshotManifest, 'ingestDate' | 'revision' | 'sources'>;

/**
 * The ingest dates that stay: from a date on, the last one that has begun, whatever its age, and each earlier one from
 * which a day that stays shows a source that the publisher did not have any more.
 * @param published all published revisions of a dataset.
 */
export function keptDates(
  published: readonly DatedSnapshot[],
  from: string,
  now: Date,
): Set<string> {
  const days = byDate(published);
  const dates = [...days.keys()].toSorted().toReversed();
  const begun = ingestDateAt(now, FIRST_TIME_ZONE);
  const last = dates.find((date) => date <= begun);
  const kept = new Set(dates.filter((date) => date >= from || date === last));
  // From the newest to the oldest: what is added is always older.
  for (const [index, date] of dates.entries()) {
    if (!kept.has(date)) continue;
    for (const id of (days.get(date) ?? []).flatMap(idsOf('missing'))) {
      const shownFrom = dates
        .slice(index + 1)
        .find((earlier) => idsOf('present')(days.get(earlier)?.at(-1)).includes(id));
      if (shownFrom !== undefined) kept.add(shownFrom);
    }
  }
  return kept;
}

/** The revisions of each date, the newest one last. */
function byDate(published: readonly DatedSnapshot[]): Map<string, DatedSnapshot[]> {
  const days = new Map<string, DatedSnapshot[]>();
  for (const each of published.toSorted((a, b) => a.revision - b.revision)) {
    days.set(each.ingestDate, [...(days.get(each.ingestDate) ?? []), each]);
  }
  return days;
}

function idsOf(which: 'missing' | 'present'): (snapshot?: DatedSnapshot) => string[] {
  return (snapshot) =>
    (snapshot?.sources ?? [])
      .filter(({ status }) => (status === 'missing') === (which === 'missing'))
      .map(({ id }) => id);
}
