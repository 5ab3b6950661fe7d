import assert from 'node:assert/strict';
import { it } from 'node:test';
import { DuckDBInstance } from '@duckdb/node-api';
import { quoteIdentifier, viewNameOf } from '../../src/model/names.ts';

it('whatever a dataset is called, its views need no quotes', async () => {
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  try {
    const words = await connection.runAndReadAll('SELECT keyword_name FROM duckdb_keywords()');
    const datasets = words.getRowsJS().map(([word]) => (word as string).replaceAll('_', '-'));
    const refused: string[] = [];
    for (const dataset of [...datasets, '311', '2015-trees', 'denver-311']) {
      const view = viewNameOf(dataset);
      for (const name of [view, `${view}_history`]) {
        await connection.run(`CREATE VIEW ${quoteIdentifier(name)} AS SELECT 1 AS x`);
        await connection
          .run(`SELECT ${name}.x, count(*) FROM ${name} WHERE ${name}.x = 1 GROUP BY ALL`)
          .catch(() => refused.push(name));
      }
    }
    assert.deepEqual(refused, []);
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
});

it('views of different datasets have different names', () => {
  const names = ['order', 'order-history', '311', 'only', 'trees', '2015-trees'].map(viewNameOf);
  assert.deepEqual(names, ['_order', 'order_history', '_311', '_only', 'trees', '_2015_trees']);
});
