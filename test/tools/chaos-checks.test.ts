import { DuckDBInstance } from '@duckdb/node-api';
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { checkLake, filesWith } from '../../tools/chaos/lake-check.ts';
import { withTempFolder } from '../helpers/temp-folder.ts';

/** A day of one source as the product writes it. */
const DAY = 'things/ingest_date=2026-11-23';
const CSV = Buffer.from(
  'id,when,amount,text\r\n1,1/2/2023 1:05:00 PM,1.50,"a\nb"\r\n2,,-2,"Æ ""x"""\r\n',
  'latin1',
);
const ROWS = [
  "(1::BIGINT, TIMESTAMP '2023-01-02 13:05:00', 1.5::DOUBLE, 'a\nb')",
  `(2, NULL, -2, 'Æ "x"')`,
];

interface Lake {
  folder: string;
  write(file: string, bytes: string | Buffer): Promise<void>;
  problems(): Promise<string[]>;
}

async function withLake(rows: string[], body: (lake: Lake) => Promise<void>): Promise<void> {
  await withTempFolder(async (folder) => {
    const write: Lake['write'] = async (file, bytes) => {
      await mkdir(dirname(join(folder, file)), { recursive: true });
      await writeFile(join(folder, file), bytes);
    };
    const rawKey = `${DAY}/source=a/a.csv`;
    const part = `${DAY}/source=a/part-00000.parquet`;
    await write('served/v0.csv', 'id\r\n1\r\n');
    await write('served/v1.csv', CSV);
    await write(`raw/${rawKey}`, CSV);
    await write(`raw/${rawKey}.manifest.json`, '{}');
    await write(`converted/${DAY}/source=a/_source.json`, '{}');
    const sources = [{ id: 'a', rawKey, rows: rows.length, parquet: [{ key: part }] }];
    await write(`converted/${DAY}/_manifest.json`, JSON.stringify({ sources }));
    const instance = await DuckDBInstance.create(':memory:');
    const connection = await instance.connect();
    await connection.run(
      `COPY (SELECT * FROM (VALUES ${rows.join(', ')}) AS t(id, "when", amount, text)) TO '${join(folder, 'converted', part)}'`,
    );
    connection.closeSync();
    instance.closeSync();
    const versions = [join(folder, 'served/v0.csv'), join(folder, 'served/v1.csv')];
    const manners = { validator: 'none', ranges: true, chunked: false, redirects: false } as const;
    const lake = { raw: join(folder, 'raw'), converted: join(folder, 'converted') };
    await body({
      folder,
      write,
      problems: async () => await checkLake(lake, 'things', [{ id: 'a', versions, manners }]),
    });
  });
}

describe('what the storm checks from outside', () => {
  it('finds nothing wrong with a day that is whole', async () => {
    await withLake(ROWS, async (lake) => assert.deepEqual(await lake.problems(), []));
  });

  it('finds a changed value, a lost row and one too many', async () => {
    const changed = [ROWS[0] ?? '', `(2, NULL, -2, 'AE "x"')`];
    for (const [rows, pattern] of [
      [changed, /Row 2, column text \(VARCHAR\)/],
      [ROWS.slice(0, 1), /csv-parse found more records/],
      [[...ROWS, ...ROWS], /csv-parse found fewer records/],
    ] as const) {
      await withLake([...rows], async (lake) =>
        assert.match((await lake.problems()).join(), pattern),
      );
    }
  });

  it('finds bytes that were never served, a second manifest and files that nothing names', async () => {
    await withLake(ROWS, async (lake) => {
      await lake.write(`raw/${DAY}/source=a/a.csv`, Buffer.concat([CSV, CSV]));
      assert.match((await lake.problems()).join(), /of no version that was served/);
    });
    await withLake(ROWS, async (lake) => {
      await lake.write(`raw/${DAY}/source=a/a.csv.partial`, 'x');
      await lake.write(`converted/_staging/x/part-00000.parquet`, 'x');
      assert.equal((await lake.problems()).length, 2);
      await lake.write(`converted/${DAY}/_manifest.r2.json`, '{}');
      assert.match((await lake.problems()).join(), /The manifests are/);
    });
  });

  it('finds a secret in any file', async () => {
    await withLake(ROWS, async (lake) => {
      await lake.write('data/.longhaul/temporal.db', 'bytes before canary123 and after');
      assert.deepEqual(await filesWith(lake.folder, ['canary123']), ['data/.longhaul/temporal.db']);
    });
  });
});
