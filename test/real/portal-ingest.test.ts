import assert from 'node:assert/strict';
import { it } from 'node:test';
import { withLab } from '../helpers/lab.ts';
import { featuresOf, layerOf, startArcgis } from '../helpers/portal.ts';

const RECORDS = 4500;

interface Run {
  status: string;
  ledger: { records: number; rows: number; balanced: boolean };
}

it('a table that says nothing of its edits is read each day, and is unchanged by its bytes', async () => {
  const portal = await startArcgis();
  const layer = layerOf(
    featuresOf(RECORDS, (id) => ({ OBJECTID: id, name: id % 9 === 0 ? '' : `n${id}` })),
    undefined,
    { editingInfo: undefined },
  );
  const pages = (): number => layer.requests.filter(({ kind }) => kind === 'page').length;
  try {
    await withLab({}, async (lab) => {
      await lab.datasets({ demo: { all: portal.serve(layer) } });
      const ingest = async (day: string): Promise<Run> => {
        const args = ['ingest', 'demo', '--date', day, '--as-if'];
        const { json, code, stdout, stderr } = await lab.json<Run>(args);
        assert.equal(code, 0, stdout + stderr);
        return json;
      };
      const first = await ingest('2026-11-01');
      assert.equal(first.status, 'published');
      const { records, rows, balanced } = first.ledger;
      assert.deepEqual([records, rows, balanced], [RECORDS, RECORDS, true]);
      const before = pages();
      assert.equal((await ingest('2026-11-02')).status, 'unchanged');
      assert.ok(pages() >= before + RECORDS / 2000, 'it was read again');
      const raw = (await lab.lakeFiles('demo')).filter((file) => file.endsWith('all.csv'));
      assert.deepEqual(raw.length, 1, 'the same bytes are kept once');
      const entries = (await lab.published('demo')).flatMap(({ sources }) => sources);
      for (const { portal: table, validator } of entries) {
        assert.deepEqual(validator, {});
        assert.equal(table?.objectIdColumn, 'OBJECTID');
        assert.deepEqual(table.emptyTexts, { name: RECORDS / 9 });
      }
      assert.equal(entries.length, 2);
    });
  } finally {
    await portal.close();
  }
});
