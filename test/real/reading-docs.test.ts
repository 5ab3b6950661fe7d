import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { readerLines } from '../../src/cli/commands/table.ts';
import { describeHistory, describeTable } from '../../src/iceberg/describe-table.ts';
import { syncTable } from '../../src/iceberg/sync.ts';
import { viewNameOf } from '../../src/model/names.ts';
import { DiskStore } from '../../src/storage/disk-store.ts';
import { fetchTableReaders } from '../../tools/table-readers/packages.ts';
import { withTempFolder } from '../helpers/temp-folder.ts';
import type { PlannedSource } from '../iceberg/plans.ts';
import { PublishedLake } from '../iceberg/published-lake.ts';

const run = promisify(execFile);

const GUIDE = join(import.meta.dirname, '../../docs/reading.md');
const DATASET = 'denver-311';
const [DAY_ROWS, HEAD_ROWS] = [2, 3];

/** DuckDB would load its extensions from the internet, so the test loads installed packages. */
const DUCKDB = `
import importlib.util, sys
import duckdb
connection = duckdb.connect()
for name in ["avro", "iceberg"]:
    [package] = importlib.util.find_spec(f"duckdb_extension_{name}").submodule_search_locations
    connection.execute(f"LOAD '{package}/extensions/v{duckdb.__version__}/{name}.duckdb_extension'")
sql = open(sys.argv[1]).read().replace("INSTALL iceberg;", "").replace("LOAD iceberg;", "")
print(len(connection.execute(sql).fetchall()))
`;

test('the lines of the guide and of `longhaul table` read the head, the day and the history that they name', async () => {
  const guide = await readFile(GUIDE, 'utf8');
  await withTempFolder(async (folder) => {
    const lines = await makeLake(folder);
    const env = { ...process.env, PYTHONPATH: await fetchTableReaders() };
    const python = async (code: string, sql = ''): Promise<string> => {
      const [script, query] = [join(folder, 'lines.py'), join(folder, 'lines.sql')];
      await writeFile(script, code);
      await writeFile(query, sql);
      const { stdout } = await run('python3', [script, query], { cwd: folder, env });
      return stdout;
    };
    const [headSql = '', daySql = ''] = blocks(guide, 'DuckDB', 'sql');
    const { DuckDB = [], pyiceberg = [], polars = [] } = lines;
    const [load = '', ...selects] = DuckDB;
    for (const sql of [headSql, ...selects.slice(0, 1).map((each) => load + each)]) {
      assert.equal(await python(DUCKDB, sql), `${HEAD_ROWS}\n`);
    }
    assert.equal(await python(DUCKDB, daySql), `${DAY_ROWS}\n`);
    assert.equal(await python(DUCKDB, load + (selects[1] ?? '')), `${DAY_ROWS}\n`);
    const [ofPyiceberg = '', ofPolars = ''] = blocks(guide, 'Python', 'python');
    assert.match(await python(ofPyiceberg), new RegExp(`^${HEAD_ROWS}\n(.*\n){${DAY_ROWS + 1}}$`));
    assert.match(
      await python(ofPolars),
      new RegExp(`│ 2023 +┆ 2026-11-21 +┆ ${HEAD_ROWS} +│[^]*shape: \\(${DAY_ROWS}, `),
    );
    const [historySql = ''] = blocks(guide, 'History', 'sql');
    assert.equal(await python(DUCKDB, historySql), '2\n');
    assert.equal(await python(DUCKDB, load + (selects[2] ?? '')), `${DAY_ROWS + HEAD_ROWS}\n`);
    const [historyPython = ''] = blocks(guide, 'History', 'python');
    const sizes = await python(historyPython);
    assert.match(sizes, new RegExp(`^2026-11-20 +${DAY_ROWS}\n2026-11-21 +${HEAD_ROWS}\n`, 'm'));
    for (const program of [pyiceberg, polars]) {
      const code = program.map((line) => line.replace(/^(?:table|pl)\..*$/, 'print(len($&))'));
      assert.equal(await python(code.join('\n')), `${HEAD_ROWS}\n${DAY_ROWS}\n`);
    }
  });
});

/** Publishes days on a disk. @returns the lines of `longhaul table`. */
async function makeLake(folder: string): Promise<Record<string, string[]>> {
  const converted = new DiskStore(join(folder, 'data', 'takehome-converted'));
  const lake = new PublishedLake(converted, DATASET);
  const source = {
    id: '2023',
    state: 'new',
    columns: [],
  } as const satisfies Partial<PlannedSource>;
  await lake.publish({ day: '2026-11-20', sources: [{ ...source, rows: DAY_ROWS }] });
  await lake.publish({ day: '2026-11-21', sources: [{ ...source, rows: HEAD_ROWS }] });
  const duckdb = { memoryLimit: '1GiB', threads: 1, httpfs: undefined };
  const { signal } = new AbortController();
  await syncTable({ converted, duckdb, dataset: DATASET, signal });
  const table = await describeTable(converted, DATASET);
  assert.ok(table);
  const { tag: name = '', snapshotId = 0 } = table.tags[0] ?? {};
  const history = await describeHistory(converted, DATASET);
  return readerLines({ ...table, view: viewNameOf(DATASET), tag: { name, snapshotId }, history });
}

/** Code blocks of one language in a chapter. */
function blocks(guide: string, chapter: string, language: string): string[] {
  const [, text = ''] = guide.split(`\n## ${chapter}\n`);
  const code = text.split('\n## ')[0] ?? '';
  return [...code.matchAll(new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, 'gs'))].map(
    ([, lines = '']) => lines,
  );
}
