import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { DuckDBInstance } from '@duckdb/node-api';
import fc from 'fast-check';
import { DUCKDB_SQL, castSql } from '../../src/lake/views.ts';
import { findSnapshot, readCatalogue } from '../../src/lake/catalogue.ts';
import {
  versionDateOf,
  type SnapshotManifest,
  type SourceEntry,
} from '../../src/model/manifest.ts';
import { quoteIdentifier } from '../../src/model/names.ts';
import { COLUMN_TYPES, type ColumnType } from '../../src/model/schema.ts';
import { entryOf } from '../helpers/manifests.ts';
import { TinyLake, type TinySource } from './tiny-lake.ts';

let lake: TinyLake;
before(async () => {
  lake = await TinyLake.create();
});
after(async () => {
  await lake.remove();
});

let datasets = 0;
function newDataset(): string {
  datasets += 1;
  return `d${datasets}`;
}

async function published(...sources: TinySource[]): Promise<string> {
  const dataset = newDataset();
  await lake.publish(dataset, '2026-01-01', sources);
  return dataset;
}

void test('a long integer beside a decimal keeps every digit', async () => {
  const view = await published(
    {
      id: 'a',
      columns: [{ name: 'n', type: 'BIGINT', beyondDouble: true }],
      select: 'SELECT 9007199254740993 AS n',
    },
    { id: 'b', columns: [{ name: 'n', type: 'DOUBLE' }], select: 'SELECT 3::DOUBLE AS n' },
  );
  assert.deepEqual(await lake.rows(`SELECT n, source FROM ${view} ORDER BY source`), [
    { n: '9007199254740993', source: 'a' },
    { n: '3', source: 'b' },
  ]);
});

void test('short integers and decimals meet as numbers', async () => {
  const view = await published(
    { id: 'a', columns: [{ name: 'n', type: 'BIGINT' }], select: 'SELECT 41::BIGINT AS n' },
    { id: 'b', columns: [{ name: 'n', type: 'DOUBLE' }], select: 'SELECT 1.5::DOUBLE AS n' },
  );
  assert.deepEqual(await lake.rows(`SELECT sum(n) AS s, any_value(typeof(n)) AS t FROM ${view}`), [
    { s: 42.5, t: 'DOUBLE' },
  ]);
});

void test('sources line up by name; what one lacks is NULL; source and date are columns', async () => {
  const view = await published(
    {
      id: '2015',
      columns: [
        { name: 'a', type: 'VARCHAR' },
        { name: 'b', type: 'BIGINT' },
      ],
      select: "SELECT 'x' AS a, 1::BIGINT AS b",
    },
    {
      id: '2019',
      columns: [
        { name: 'b', type: 'BIGINT' },
        { name: 'a', type: 'VARCHAR' },
        { name: 'c', type: 'DATE', format: '%Y-%m-%d' },
      ],
      select: "SELECT 2::BIGINT AS b, 'y' AS a, DATE '2019-01-02' AS c",
    },
  );
  assert.deepEqual(await lake.rows(`SELECT * FROM ${view} ORDER BY source`), [
    { a: 'x', b: 1, c: null, source: '2015', ingest_date: '2026-01-01' },
    { a: 'y', b: 2, c: '2019-01-02', source: '2019', ingest_date: '2026-01-01' },
  ]);
});

void test("dates that meet text are the publisher's text, fractions without their zeros", async () => {
  const moment = { name: 't', type: 'TIMESTAMP' as const };
  const view = await published(
    {
      id: 'a',
      columns: [{ ...moment, format: '%m/%d/%Y %I:%M:%S %p' }],
      select: "SELECT TIMESTAMP '2019-01-02 15:04:05' AS t",
    },
    {
      id: 'b',
      columns: [{ ...moment, format: '%Y-%m-%d %H:%M:%S%f' }],
      select:
        "SELECT unnest([TIMESTAMP '2019-01-02 15:04:05.0012', TIMESTAMP '2019-01-02 15:04:05']) AS t",
    },
    { id: 'c', columns: [{ name: 't', type: 'VARCHAR' }], select: "SELECT 'soon' AS t" },
    {
      id: 'd',
      columns: [{ name: 't', type: 'DATE', format: '%d.%m.%Y' }],
      select: "SELECT DATE '2019-01-02' AS t",
    },
  );
  assert.deepEqual(await lake.rows(`SELECT t FROM ${view} ORDER BY source, t DESC`), [
    { t: '01/02/2019 03:04:05 PM' },
    { t: '2019-01-02 15:04:05.0012' },
    { t: '2019-01-02 15:04:05' },
    { t: 'soon' },
    { t: '02.01.2019' },
  ]);
});

void test("a column without any value gives way to the other source's type", async () => {
  const view = await published(
    {
      id: 'a',
      columns: [{ name: 'n', type: 'VARCHAR', empty: true }],
      select: 'SELECT NULL::VARCHAR AS n',
    },
    { id: 'b', columns: [{ name: 'n', type: 'BIGINT' }], select: 'SELECT 5::BIGINT AS n' },
  );
  assert.deepEqual(await lake.rows(`SELECT n, typeof(n) AS t FROM ${view} ORDER BY source`), [
    { n: null, t: 'BIGINT' },
    { n: 5, t: 'BIGINT' },
  ]);
});

void test('a header that tries to be SQL is a column', async () => {
  const evil = 'x"); DROP TABLE t; --';
  const view = await published({
    id: 'a',
    columns: [{ name: evil, type: 'BIGINT' }],
    select: `SELECT 1::BIGINT AS ${quoteIdentifier(evil)}`,
  });
  assert.deepEqual(await lake.rows(`SELECT * EXCLUDE (source, ingest_date) FROM ${view}`), [
    { [evil]: 1 },
  ]);
});

void test('a snapshot of nothing but missing sources, or of no rows, is a view without rows', async () => {
  const missing = newDataset();
  const entry = entryOf({ url: 'http://h/', status: 'missing' });
  await lake.publishEntries({ dataset: missing, ingestDate: '2026-01-01', revision: 1 }, [entry]);
  assert.deepEqual(await lake.rows(`SELECT * FROM ${missing}`), []);
  const empty = await published({ id: 'a', columns: [{ name: 'n', type: 'BIGINT' }] });
  assert.deepEqual(await lake.rows(`SELECT count(n) AS c FROM ${empty}`), [{ c: 0 }]);
});

void test('readers take the newest revision of the newest date; the history has every date once', async () => {
  const dataset = newDataset();
  const columns = [{ name: 'n', type: 'BIGINT' as const }];
  const source = (n: number): TinySource => ({
    id: 'a',
    columns,
    select: `SELECT ${n}::BIGINT AS n`,
  });
  await lake.publish(dataset, '2026-01-01', [source(1)]);
  const second = await lake.publish(dataset, '2026-01-02', [source(2)]);
  await lake.publish(dataset, '2026-01-01', [source(11)], 2);
  // The source is unchanged on the third day, so the manifest points to the second day's file.
  const third = { dataset, ingestDate: '2026-01-03', revision: 1 };
  await lake.publishEntries(third, unchanged(second));
  assert.deepEqual(await lake.rows(`SELECT n, ingest_date FROM ${dataset}`), [
    { n: 2, ingest_date: '2026-01-02' },
  ]);
  assert.deepEqual(
    await lake.rows(`SELECT n, ingest_date FROM ${dataset}_history ORDER BY ingest_date`),
    [
      { n: 11, ingest_date: '2026-01-01' },
      { n: 2, ingest_date: '2026-01-02' },
      { n: 2, ingest_date: '2026-01-03' },
    ],
  );
  const found = await findSnapshot(lake.store, dataset, '2026-01-01');
  assert.equal(found?.revision, 2);
  const catalogue = await readCatalogue(lake.store);
  assert.equal(catalogue.find(({ name }) => name === dataset)?.snapshots.length, 3);
});

/** The next day's entries when no source has changed. */
function unchanged({ sources }: SnapshotManifest): SourceEntry[] {
  return sources.map((entry) => ({ ...entry, status: 'unchanged' }));
}

void test('a row has the day on which its version was published, by whatever days and revisions it got there', async () => {
  const dataset = newDataset();
  const of = (id: string, n: number): TinySource => ({
    ...{ id, columns: [{ name: 'n', type: 'BIGINT' }], select: `SELECT ${n}::BIGINT AS n` },
  });
  const first = await lake.publish(dataset, '2026-01-01', [of('a', 1), of('b', 2), of('c', 3)]);
  const at = (day: string) => ({ dataset, ingestDate: day, revision: 1 });
  await lake.publishEntries(at('2026-01-02'), unchanged(first));
  const dates = `SELECT DISTINCT ingest_date FROM ${dataset}`;
  assert.deepEqual(await lake.rows(dates), [{ ingest_date: '2026-01-01' }]);
  // The rows of a revision have the date of its day.
  const sources = [of('a', 1), of('b', 2), of('c', 3)];
  const second = await lake.publish(dataset, '2026-01-02', sources, 2);
  assert.deepEqual(await lake.rows(dates), [{ ingest_date: '2026-01-02' }]);
  // `a` is converted anew with other settings, from the first day's landing. Its new rows have the third day's date.
  const again = await lake.publish(dataset, '2026-01-03', [of('a', 11)]);
  const landed = 'd/ingest_date=2026-01-01/source=a/a.csv';
  const third = [
    ...again.sources.map((entry) => ({ ...entry, rawKey: landed })),
    ...unchanged(second).filter(({ id }) => id !== 'a'),
  ];
  const fourth = third.map((entry): SourceEntry => ({ ...entry, status: 'unchanged' }));
  // `c` is missing on the fourth day, so the view shows its last version.
  const missing = entryOf({ id: 'c', status: 'missing' });
  await lake.publishEntries(at('2026-01-04'), [...fourth.filter(({ id }) => id !== 'c'), missing]);
  const days = await lake.rows(`SELECT source, n, ingest_date FROM ${dataset} ORDER BY source`);
  assert.deepEqual(days, [
    { source: 'a', n: 11, ingest_date: '2026-01-03' },
    { source: 'b', n: 2, ingest_date: '2026-01-02' },
    { source: 'c', n: 3, ingest_date: '2026-01-02' },
  ]);
});

void test('the version of a source without rows and files is of the day of its landing', () => {
  const rawKey = 'd/ingest_date=2026-01-01/_r2/source=a/_landing2/a.csv';
  const today = '2026-01-05';
  assert.equal(versionDateOf(entryOf({ status: 'unchanged', rawKey }), today), '2026-01-01');
  assert.equal(versionDateOf(entryOf({ status: 'converted', rawKey }), today), today);
  assert.equal(versionDateOf(entryOf({ status: 'missing' }), today), today);
});

void test('a day that has not begun does not stand before those that have', async () => {
  const dataset = newDataset();
  const source = (n: number): TinySource => ({
    ...{ id: 'a', columns: [{ name: 'n', type: 'BIGINT' }], select: `SELECT ${n}::BIGINT AS n` },
  });
  await lake.publish(dataset, '2026-01-02', [source(2)]);
  await lake.publish(dataset, '9999-12-31', [source(9)]);
  assert.deepEqual(await lake.rows(`SELECT n FROM ${dataset}`), [{ n: 2 }]);
  assert.deepEqual(await lake.rows(`SELECT n FROM ${dataset}_history`), [{ n: 2 }]);
  assert.equal((await findSnapshot(lake.store, dataset))?.ingestDate, '2026-01-02');
  assert.equal((await findSnapshot(lake.store, dataset, '9999-12-31'))?.revision, 1);
});

void test('a decimal as text is what a publisher writes: no exponent, no .0', async () => {
  const instance = await DuckDBInstance.create(':memory:');
  try {
    const connection = await instance.connect();
    const textOf = async (number: string): Promise<unknown> => {
      const sql = castSql('v', { type: 'DOUBLE' }, 'VARCHAR', DUCKDB_SQL);
      const reader = await connection.runAndReadAll(
        `SELECT ${sql} FROM (SELECT ${number}::DOUBLE AS v)`,
      );
      return reader.getRows()[0]?.[0];
    };
    for (const text of ['0', '3', '-7', '0.5', '-104.98765', '0.00001', '0.000000123']) {
      assert.equal(await textOf(text), text);
    }
    assert.equal(await textOf('10000000000000000'), '10000000000000000');
    assert.equal(await textOf('123450000000000000000'), '123450000000000000000');
    assert.equal(await textOf('NULL'), null);
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: -999_999_999, max: 999_999_999 }),
        fc.integer({ min: 0, max: 12 }),
        async (digits, places) => {
          const text = decimalText(digits, places);
          assert.equal(await textOf(text), text);
        },
      ),
      { numRuns: 200 },
    );
  } finally {
    instance.closeSync();
  }
});

/** digits × 10^-places without trailing zeros. The type finder gives such a text the type DOUBLE. */
function decimalText(digits: number, places: number): string {
  const sign = digits < 0 ? '-' : '';
  const padded = String(Math.abs(digits)).padStart(places + 1, '0');
  const whole = padded.slice(0, padded.length - places);
  const fraction = padded.slice(padded.length - places).replace(/0+$/, '');
  return fraction === '' ? `${sign}${whole}` : `${sign}${whole}.${fraction}`;
}

const VALUES: Record<ColumnType, { sql: string; format?: string; text: string }> = {
  BIGINT: { sql: '9007199254740993::BIGINT', text: '9007199254740993' },
  DOUBLE: { sql: '2.5::DOUBLE', text: '2.5' },
  DATE: { sql: "DATE '2020-02-29'", format: '%m/%d/%Y', text: '02/29/2020' },
  TIMESTAMP: {
    sql: "TIMESTAMP '2020-02-29 13:05:00'",
    format: '%m/%d/%Y %H:%M',
    text: '02/29/2020 13:05',
  },
  VARCHAR: { sql: "'it''s'", text: "it's" },
};

void test('whatever names and types the sources have, every value is there, exactly', async () => {
  const name = fc.oneof(
    fc.constantFrom('a', 'b', 'select', 'x"y', "q'r", 'días', '1st', '; --'),
    fc
      .string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 8 })
      .map((text) => text.toLowerCase()),
  );
  const named = name.filter((text) => !['source', 'ingest_date', 'part', 'days'].includes(text));
  const column = fc.record({ name: named, type: fc.constantFrom(...COLUMN_TYPES) });
  const columnsOfSource = fc.uniqueArray(column, {
    selector: (each) => each.name,
    minLength: 1,
    maxLength: 5,
  });
  await fc.assert(
    fc.asyncProperty(fc.array(columnsOfSource, { minLength: 1, maxLength: 3 }), async (shapes) => {
      const sources = shapes.map((columns, index): TinySource => ({
        id: `s${index}`,
        columns: columns.map((each) => ({
          ...each,
          ...(VALUES[each.type].format === undefined ? {} : { format: VALUES[each.type].format }),
          ...(each.type === 'BIGINT' ? { beyondDouble: true as const } : {}),
        })),
        select: `SELECT ${columns
          .map((each) => `${VALUES[each.type].sql} AS ${quoteIdentifier(each.name)}`)
          .join(', ')}`,
      }));
      const view = await published(...sources);
      const rows = (await lake.rows(`SELECT * FROM ${view} ORDER BY source`)) as Record<
        string,
        unknown
      >[];
      assert.equal(rows.length, shapes.length);
      const typesOf = (wanted: string): Set<ColumnType> =>
        new Set(shapes.flat().flatMap((each) => (each.name === wanted ? [each.type] : [])));
      for (const [index, columns] of shapes.entries()) {
        for (const each of columns) {
          const types = typesOf(each.name);
          const { text } = VALUES[each.type];
          const met = String(rows[index]?.[each.name]);
          if (types.size === 1 && each.type === 'DATE') assert.equal(met, '2020-02-29');
          else if (each.type === 'TIMESTAMP' && !types.has('VARCHAR') && ![...types].some(isNumber))
            assert.equal(met, '2020-02-29T13:05:00');
          else if (each.type === 'DATE' && types.size === 2 && types.has('TIMESTAMP'))
            assert.equal(met, '2020-02-29T00:00:00');
          else assert.equal(met, text);
        }
      }
    }),
    { numRuns: 40 },
  );
});

function isNumber(type: ColumnType): boolean {
  return type === 'BIGINT' || type === 'DOUBLE';
}

void test('a source that is missing today is seen as it last was; one that left the dataset is not', async () => {
  const dataset = newDataset();
  const columns = [{ name: 'n', type: 'BIGINT' as const }];
  const of = (id: string, n: number): TinySource => ({
    id,
    columns,
    select: `SELECT ${n}::BIGINT AS n`,
  });
  const first = await lake.publish(dataset, '2026-01-01', [of('a', 1), of('b', 2), of('c', 3)]);
  const [, b] = first.sources;
  assert.ok(b);
  const today = await lake.publish(`${dataset}x`, '2026-01-02', [of('a', 4)]);
  const missing: SourceEntry = { ...b, status: 'missing', parquet: [], schema: { columns: [] } };
  const at = { dataset, ingestDate: '2026-01-02', revision: 1 };
  await lake.publishEntries(at, [...today.sources, missing]);
  assert.deepEqual(await lake.rows(`SELECT source, ingest_date, n FROM ${dataset} ORDER BY n`), [
    { source: 'b', ingest_date: '2026-01-01', n: 2 },
    { source: 'a', ingest_date: '2026-01-02', n: 4 },
  ]);
});
