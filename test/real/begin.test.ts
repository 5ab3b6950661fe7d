import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { withLab } from '../helpers/lab.ts';
import { featuresOf, layerOf, startArcgis } from '../helpers/portal.ts';

const CSV = `ID,Zip,Planted On\r\n${'1,02134,2020-05-17\r\n2,N/A,\r\n'.repeat(500)}`;

/** No settings, as on a machine on which Longhaul was never used. */
const BARE = { LAKE: '', STATE_DIR: '', DATASETS_FILE: '' };

void test('an empty folder becomes a lake: init, add, ingest, query, inspect', async () => {
  const portal = await startArcgis();
  const layer = layerOf(
    featuresOf(300, (id) => ({ OBJECTID: id, name: `n${id}` })),
    undefined,
    { name: 'City Benches', cap: 100 },
  );
  try {
    await withLab({ routes: { '/Street_Trees.csv': { body: CSV } }, up: false }, async (lab) => {
      const cwd = join(lab.folder, 'new');
      await mkdir(cwd);
      const run = async (...args: string[]): Promise<string> => {
        const { code, stdout, stderr } = await lab.run(args, { cwd, env: BARE });
        assert.equal(code, 0, `${args.join(' ')}: ${stderr}`);
        return stdout;
      };
      await run('init');
      assert.match(
        await run('add', lab.origin.address('/Street_Trees.csv')),
        /Next: longhaul ingest street-trees\n$/,
      );
      assert.match(await run('add', portal.serve(layer)), /Next: longhaul ingest city-benches\n$/);

      await run('ingest', '--all');
      const counts = await run(
        'query',
        'SELECT (SELECT count(*) FROM street_trees) AS trees, (SELECT count(*) FROM city_benches) AS benches',
        '--json',
      );
      assert.deepEqual(JSON.parse(counts), [{ trees: 1000, benches: 300 }]);

      // `inspect` reads what the run has published. It does not ask the publisher again.
      const asked = lab.origin.requests.length;
      const [trees] = JSON.parse(await run('inspect', 'street-trees', '--json')).files;
      assert.equal(lab.origin.requests.length, asked);
      assert.match(trees.from, /new\/data\/takehome-raw\/street-trees\/.*\/Street_Trees\.csv$/);
      assert.deepEqual(
        [trees.isWhole, trees.records, trees.columns.map((each: { type: string }) => each.type)],
        [true, 1000, ['BIGINT', 'VARCHAR', 'DATE']],
      );
      assert.equal(
        trees.columns[1].why,
        'no value is a plain number, a date or a timestamp; a number would lose the leading zero',
      );
    });
  } finally {
    await portal.close();
  }
});
