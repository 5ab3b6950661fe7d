import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { createEngine } from '../../src/conversion/convert-source.ts';
import { QUERY_SCRIPT, sparkQuery } from '../../src/lake/spark/query.ts';
import { rowJson } from '../../src/lake/values.ts';
import type { LonghaulError } from '../../src/model/errors.ts';
import type { Column } from '../../src/model/schema.ts';
import { converted, landed } from '../conversion/samples.ts';
import { startSparkSession, type SparkSession } from '../helpers/spark-session.ts';
import { TinyLake, type TinySource } from '../lake/tiny-lake.ts';

let session: SparkSession;
let lake: TinyLake;
const outside = mkdtempSync(join(tmpdir(), 'longhaul-outside-'));

before(async () => {
  lake = await TinyLake.create("a[b] *'c");
  await lake.publish('d', '2026-01-01', [
    { id: 'a', columns: [{ name: 'x', type: 'BIGINT' }], select: 'SELECT 1::BIGINT AS x' },
  ]);
  writeFileSync(join(outside, 'secret.csv'), 'secret\n1\n');
  session = await startSparkSession({ env: { LONGHAUL_SECRET: 'of-the-environment' } });
});
after(async () => {
  await session?.close();
  await lake.remove();
  rmSync(outside, { recursive: true });
});

/** Rows that `query --engine spark --format json` prints, parsed. */
async function rowsOf(sql: string, { store }: TinyLake = lake, asOf?: string): Promise<unknown[]> {
  const scratchFolder = await mkdtemp(join(tmpdir(), 'longhaul-query-test-'));
  const run = async (jobPath: string): Promise<string> => {
    await session.do(QUERY_SCRIPT, jobPath);
    return '';
  };
  const options = { converted: store, scratchFolder, asOf, run };
  try {
    return await sparkQuery(sql, options, async (result) => {
      const names = result.deduplicatedColumnNames();
      return (await result.getRows()).map((row) => {
        return JSON.parse(rowJson(names, row)) as unknown;
      });
    });
  } finally {
    await rm(scratchFolder, { recursive: true });
  }
}

const JAVA = "('java.lang.System', 'getenv', 'LONGHAUL_SECRET')";

/** SQL that must never run, at any place in a query. */
const REFUSED: [name: string, sql: () => string][] = [
  ['INSERT', () => 'INSERT INTO d SELECT 2'],
  ['INSERT in a FROM', () => 'FROM d INSERT INTO e SELECT x'],
  ['INSERT into a folder', () => `INSERT OVERWRITE DIRECTORY '${outside}/x' USING csv SELECT 1`],
  ['a new table', () => `CREATE TABLE t USING csv LOCATION '${outside}/t' AS SELECT 1 AS x`],
  ['a view', () => 'CREATE TEMPORARY VIEW v AS SELECT 1'],
  ['a view of a file', () => `CREATE TEMPORARY VIEW v USING csv OPTIONS (path '${outside}')`],
  ['DROP', () => 'DROP VIEW d'],
  ['LOAD DATA', () => `LOAD DATA LOCAL INPATH '${outside}/secret.csv' INTO TABLE d`],
  ['SET', () => 'SET spark.sql.runSQLOnFiles = true'],
  ['RESET', () => 'RESET'],
  ['USE', () => 'USE other'],
  ['CACHE', () => 'CACHE TABLE d'],
  ['ADD JAR', () => `ADD JAR '${outside}/x.jar'`],
  ['LIST FILES', () => 'LIST FILES'],
  ['REFRESH', () => `REFRESH '${outside}'`],
  ['a variable', () => 'DECLARE v = 1'],
  ['a function of a class', () => "CREATE TEMPORARY FUNCTION f AS 'java.lang.System'"],
  ['text that becomes SQL', () => "EXECUTE IMMEDIATE 'SELECT 1'"],
  ['CALL', () => 'CALL p()'],
  ['a script', () => 'BEGIN SELECT 1; END'],
  ['EXPLAIN of an INSERT', () => 'EXPLAIN INSERT INTO d SELECT 2'],
  ['a program', () => "SELECT TRANSFORM(x) USING 'cat' AS (y) FROM d"],
  ['a program, inside', () => "SELECT * FROM (FROM d SELECT TRANSFORM(x) USING 'cat' AS (y))"],
  ['a CSV file by its path', () => `SELECT * FROM csv.\`${outside}/secret.csv\``],
  ['a text file by its path', () => `SELECT * FROM text.\`${outside}/secret.csv\``],
  ['a file in a subquery', () => `SELECT (SELECT max(_c0) FROM csv.\`${outside}/secret.csv\`)`],
  ['a file in a CTE', () => `WITH t AS (SELECT * FROM csv.\`${outside}/secret.csv\`) TABLE t`],
  ['a file by a name made up', () => `SELECT * FROM IDENTIFIER('csv.\`${outside}/secret.csv\`')`],
  ['a Parquet file of the lake by its path', () => `SELECT * FROM parquet.\`${lake.root}/d\``],
  ['a file described', () => `DESCRIBE csv.\`${outside}/secret.csv\``],
  ['a table of a catalogue', () => 'SELECT * FROM spark_catalog.default.t'],
  ['the tables of a catalogue', () => 'SHOW TABLES IN other.db'],
  ['an older state of a table', () => 'SELECT * FROM d VERSION AS OF 1'],
  ['a stream', () => 'SELECT * FROM STREAM d'],
  ['Java', () => `SELECT java_method${JAVA}`],
  ['Java by its other name', () => `SELECT reflect${JAVA}`],
  ['Java that may fail', () => `SELECT try_reflect${JAVA}`],
  ['Java in other letters', () => `SELECT \`Java_METHOD\`${JAVA}`],
  ['Java by its whole name', () => `SELECT system.builtin.reflect${JAVA}`],
  ['Java by a name made up', () => `SELECT IDENTIFIER('java_' || 'method')${JAVA}`],
  ['Java in a lambda', () => `SELECT transform(array(1), y -> reflect${JAVA})`],
  [
    'Java in a named window',
    () => `SELECT sum(x) OVER w FROM d WINDOW w AS (ORDER BY reflect${JAVA})`,
  ],
  ['Java in VALUES', () => `SELECT * FROM VALUES (reflect${JAVA})`],
  ['Java in a pivot', () => `SELECT * FROM d PIVOT (max(reflect${JAVA}) FOR x IN (1))`],
  ['Java in a join', () => `SELECT * FROM d a JOIN d b ON a.x = b.x AND reflect${JAVA} = 'y'`],
  ['Java in a lateral join', () => `SELECT * FROM d, LATERAL (SELECT reflect${JAVA})`],
  ['Java in a table function', () => `SELECT * FROM explode(array(reflect${JAVA}))`],
  ['Java in a LIMIT', () => `SELECT * FROM d LIMIT length(reflect${JAVA})`],
  ['Java behind a pipe', () => `FROM d |> WHERE reflect${JAVA} = 'y'`],
  [
    'a file in options',
    () => `SELECT from_xml('<a/>', 'a INT', map('rowValidationXSDPath', '${outside}/secret.csv'))`,
  ],
  ['the logs', () => 'SELECT * FROM python_worker_logs()'],
];

for (const [name, sql] of REFUSED) {
  void test(`${name} is refused`, async () => {
    const before = await lake.fingerprint();
    await assert.rejects(rowsOf(sql()), { code: 'QUERY_REFUSED' });
    assert.deepEqual(await lake.fingerprint(), before);
  });
}

void test('what is no SQL, or of nothing, is an error in words', async () => {
  const codeOf = async (sql: string): Promise<string> =>
    await rowsOf(sql).then(
      () => 'none',
      (error: unknown) => (error as LonghaulError).code,
    );
  assert.equal(await codeOf('  '), 'QUERY_REFUSED');
  for (const sql of [
    '-- nothing',
    'SELEC 1',
    'SELECT 1; SELECT 2',
    'SELECT nosuch FROM d',
    "SELECT CAST('x' AS INT)",
    'COPY d TO x',
  ]) {
    assert.equal(await codeOf(sql), 'QUERY_FAILED', sql);
  }
  await assert.rejects(rowsOf('SELECT * FROM nosuch'), (error: LonghaulError) => {
    assert.match(error.message, /^\[TABLE_OR_VIEW_NOT_FOUND\] [^\n]*`nosuch`/);
    assert.match(error.details.hint ?? '', /The views are d;/);
    assert.ok(!error.message.includes('\tat '), 'no stack');
    return true;
  });
  await assert.rejects(rowsOf('SELECT `\u001b[31mred` FROM d'), (error: Error) => {
    assert.ok(!error.message.includes('\u001b'));
    return true;
  });
});

void test('text that names the environment is text', async () => {
  assert.deepEqual(await rowsOf("SELECT '${env:LONGHAUL_SECRET}' AS t"), [
    { t: '${env:LONGHAUL_SECRET}' },
  ]);
});

for (const sql of [
  'SELECT x FROM d',
  'TABLE d',
  'VALUES (1)',
  'WITH t AS (SELECT * FROM d) SELECT * FROM t;',
  'SELECT x, count(*) FROM d GROUP BY ROLLUP (x) HAVING count(*) > 0 ORDER BY 1 LIMIT 5 OFFSET 0',
  'SELECT *, row_number() OVER w FROM d WINDOW w AS (ORDER BY x)',
  'SELECT /*+ BROADCAST(d) */ * FROM d JOIN d e USING (x)',
  'SELECT x FROM d UNION ALL SELECT 2 EXCEPT SELECT 3',
  'SELECT * FROM d, LATERAL (SELECT x + 1)',
  'SELECT * FROM d LATERAL VIEW explode(array(1, 2)) t AS y',
  'SELECT * FROM range(3)',
  'SELECT * FROM d UNPIVOT (v FOR k IN (x))',
  'DESCRIBE d',
  'SHOW TABLES',
  'SELECT NULL AS n, x AS n, DATE "2020-01-01", 1.50, array(1), map("k", 1), named_struct("a", 1) FROM d',
]) {
  void test(`${sql} runs`, async () => {
    assert.ok((await rowsOf(sql)).length > 0);
  });
}

void test('the times in the files of DuckDB and parquetjs are the same local ones', async () => {
  const columns: Column[] = [{ name: 'at', publisherName: 'at', type: 'TIMESTAMP' }];
  const select = "SELECT TIMESTAMP '2019-07-01 23:30:00.25' AS at";
  const { sources } = await lake.publish('times', '2026-01-01', [
    { id: 'duckdb', columns, select },
    { id: 'parquetjs', columns, select },
  ]);
  const file = await landed(lake.store, 'at\n2019-07-01 23:30:00.25\n');
  const engine = createEngine('parquetjs', { memoryLimit: '1GiB', threads: 1 });
  const { prefix, parts } = await converted(engine, file);
  const part = await lake.store.get(prefix + (parts[0] ?? ''));
  await lake.store.put(sources[1]?.parquet[0]?.key ?? '', part ?? assert.fail());
  const sql = `SELECT source, typeof(at) AS type, at = TIMESTAMP_NTZ '2019-07-01 23:30:00.25' AS same FROM times ORDER BY 1`;
  assert.deepEqual(await rowsOf(sql), [
    { source: 'duckdb', type: 'timestamp_ntz', same: true },
    { source: 'parquetjs', type: 'timestamp_ntz', same: true },
  ]);
});

/** Sources whose columns need a common type that is not their own, with values at which engines differ. */
const DRIFTING: TinySource[] = [
  {
    id: '2015',
    columns: [
      { name: 'n', type: 'BIGINT', beyondDouble: true },
      { name: 'd', type: 'DOUBLE' },
      { name: 'day', type: 'DATE', format: '%m/%d/%Y' },
      { name: 'at', type: 'TIMESTAMP', format: '%m/%d/%Y %I:%M:%S %p' },
      { name: 'none', type: 'VARCHAR', empty: true },
      { name: 'Größe; --', type: 'BIGINT' },
    ],
    select: `SELECT * FROM (VALUES
      (9007199254740993::BIGINT, 0.1::DOUBLE, DATE '2020-02-29', TIMESTAMP '2019-01-02 15:04:05', NULL::VARCHAR, 1::BIGINT),
      (NULL, NULL, NULL, NULL, NULL, NULL), (-1, 1e-7, DATE '0001-01-01', TIMESTAMP '1969-12-31 00:00:00', NULL, 2),
      (0, 1e22, DATE '9999-12-31', TIMESTAMP '2020-01-01 12:00:00', NULL, 3), (5, -104.98765432109876, NULL, NULL, NULL, 4)
      ) t(n, d, day, "at", "none", "Größe; --")`,
  },
  {
    id: '2019',
    columns: [
      { name: 'd', type: 'VARCHAR' },
      { name: 'n', type: 'DOUBLE' },
      { name: 'day', type: 'VARCHAR' },
      { name: 'at', type: 'TIMESTAMP', format: '%Y-%m-%d %H:%M:%S%f' },
      { name: 'none', type: 'DATE', format: '%Y-%m-%d' },
    ],
    select: `SELECT * FROM (VALUES ('x', 3::DOUBLE, 'soon', TIMESTAMP '2019-01-02 15:04:05.0012', DATE '2019-01-02'))
      t(d, n, day, "at", "none")`,
  },
];

void test('views are those that DuckDB has, value for value', async () => {
  await lake.publish('drift', '2026-01-01', DRIFTING);
  const [first] = DRIFTING;
  const { sources } = await lake.publish('drift', '2026-01-02', first ? [first] : []);
  await lake.publishEntries(
    { dataset: 'drift', ingestDate: '2026-01-03', revision: 1 },
    sources.map((entry) => ({ ...entry, status: 'unchanged' })),
  );
  for (const view of ['drift', 'drift_history']) {
    const sql = `SELECT * FROM ${view} ORDER BY ingest_date, source, n`;
    for (const asOf of [undefined, '2026-01-01']) {
      // The engines sort NULLs differently.
      const [spark, duckdb] = [await rowsOf(sql, lake, asOf), await lake.rows(sql, asOf)].map(
        (rows) => rows.map((row) => JSON.stringify(row)).toSorted(),
      );
      assert.deepEqual(spark, duckdb);
    }
  }
  await lake.publish('later', '2026-01-09', first ? [first] : []);
  await assert.rejects(rowsOf('SELECT * FROM later', lake, '2025-12-31'), (error) => {
    const { details } = error as LonghaulError;
    assert.match(details.hint ?? '', /^On 2025-12-31 nothing was published yet\./);
    return true;
  });
});

void test('a decimal as text is what a publisher writes', async () => {
  const decimals = fc.sample(fc.tuple(fc.integer(), fc.integer({ min: 0, max: 12 })), 300);
  const values = decimals.map(([digits, places]) => `(${digits}e-${places}::DOUBLE)`);
  await lake.publish('decimals', '2026-01-01', [
    {
      id: 'a',
      columns: [{ name: 'v', type: 'DOUBLE' }],
      select: `SELECT * FROM (VALUES ${values.join(', ')}) t(v)`,
    },
    { id: 'b', columns: [{ name: 'v', type: 'VARCHAR' }], select: "SELECT 'text' AS v" },
  ]);
  const sql = 'SELECT v FROM decimals ORDER BY v';
  assert.deepEqual(await rowsOf(sql), await lake.rows(sql));
});

void test('a missing file is damage of the lake, and fails only the query that reads it', async () => {
  const columns = [{ name: 'x', type: 'BIGINT' as const }];
  const { sources } = await lake.publish('bad', '2026-01-01', [
    { id: 'a', columns, select: 'SELECT 1::BIGINT AS x' },
  ]);
  await lake.store.delete(sources[0]?.parquet[0]?.key ?? '');
  assert.deepEqual(await rowsOf('SELECT x FROM d'), [{ x: 1 }]);
  assert.ok((await rowsOf('SHOW TABLES')).length > 0);
  await assert.rejects(rowsOf('SELECT x FROM bad'), {
    code: 'LAKE_CORRUPT',
    message: /^The files of bad cannot be read: /,
  });
});
