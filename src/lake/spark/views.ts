import type { SnapshotManifest } from '../../model/manifest.ts';
import type { Column, ColumnType } from '../../model/schema.ts';
import { readSnapshot } from '../../storage/manifests.ts';
import type { Store } from '../../storage/store.ts';
import { latestOfEachSource, readCatalogue } from '../catalogue.ts';
import { mayMean } from '../create-views.ts';
import { branchesOf, metColumns, type Branch, type MetColumn } from '../views.ts';
import { quoteName, quoteText, SPARK_TYPES, sparkCast } from './spark-sql.ts';

/** One view, as `query.py` makes it. */
export interface SparkView {
  name: string;
  /** Names in `sql`, and the Parquet files that each stands for. */
  tables: Record<string, string[]>;
  sql: string;
}

/** The views that the query may mean, and the names of all. */
export async function sparkViews(
  converted: Store,
  sql: string,
  uriOf: (key: string) => string,
): Promise<{ views: SparkView[]; known: string[] }> {
  const datasets = await readCatalogue(converted);
  const known = datasets.map(({ view }) => view);
  const views: SparkView[] = [];
  for (const { view, historyView, snapshots } of datasets) {
    if (mayMean(sql, view)) {
      views.push(viewOf(view, await latestOfEachSource(converted, snapshots), uriOf));
    }
    if (known.includes(historyView) || !mayMean(sql, historyView)) continue;
    const all = await Promise.all(snapshots.map(async (ref) => readSnapshot(converted, ref)));
    views.push(viewOf(historyView, all, uriOf));
  }
  return { views, known };
}

/** As `viewSql` has it for DuckDB: every branch names every column in the same order, in the type where all meet. */
function viewOf(
  name: string,
  snapshots: readonly SnapshotManifest[],
  uriOf: (key: string) => string,
): SparkView {
  const branches = branchesOf(snapshots);
  const columns = metColumns(branches.map(({ entry }) => entry));
  const tables: Record<string, string[]> = {};
  const selects = branches
    .filter(({ entry }) => entry.parquet.length > 0)
    .map((branch, index) => {
      const table = `${PART_NAME}${index}`;
      tables[table] = branch.entry.parquet.map(({ key }) => uriOf(key));
      return branchSql(branch, columns, table);
    });
  return { name, tables, sql: selects.join('\nUNION ALL\n') || emptySql(columns) };
}

const PART_NAME = 'longhaul_part_';

function branchSql({ entry, ingestDates }: Branch, columns: MetColumn[], table: string): string {
  const held = new Map(entry.schema.columns.map((column) => [column.name, column]));
  const values = columns.map(
    ({ name, type }) => `${valueSql(held.get(name), type)} AS ${quoteName(name)}`,
  );
  const dates = ingestDates.map((date) => `(DATE ${quoteText(date)})`).join(', ');
  return [
    `SELECT ${[...values, `${quoteText(entry.id)} AS source`, 'days.ingest_date'].join(', ')}`,
    `FROM ${table} AS part CROSS JOIN (VALUES ${dates}) AS days(ingest_date)`,
  ].join(' ');
}

function valueSql(column: Column | undefined, to: ColumnType): string {
  if (!column || column.empty) return `CAST(NULL AS ${SPARK_TYPES[to]})`;
  return sparkCast(`part.${quoteName(column.name)}`, column, to);
}

function emptySql(columns: readonly MetColumn[]): string {
  const nulls = columns.map(
    ({ name, type }) => `CAST(NULL AS ${SPARK_TYPES[type]}) AS ${quoteName(name)}`,
  );
  const own = ['CAST(NULL AS STRING) AS source', 'CAST(NULL AS DATE) AS ingest_date'];
  return `SELECT ${[...nulls, ...own].join(', ')} WHERE false`;
}
