/** Places that a query must not read or write as it likes. */
export interface Places {
  /** Address of the converted zone, without a `/` at its end. */
  root: string;
  /** Address of a published file. */
  part: string;
  /** A folder outside the lake, with `secret.csv`. */
  outside: string;
}

/** Queries that must be refused for every kind of lake. */
export const ATTACKS: [name: string, sql: (places: Places) => string][] = [
  ['COPY into the lake', ({ root }) => `COPY d TO '${root}/evil.parquet'`],
  ['COPY over a published file', ({ part }) => `COPY (SELECT 2 AS x) TO '${part}'`],
  ['COPY outside', ({ outside }) => `COPY d TO '${outside}/evil.csv'`],
  ['ATTACH in the lake', ({ root }) => `ATTACH '${root}/evil.db' AS evil`],
  ['ATTACH of a published file', ({ part }) => `ATTACH '${part}' AS evil`],
  ['EXPORT into the lake', ({ root }) => `EXPORT DATABASE '${root}/evil'`],
  ['EXPORT outside', ({ outside }) => `EXPORT DATABASE '${outside}/evil'`],
  ['IMPORT', ({ outside }) => `IMPORT DATABASE '${outside}'`],
  ['a second statement', ({ root }) => `SELECT 1; COPY d TO '${root}/evil.csv'`],
  ['two SELECTs', () => 'SELECT 1; SELECT 2'],
  ['EXPLAIN ANALYZE COPY', ({ root }) => `EXPLAIN ANALYZE COPY d TO '${root}/evil.csv'`],
  [
    'EXPLAIN ANALYZE COPY over a file',
    ({ part }) => `EXPLAIN ANALYZE COPY (SELECT 2) TO '${part}'`,
  ],
  ['reading a file outside', ({ outside }) => `SELECT * FROM read_csv('${outside}/secret.csv')`],
  ['reading a file outside by name', ({ outside }) => `SELECT * FROM '${outside}/secret.csv'`],
  ['reading through ..', ({ root }) => `SELECT * FROM read_text('${root}/../../etc/passwd')`],
  ['reading what no manifest names', ({ root }) => `SELECT * FROM read_csv('${root}/stray.csv')`],
  ['listing the disk', ({ outside }) => `SELECT * FROM glob('${outside}/*')`],
  ['reading over HTTP', () => `SELECT * FROM read_csv('http://127.0.0.1:9/x.csv')`],
  ['a query in a query', ({ root }) => `SELECT * FROM query('COPY d TO ''${root}/evil.csv''')`],
  ['CALL', () => 'CALL pragma_version()'],
  ['SET', () => 'SET enable_external_access = true'],
  ['a prepared statement', () => 'PREPARE p AS SELECT 1'],
  ['INSTALL', () => 'INSTALL httpfs'],
  ['a new table', () => 'CREATE TABLE t AS SELECT 1'],
  ['a secret', () => `CREATE PERSISTENT SECRET s (TYPE http, BEARER_TOKEN 'x')`],
  ['DROP', () => 'DROP VIEW d'],
  ['logging', () => "FROM enable_logging('HTTP')"],
  ['reading the log', () => 'FROM duckdb_logs'],
  ['logging in a part of it', () => 'WITH t AS MATERIALIZED (FROM enable_logging()) FROM t, d'],
  ['logging through text', () => "FROM query('FROM enable_' || 'logging()')"],
  ['logging, summarised', () => "SUMMARIZE FROM query('FROM enable_' || 'logging()')"],
  [
    'profiling into a file',
    ({ outside }) => `FROM enable_profiling(save_location := '${outside}/p.txt')`,
  ],
  ['nothing', () => '  -- nothing'],
];
