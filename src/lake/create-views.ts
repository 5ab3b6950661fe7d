import type { DuckDBConnection } from '@duckdb/node-api';
import type { LonghaulError } from '../model/errors.ts';
import type { SnapshotManifest } from '../model/manifest.ts';
import { quoteIdentifier } from '../model/names.ts';
import { readSnapshot } from '../storage/manifests.ts';
import type { Store } from '../storage/store.ts';
import { latestOfEachSource, readCatalogue } from './catalogue.ts';
import { asViewError, type StoreErrorOf } from './query-errors.ts';
import { filesOf, viewSql } from './views.ts';

export interface CreatedViews {
  /** Every file that they read, as DuckDB opens it. */
  files: string[];
  /** Views that could not be made: an error only for a query that wants them. */
  broken: BrokenView[];
  /** The views of all that is published, made or not. */
  known: string[];
}

export interface BrokenView {
  view: string;
  error: LonghaulError;
}

/** One view a dataset, and one of its history, where the query may mean it. */
export async function createViews(
  connection: DuckDBConnection,
  converted: Store,
  sql: string,
  storeError: StoreErrorOf,
): Promise<CreatedViews> {
  const uriOf = (key: string): string => converted.uri(key);
  const files = new Set<string>();
  const broken: BrokenView[] = [];
  const datasets = await readCatalogue(converted);
  const ownViews = new Set(datasets.map(({ view }) => view));
  const create = async (view: string, read: () => Promise<SnapshotManifest[]>): Promise<void> => {
    try {
      const snapshots = await read();
      await connection.run(`CREATE VIEW ${quoteIdentifier(view)} AS ${viewSql(snapshots, uriOf)}`);
      for (const file of filesOf(snapshots, uriOf)) files.add(file);
    } catch (error) {
      broken.push({ view, error: asViewError(error, view, storeError) });
    }
  };
  for (const { view, historyView, snapshots } of datasets) {
    if (mayMean(sql, view))
      await create(view, async () => latestOfEachSource(converted, snapshots));
    if (ownViews.has(historyView) || !mayMean(sql, historyView)) continue;
    await create(historyView, async () =>
      Promise.all(snapshots.map(async (ref) => readSnapshot(converted, ref))),
    );
  }
  return { files: [...files], broken, known: [...ownViews] };
}

export function mentions(sql: string, view: string): boolean {
  return sql.toLowerCase().includes(view);
}

/**
 * A view costs a read of its manifests and of a footer, a history one of every day: only queries that may mean
 * it pay. Names are plain ASCII, so whoever means one writes it, lists the catalogue, or makes names up as it goes.
 */
export function mayMean(sql: string, view: string): boolean {
  return mentions(sql, view) || /show|information_schema|duckdb_|pg_|sqlite_|query/i.test(sql);
}
