import { quoteLiteral } from '../model/names.ts';

/** Where a table is, as programs that read it are told. */
export interface TableAddress {
  view: string;
  /** The folder. */
  location: string;
  metadataFile: string;
  /** A day, and its snapshot. */
  tag?: { name: string; snapshotId: number } | undefined;
  /** The tables that are its history. */
  history?: Record<'versions' | 'days', { location: string }> | undefined;
}

/** Lines to paste, by program. Trino, Athena and Snowflake are not among those that our tests run. */
export function readerLines(table: TableAddress): Record<string, string[]> {
  return {
    DuckDB: duckDbLines(table),
    pyiceberg: pyicebergLines(table),
    polars: [
      'import polars as pl',
      `pl.scan_iceberg(${python(table.metadataFile)}).collect()`,
      ...ofDay(
        table,
        ({ snapshotId }) =>
          `pl.scan_iceberg(${python(table.metadataFile)}, snapshot_id=${snapshotId}).collect()`,
      ),
    ],
    Spark: sparkLines(table),
    ...(table.location.startsWith('s3://') ? inS3(table) : {}),
  };
}

/** Programs that read buckets only. */
function inS3(table: TableAddress): Record<string, string[]> {
  return {
    Trino: [
      `CALL iceberg.system.register_table(schema_name => 'lake', table_name => ${quoteLiteral(table.view)}, table_location => ${quoteLiteral(table.location)});`,
      ...ofDay(
        table,
        ({ name }) =>
          `SELECT * FROM iceberg.lake.${table.view} FOR VERSION AS OF ${quoteLiteral(name)};`,
      ),
    ],
    Athena: [`aws glue create-table --database-name lake --table-input ${shell(glueTable(table))}`],
    Snowflake: [
      `CREATE ICEBERG TABLE ${table.view} EXTERNAL_VOLUME = 'volume' CATALOG = 'object_store_catalog' METADATA_FILE_PATH = ${quoteLiteral(table.metadataFile)};`,
    ],
  };
}

function duckDbLines(table: TableAddress): string[] {
  const location = quoteLiteral(table.location);
  return [
    'INSTALL iceberg; LOAD iceberg;',
    `SELECT * FROM iceberg_scan(${location});`,
    ...ofDay(
      table,
      ({ snapshotId }) =>
        `SELECT * FROM iceberg_scan(${location}, snapshot_from_id = ${snapshotId});`,
    ),
    ...(table.history ? [historySql(table.history)] : []),
  ];
}

function historySql({ versions, days }: NonNullable<TableAddress['history']>): string {
  const [versionsScan, daysScan] = [versions, days].map(
    ({ location }) => `iceberg_scan(${quoteLiteral(location)})`,
  );
  return `SELECT v.* REPLACE (d.day AS ingest_date) FROM ${versionsScan} AS v JOIN ${daysScan} AS d ON v.source = d.source AND v.ingest_date = d.version_date;`;
}

function pyicebergLines(table: TableAddress): string[] {
  return [
    'from pyiceberg.table import StaticTable',
    `table = StaticTable.from_metadata(${python(table.location)})`,
    'table.scan().to_arrow()',
    ...ofDay(
      table,
      ({ name }) =>
        `table.scan(snapshot_id=table.snapshot_by_name(${python(name)}).snapshot_id).to_arrow()`,
    ),
  ];
}

/** With Iceberg's runtime of the Spark version on its class path. */
function sparkLines(table: TableAddress): string[] {
  const load = `.load(${python(table.location)})`;
  return [
    `spark.read.format("iceberg")${load}`,
    ...ofDay(
      table,
      ({ name }) => `spark.read.format("iceberg").option("tag", ${python(name)})${load}`,
    ),
  ];
}

function ofDay(
  { tag }: TableAddress,
  line: (tag: { name: string; snapshotId: number }) => string,
): string[] {
  return tag ? [line(tag)] : [];
}

function glueTable({ view, location, metadataFile }: TableAddress): string {
  return JSON.stringify({
    Name: view,
    TableType: 'EXTERNAL_TABLE',
    StorageDescriptor: { Location: location },
    Parameters: { table_type: 'ICEBERG', metadata_location: metadataFile },
  });
}

/** A string of JSON is one of Python too. */
function python(text: string): string {
  return JSON.stringify(text);
}

function shell(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
