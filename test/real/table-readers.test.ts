import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { PYTHON_READERS, startJavaReader, startPythonReaders } from '../helpers/table-readers.ts';
import { withTempFolder } from '../helpers/temp-folder.ts';

const MAKE_TABLE = fileURLToPath(new URL('../helpers/make_table.py', import.meta.url));
const COLUMNS = [
  { name: 'n', type: 'BIGINT' },
  { name: 'x', type: 'DOUBLE' },
  { name: 'd', type: 'DATE' },
  { name: 't', type: 'TIMESTAMP' },
  { name: 's', type: 'VARCHAR' },
  { name: 'source', type: 'VARCHAR' },
  { name: 'ingest_date', type: 'DATE' },
];
const FIRST_DAY = [
  ['9007199254740993', 0.1, '2026-01-02', '2026-01-02 03:04:05.000006', '', 'a', '2026-11-01'],
  [null, null, null, null, null, 'a', '2026-11-01'],
];
const SECOND_DAY = [
  ['-2', 1e21, '1969-01-02', '1969-01-02 00:00:00.000000', 'Æ😀', 'b', '2026-11-02', '5'],
  ...FIRST_DAY.map((row) => [...row, null]),
];

test("the other programs by which tables are checked agree on a table that Iceberg's own library made", async () => {
  await withTempFolder(async (folder) => {
    const java = await startJavaReader({
      'spark.sql.extensions': 'org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions',
      'spark.sql.catalog.local': 'org.apache.iceberg.spark.SparkCatalog',
      'spark.sql.catalog.local.type': 'hadoop',
      'spark.sql.catalog.local.warehouse': folder,
    });
    const python = await startPythonReaders().catch(async (error: unknown) => {
      await java.close();
      throw error;
    });
    try {
      await java.do(MAKE_TABLE, JSON.stringify({ table: 'local.d.t' }));
      const table = join(folder, 'd', 't');
      for (const reader of [...PYTHON_READERS.map((name) => python[name]), java]) {
        const first = await reader.read(table, '2026-11-01');
        assert.deepEqual(first, { columns: COLUMNS, rows: FIRST_DAY });
        const head = await reader.read(table);
        const columns = [...COLUMNS, { name: 'later', type: 'BIGINT' }];
        assert.deepEqual(head, { columns, rows: SECOND_DAY });
        assert.deepEqual(await reader.read(table, '2026-11-02'), head);
        await assert.rejects(reader.read(table, '2026-11-03'), /2026-11-03|NoneType/);
      }
    } finally {
      await python.close();
      await java.close();
    }
  });
});
