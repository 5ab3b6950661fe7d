import assert from 'node:assert/strict';
import { test } from 'node:test';
import { settingsForWidth } from '../../src/conversion/duckdb/plan.ts';
import { countParquetRows } from '../../src/verification/footers.ts';
import { converted, inProcessDuckDb, landed, scratch } from './samples.ts';

/** As many as a real publisher's file had. */
const COLUMNS = 9074;

test('thousands of text columns go through with 1 GiB', async (t) => {
  const store = await scratch(t);
  const line = (text: string) =>
    `${Array.from({ length: COLUMNS }, (_, n) => `${text}${n}`).join()}\n`;
  const sample = await landed(store, ['c', 'x', 'y', 'z'].map(line).join(''));
  const { parts, prefix } = await converted(inProcessDuckDb(), sample);
  assert.deepEqual(parts.length, 1);
  assert.equal((await countParquetRows(store, `${prefix}${parts[0]}`)).rows, 3);
});

test('only widths that do not fit change how a table is written', () => {
  const settings = { memoryLimit: '1GiB', threads: 4 };
  const usual = { ...settings, rowsAGroup: 122_880 };
  assert.deepEqual(settingsForWidth(24, settings), usual);
  assert.deepEqual(settingsForWidth(120, settings), usual);
  assert.deepEqual(settingsForWidth(2000, settings), {
    ...settings,
    threads: 2,
    rowsAGroup: 8192,
  });
  assert.deepEqual(settingsForWidth(COLUMNS, settings), {
    memoryLimit: '1985MiB',
    threads: 1,
    rowsAGroup: 2048,
  });
});
