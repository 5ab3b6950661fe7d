/**
 * `npm run bench -- reading`: counts the rows that other programs find in a dataset's folder and in its Iceberg table.
 * The dataset has two sources over three days, of which one does not change. The counts are taken before and after a
 * correction of the third day (`--again`).
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { withLab, type Lab } from '../test/helpers/lab.ts';
import {
  startJavaReader,
  startPythonReaders,
  type TableReader,
} from '../test/helpers/table-readers.ts';
import { generate } from '../tools/generate/generate.ts';
import { fetchTableReaders } from '../tools/table-readers/packages.ts';
import { timed } from './peers.ts';

const DATASET = 'denver-311';
const VIEW = 'denver_311';
const DAYS = ['2026-11-01', '2026-11-02', '2026-11-03'] as const;
/** Rows of the source that does not change, and rows of the other source on each day. */
const STEADY_ROWS = 2000;
const GROWING_ROWS = [3000, 3100, 3200] as const;
const CORRECTED_ROWS = 3300;

/** Rows of the newest day, and of all days together. */
type Counts = { latest: number; all: number } | { error: string };

interface Reader {
  name: string;
  folder: (path: string) => Promise<Counts>;
  table: TableReader;
}

const SCRIPT = join(import.meta.dirname, 'reading_folders.py');

await withLab({}, async (lab) => {
  const java = await startJavaReader();
  const { readers: python, close } = await startPythonReaders();
  const inPython = (reader: string) => async (path: string) => await folderInPython(reader, path);
  const readers: Reader[] = [
    { name: 'DuckDB', folder: inPython('duckdb'), table: python.duckdb },
    { name: 'polars', folder: inPython('polars'), table: python.polars },
    { name: 'pyarrow (table: pyiceberg)', folder: inPython('pyarrow'), table: python.pyiceberg },
    { name: 'pandas (table: pyiceberg)', folder: inPython('pandas'), table: python.pyiceberg },
    {
      name: 'Spark 3.5',
      folder: async (path) => {
        const answer = join(lab.folder, 'answer.json');
        await java.do(SCRIPT, JSON.stringify({ folder: path, answer }));
        return JSON.parse(await readFile(answer, 'utf8')) as Counts;
      },
      table: java,
    },
  ];
  try {
    await bench(lab, readers);
  } finally {
    await close();
    await java.close();
  }
});

async function bench(lab: Lab, readers: readonly Reader[]): Promise<void> {
  const { origin } = lab;
  await lab.datasets({
    [DATASET]: { '2022': origin.address('/2022.csv'), '2023': origin.address('/2023.csv') },
  });
  serve(lab, 2022, STEADY_ROWS);
  for (const [index, day] of DAYS.entries()) {
    serve(lab, 2023, GROWING_ROWS[index] ?? 0);
    await ingest(lab, '--date', day, '--as-if');
  }
  const before = await read(lab, readers);
  serve(lab, 2023, CORRECTED_ROWS);
  await ingest(lab, '--date', DAYS[2], '--as-if', '--again');
  const after = await read(lab, readers);
  console.log(
    '| newest day / three days | folder | folder, after `--again` | table | table, after `--again` |',
  );
  console.log('| --- | --- | --- | --- | --- |');
  for (const [name, cells] of before) {
    console.log(`| ${[name, ...pairs(cells, after.get(name) ?? [])].join(' | ')} |`);
  }
}

function pairs(before: readonly Counts[], after: readonly Counts[]): string[] {
  return before.flatMap((each, index) => [each, after[index]].map(shown));
}

function shown(counts: Counts | undefined): string {
  if (!counts || 'error' in counts) return counts?.error.split('\n')[0]?.slice(0, 60) ?? '';
  return `${counts.latest} / ${counts.all}`;
}

function serve(lab: Lab, year: number, rows: number): void {
  const { chunks } = generate({ dataset: DATASET, year, seed: 1, limit: { records: rows } });
  lab.origin.set(`/${year}.csv`, { body: Buffer.concat([...chunks]), etag: `"${rows}"` });
}

async function ingest(lab: Lab, ...options: string[]): Promise<void> {
  const { code, stdout, stderr } = await lab.run(['ingest', DATASET, ...options, '--json']);
  if (code !== 0) throw new Error(`${stdout}${stderr}`);
}

/** Counts by the reader's name: first of the folder, then of the table. */
async function read(lab: Lab, readers: readonly Reader[]): Promise<Map<string, Counts[]>> {
  const zone = join(lab.lakeDir, 'takehome-converted');
  const ours = await byLonghaul(lab);
  const found = new Map([['`longhaul query`', [ours, ours]]]);
  for (const { name, folder, table } of readers) {
    found.set(name, [
      await folder(join(zone, DATASET)),
      await inTable(table, join(zone, '_iceberg', VIEW)),
    ]);
  }
  return found;
}

async function byLonghaul(lab: Lab): Promise<Counts> {
  const count = (view: string): string => `(SELECT count(*) FROM ${view})`;
  const sql = `SELECT ${count(VIEW)} AS latest, ${count(`${VIEW}_history`)} AS "all"`;
  const { json } = await lab.json<[{ latest: number; all: number }]>(['query', sql]);
  return json[0];
}

async function folderInPython(reader: string, folder: string): Promise<Counts> {
  const env = { PYTHONPATH: await fetchTableReaders(), PYTHONDONTWRITEBYTECODE: '1' };
  const { stdout } = await timed('python3', [SCRIPT, reader, folder], env);
  return JSON.parse(stdout) as Counts;
}

/** The table's head is the newest day. The count of all days adds up the rows of every tag. */
async function inTable(reader: TableReader, table: string): Promise<Counts> {
  const rowsOf = async (tag?: string): Promise<number> =>
    (await reader.read(table, { tag })).rows.length;
  try {
    const latest = await rowsOf();
    let all = 0;
    for (const day of DAYS) all += await rowsOf(day);
    return { latest, all };
  } catch (error) {
    return { error: String(error) };
  }
}
