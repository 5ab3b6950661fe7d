import { FIRST_TIME_ZONE, ingestDateAt } from './dates.ts';
import type { SnapshotManifest } from './manifest.ts';

/** Kinds of leftovers, in the order in which a sweep removes them. A file that points to another one comes later. */
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
 * `day`: the folder of a day that ends; its files have the kind `ended`. `table`: files of an Iceberg table that its
 * newest version does not name. `cluster`: EMR clusters, which come last.
 */
export type SweptKind = LeftoverKind | 'day' | 'table' | 'cluster';

/** The only argument of the workflow `sweepLake`. */
export interface SweepInput {
  /** The sweep removes only files that no process has touched for this long. */
  olderThanMs: number;
  /** The sweep also removes files of revisions that were unpublished at least so long ago. Absent: none. */
  unpublishedAfterMs?: number;
  /** The keep rules in the datasets.yaml of the user who starts the sweep. Datasets without a rule keep everything. */
  keep?: KeepRule[];
  /** True if the sweep removes nothing and only lists what it would remove. */
  dryRun: boolean;
  /** See `IngestInput`. */
  heartbeatTimeoutMs: number;
}

/** `kept-live`: a run under way needs the item, or Temporal could not say that no run does. */
export type SweepOutcome = 'removed' | 'would-remove' | 'kept-live';

export function outcomeOf(isHeld: boolean, dryRun: boolean): SweepOutcome {
  if (isHeld) return 'kept-live';
  return dryRun ? 'would-remove' : 'removed';
}

export interface SweptItem {
  kind: SweptKind;
  /** Absent for a cluster. */
  zone?: 'raw' | 'converted';
  /** Key relative to the zone. For staging, the folder of a run, ending with `/`. For a cluster, its id and name. */
  key: string;
  /**
   * Time since the item, or what belongs to it, was modified. For a file of a revision that was unpublished or has
   * ended, time since then. For a day that ends and a raw file that is not kept, time since the ingest date.
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

/** What `sweepLake` returns and the CLI prints as JSON. After a retry, it is the result of the last attempt only. */
export interface SweepResult {
  olderThanMs: number;
  /** See `SweepInput`. */
  unpublishedAfterMs?: number;
  dryRun: boolean;
  /** At most `MAX_SWEPT_ITEMS`. */
  items: SweptItem[];
  /** Number of all items, including those that `items` has no room for. */
  count: number;
  bytes: number;
  /** Counts and bytes for each kind and outcome that occurs. */
  totals: SweepTotal[];
  /** Number of further leftovers that are too young to be removed. */
  younger: number;
  /** Why the sweep could not ask EMR, if EMR may have clusters that Longhaul made. */
  clustersUnknown?: string;
}

/** Each item has at most about 400 bytes, so the result stays far below Temporal's limit of 2 MB. */
export const MAX_SWEPT_ITEMS = 1000;

/** A lake has one namespace, so this id allows one sweep of a lake at a time. */
export const SWEEP_WORKFLOW_ID = 'sweep';

const MINUTE_MS = 60_000;
const UNIT_MS: Readonly<Record<string, number>> = {
  m: MINUTE_MS,
  h: 60 * MINUTE_MS,
  d: 24 * 60 * MINUTE_MS,
};

/**
 * `90m`, `24h`, `7d`: a whole number of minutes, hours or days, so at least a minute. Only `0` without a unit means no
 * age, so that a typing error does not mean it.
 * @returns milliseconds; undefined for any other text.
 */
export function parseAge(text: string): number | undefined {
  if (text === '0') return 0;
  const [, count, unit = ''] = /^([1-9]\d{0,4})([mhd])$/.exec(text) ?? [];
  const unitMs = UNIT_MS[unit];
  return unitMs === undefined ? undefined : Number(count) * unitMs;
}

/** `keep` of a dataset in datasets.yaml: how long its days and their raw files stay. Part of a sweep's input. */
export interface KeepRule {
  dataset: string;
  /** IANA name of the zone of the ingest dates. */
  timeZone: string;
  /** A published day ends when it is older than so many days. Absent: no day ends. */
  days?: number;
  /** A raw file is removed if no day of the last so many, and not the last day, has it. Absent: none is removed. */
  rawDays?: number;
}

const DAY_MS = 86_400_000;

/** The first ingest date that is not older than so many days. Today is 0 days old. */
export function firstKeptDate(now: Date, timeZone: string, days: number): string {
  const today = Date.parse(ingestDateAt(now, timeZone));
  return new Date(today - days * DAY_MS).toISOString().slice(0, 'YYYY-MM-DD'.length);
}

/** The fields of a snapshot that decide what is kept: its date, and the sources that it has and lacks. */
export type DatedSnapshot = Pick<SnapshotManifest, 'ingestDate' | 'revision' | 'sources'>;

/**
 * The ingest dates that stay: all from `from` on, and the last one that has begun, whatever its age. If a source is
 * missing on a day that stays, views show the source from an earlier day, so that day stays too.
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
  // The loop goes from the newest to the oldest day, because each day that it adds is older.
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
