import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { test } from 'node:test';
import { DuckDBInstance } from '@duckdb/node-api';
import { partName, partPrefix, sourcePrefix } from '../../src/model/layout.ts';
import { quoteLiteral } from '../../src/model/names.ts';
import { DiskStore } from '../../src/storage/disk-store.ts';
import { withTempFolder } from '../helpers/temp-folder.ts';

/** Spark, polars and pyarrow read the same folders in trials by hand. */
test("a dataset's folder has the same Hive partitions everywhere, also where a day has a second revision", async () => {
  await withTempFolder(async (folder) => {
    const store = new DiskStore(folder);
    const instance = await DuckDBInstance.create(':memory:');
    const connection = await instance.connect();
    try {
      for (const [n, ingestDate, revision] of [
        [1, '2026-11-23', 1],
        [2, '2026-11-23', 2],
        [3, '2026-11-24', 1],
      ] as const) {
        const at = { dataset: 'd', ingestDate, source: 'a', revision };
        const path = store.uri(
          sourcePrefix(at) + partPrefix('01234567', `8901234${n}`) + partName(0),
        );
        await mkdir(dirname(path), { recursive: true });
        await connection.run(`COPY (SELECT ${n} AS n) TO ${quoteLiteral(path)} (FORMAT parquet)`);
      }
      const read = async (glob: string): Promise<unknown[][]> => {
        const files = quoteLiteral(store.uri('d') + glob);
        const sql = `SELECT n, ingest_date::VARCHAR, source FROM read_parquet(${files}, hive_partitioning = true) ORDER BY n`;
        return (await connection.runAndReadAll(sql)).getRowsJS();
      };
      assert.deepEqual(await read('/**/*.parquet'), [
        [1, '2026-11-23', 'a'],
        [2, '2026-11-23', 'a'],
        [3, '2026-11-24', 'a'],
      ]);
      // This pattern finds first revisions only.
      assert.deepEqual(await read('/ingest_date=*/source=*/*.parquet'), [
        [1, '2026-11-23', 'a'],
        [3, '2026-11-24', 'a'],
      ]);
    } finally {
      connection.closeSync();
      instance.closeSync();
    }
  });
});
