import type { SnapshotManifest, SourceEntry } from '../model/manifest.ts';
import { quoteIdentifier, quoteLiteral } from '../model/names.ts';
import { meet, type Column, type ColumnType } from '../model/schema.ts';
import { castSql } from './casts.ts';

/** A key of the converted zone → what DuckDB opens. */
export type UriOf = (key: string) => string;

/**
 * The SELECT behind a view: every source of the snapshots, one below the other. A column that sources hold in
 * different types has the type that holds both exactly, else text: DuckDB's own cast would spoil long integers.
 * Every branch names every column in the same order, so that none is lined up by its position alone.
 */
export function viewSql(snapshots: readonly SnapshotManifest[], uriOf: UriOf): string {
  const branches = branchesOf(snapshots);
  const columns = metColumns(branches.map(({ entry }) => entry));
  const selects = branches
    .filter(({ entry }) => entry.parquet.length > 0)
    .map((branch) => branchSql(branch, columns, uriOf));
  return selects.length > 0 ? selects.join('\nUNION ALL BY NAME\n') : emptySql(columns);
}

/** Every Parquet file that the view over these snapshots reads, each once. */
export function filesOf(snapshots: readonly SnapshotManifest[], uriOf: UriOf): string[] {
  const keys = snapshots.flatMap(({ sources }) =>
    sources.flatMap(({ parquet }) => parquet.map(({ key }) => key)),
  );
  return [...new Set(keys)].map((key) => uriOf(key));
}

/** One set of files, and the ingest dates on which it was what the source held. */
export interface Branch {
  entry: SourceEntry;
  ingestDates: string[];
}

/** A source that stayed unchanged for a year is one branch with many dates, not hundreds of branches. */
export function branchesOf(snapshots: readonly SnapshotManifest[]): Branch[] {
  const branches = new Map<string, Branch>();
  for (const { ingestDate, sources } of snapshots) {
    for (const entry of sources) {
      const key = JSON.stringify([entry.id, entry.schema, entry.parquet.map((part) => part.key)]);
      const branch = branches.get(key) ?? { entry, ingestDates: [] };
      branch.ingestDates.push(ingestDate);
      branches.set(key, branch);
    }
  }
  return [...branches.values()];
}

export interface MetColumn {
  name: string;
  type: ColumnType;
}

/** In order of first appearance. */
export function metColumns(entries: readonly SourceEntry[]): MetColumn[] {
  const met = new Map<string, ReturnType<typeof meet>>();
  for (const { schema } of entries) {
    for (const column of schema.columns) {
      const known = met.get(column.name);
      met.set(column.name, known ? meet(known, column) : column);
    }
  }
  return [...met].map(([name, { type }]) => ({ name, type }));
}

function branchSql({ entry, ingestDates }: Branch, columns: MetColumn[], uriOf: UriOf): string {
  const held = new Map(entry.schema.columns.map((column) => [column.name, column]));
  const values = columns.map(
    ({ name, type }) => `${valueSql(held.get(name), type)} AS ${quoteIdentifier(name)}`,
  );
  const files = entry.parquet.map(({ key }) => quoteLiteral(uriOf(key))).join(', ');
  const dates = ingestDates.map((date) => `(DATE ${quoteLiteral(date)})`).join(', ');
  return [
    `SELECT ${[...values, `${quoteLiteral(entry.id)} AS source`, 'days.ingest_date'].join(', ')}`,
    `FROM read_parquet([${files}], hive_partitioning = false) AS part,`,
    `(VALUES ${dates}) AS days(ingest_date)`,
  ].join(' ');
}

function valueSql(column: Column | undefined, to: ColumnType): string {
  if (!column || column.empty) return `CAST(NULL AS ${to})`;
  return castSql(`part.${quoteIdentifier(column.name)}`, column, to);
}

/** Nothing is published but the columns, or not even those. */
function emptySql(columns: readonly MetColumn[]): string {
  const nulls = columns.map(
    ({ name, type }) => `CAST(NULL AS ${type}) AS ${quoteIdentifier(name)}`,
  );
  const own = ['CAST(NULL AS VARCHAR) AS source', 'CAST(NULL AS DATE) AS ingest_date'];
  return `SELECT ${[...nulls, ...own].join(', ')} WHERE false`;
}
