import { FIRST_TIME_ZONE, ingestDateAt } from './dates.ts';
import type { SnapshotManifest } from './manifest.ts';

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
