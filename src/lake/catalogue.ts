import { FIRST_TIME_ZONE, ingestDateAt } from '../model/dates.ts';
import type { SnapshotRef } from '../model/layout.ts';
import { viewNameOf } from '../model/names.ts';
import { versionDateOf, type SnapshotManifest } from '../model/manifest.ts';
import {
  isPublished,
  listRevisions,
  readSnapshot,
  type RevisionRef,
} from '../storage/manifests.ts';
import type { Store } from '../storage/store.ts';
import { viewsHint } from './query-errors.ts';
import type { DatedEntry } from './views.ts';

/** A dataset that has a published snapshot. */
export interface PublishedDataset {
  name: string;
  view: string;
  historyView: string;
  /** The newest revision of each ingest date that has begun, oldest first; never empty. */
  snapshots: SnapshotRef[];
}

/**
 * The published datasets of a converted zone, by name. Only manifests count: a folder without one is not a dataset. A
 * day that has not begun in any time zone is left out. Otherwise readers would see it instead of the current day.
 */
export async function readCatalogue(
  converted: Store,
  now: Date = new Date(),
): Promise<PublishedDataset[]> {
  const datasets: PublishedDataset[] = [];
  for (const name of (await converted.folders('')).toSorted()) {
    if (name.startsWith('_')) continue;
    const snapshots = (await newestRevisions(converted, name)).filter(hasBegun(now));
    if (snapshots.length === 0) continue;
    const view = viewNameOf(name);
    datasets.push({ name, view, historyView: `${view}_history`, snapshots });
  }
  return datasets;
}

/** A view that a query may name. */
export interface WantedView {
  view: string;
  /** Entries of the sources that the view shows. */
  entries: () => Promise<DatedEntry[]>;
}

/**
 * A view for each dataset, and one for its history, if the query may name it.
 * @param asOf the last day that counts.
 * @returns also the hint for a query whose view is not among them.
 */
export async function viewsFor(
  converted: Store,
  sql: string,
  asOf?: string,
): Promise<{ wanted: WantedView[]; hint: string }> {
  const all = await readCatalogue(converted);
  const isWanted = ({ ingestDate }: SnapshotRef): boolean =>
    asOf === undefined || ingestDate <= asOf;
  const datasets = all
    .map((dataset) => ({ ...dataset, snapshots: dataset.snapshots.filter(isWanted) }))
    .filter(({ snapshots }) => snapshots.length > 0);
  const known = datasets.map(({ view }) => view);
  const later = all.filter(({ view }) => !known.includes(view));
  const read = async (ref: SnapshotRef): Promise<SnapshotManifest> =>
    await readSnapshot(converted, ref);
  const views = datasets.flatMap(({ view, historyView, snapshots: refs }) => [
    { view, entries: async () => versionsOf(await latestOfEachSource(refs, read)) },
    { view: historyView, entries: async () => daysOf(await Promise.all(refs.map(read))) },
  ]);
  const wanted = views.filter(
    // Another dataset may have the name of this one's history view.
    ({ view }, index) => mayMean(sql, view) && !(index % 2 === 1 && known.includes(view)),
  );
  const firstDays = later.map(
    ({ view, snapshots: [ref] }) => [view, ref?.ingestDate ?? ''] as const,
  );
  return { wanted, hint: viewsHint(known, asOf === undefined ? undefined : { asOf, firstDays }) };
}

export function mentions(sql: string, view: string): boolean {
  return sql.toLowerCase().includes(view);
}

/**
 * A view reads its manifests and a footer, and a history view reads those of every day: only those that the query may
 * name are made. Names are plain ASCII. A query that names a view has its name, lists the catalogue, or builds names.
 */
function mayMean(sql: string, view: string): boolean {
  return mentions(sql, view) || /show|information_schema|duckdb_|pg_|sqlite_|query/i.test(sql);
}

/** Each entry with the day of its version. */
export function versionsOf(snapshots: readonly SnapshotManifest[]): DatedEntry[] {
  return snapshots.flatMap(({ ingestDate, sources }) =>
    sources.map((entry) => ({ entry, ingestDate: versionDateOf(entry, ingestDate) })),
  );
}

/** Each entry with the day of the snapshot that has it. */
function daysOf(snapshots: readonly SnapshotManifest[]): DatedEntry[] {
  return snapshots.flatMap(({ ingestDate, sources }) =>
    sources.map((entry) => ({ entry, ingestDate })),
  );
}

/** The snapshot of that date; by default, of the newest day that has begun. Undefined if there is none. */
export async function findSnapshot(
  converted: Store,
  dataset: string,
  ingestDate?: string,
): Promise<SnapshotManifest | undefined> {
  const isWanted =
    ingestDate === undefined
      ? hasBegun(new Date())
      : (ref: SnapshotRef): boolean => ref.ingestDate === ingestDate;
  const ref = (await newestRevisions(converted, dataset)).findLast(isWanted);
  return ref && (await readSnapshot(converted, ref));
}

/**
 * The newest snapshot. If it lists a source as missing, also the last snapshot that has the source, with only that
 * source. A source that the newest snapshot does not list has left the dataset.
 * @param refs of one dataset, oldest first, up to the requested day; never empty.
 */
export async function latestOfEachSource(
  refs: readonly SnapshotRef[],
  read: (ref: SnapshotRef) => Promise<SnapshotManifest>,
): Promise<SnapshotManifest[]> {
  const found: SnapshotManifest[] = [];
  let wanted: Set<string> | undefined;
  for (const ref of refs.toReversed()) {
    if (wanted?.size === 0) break;
    const manifest = await read(ref);
    wanted ??= new Set(manifest.sources.map(({ id }) => id));
    const sources = manifest.sources.filter(
      ({ id, status }) => status !== 'missing' && wanted?.has(id),
    );
    for (const { id } of sources) wanted.delete(id);
    if (sources.length > 0 || found.length === 0) found.push({ ...manifest, sources });
  }
  return found;
}

/** The newest revision of each ingest date, oldest first. Future days are included. */
export async function newestRevisions(converted: Store, dataset: string): Promise<RevisionRef[]> {
  return newestOfEachDay(await listRevisions(converted, dataset));
}

/** The newest of these revisions for each ingest date, oldest first. Unpublished and ended revisions do not count. */
export function newestOfEachDay(revisions: readonly RevisionRef[]): RevisionRef[] {
  const published = revisions.filter(isPublished);
  return published.filter(
    ({ ingestDate }, index) => published[index + 1]?.ingestDate !== ingestDate,
  );
}

export function hasBegun(now: Date): (ref: SnapshotRef) => boolean {
  const newest = ingestDateAt(now, FIRST_TIME_ZONE);
  return ({ ingestDate }) => ingestDate <= newest;
}
