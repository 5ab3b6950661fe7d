/**
 * `npm run bench -- table [--days 365] [--sources 8] [--columns 24] [--rounds 5]`: measures the commit of one more day
 * to the Iceberg tables of a dataset, which are the table and the two of its history. Every source changes every day.
 * The lake is a folder below TMPDIR. Its Parquet files are copies of one small file.
 */
import { parseArgs } from 'node:util';
import { syncTable } from '../src/iceberg/sync.ts';
import { partName, sourcePrefix } from '../src/model/layout.ts';
import type { SourceEntry } from '../src/model/manifest.ts';
import { entryOf } from '../test/helpers/manifests.ts';
import { TinyLake, writeParquet } from '../test/lake/tiny-lake.ts';
import { machineFacts, median } from './machine.ts';

const { values } = parseArgs({
  options: {
    days: { type: 'string', default: '365' },
    sources: { type: 'string', default: '8' },
    columns: { type: 'string', default: '24' },
    rounds: { type: 'string', default: '5' },
  },
});
const [days, sources, columns, rounds] = [
  Number(values.days),
  Number(values.sources),
  Number(values.columns),
  Number(values.rounds),
];
const FIRST_DAY_MS = Date.parse('2024-01-01');
const DAY_MS = 86_400_000;
const names = Array.from({ length: columns }, (_, index) => `column_${index}`);
const schema = {
  columns: names.map((name) => ({ name, publisherName: name, type: 'BIGINT' as const })),
};

console.log(machineFacts());
await using lake = await TinyLake.create('bench');
await writeParquet(
  `SELECT ${names.map((name, index) => `${index}::BIGINT AS ${name}`).join(', ')}`,
  lake.store.uri('one.parquet'),
);
const file = (await lake.store.get('one.parquet')) ?? Buffer.alloc(0);
for (let day = 0; day < days; day += 1) await publish(day);
console.log(`the first commit, of ${days} days: ${(await commitMs()).toFixed(0)} ms`);
const times: number[] = [];
const before = process.cpuUsage();
for (let round = 0; round < rounds; round += 1) {
  await publish(days + round);
  times.push(await commitMs());
}
const { user, system } = process.cpuUsage(before);
console.log(`one more day: ${times.map((ms) => ms.toFixed(0)).join(', ')} ms`);
console.log(
  `its publication and commit: ${((user + system) / 1000 / rounds).toFixed(0)} ms of CPU`,
);
console.log(`median ${median(times).toFixed(0)} ms; ${sources} sources, ${columns} columns`);

async function publish(day: number): Promise<void> {
  const ingestDate = new Date(FIRST_DAY_MS + day * DAY_MS).toISOString().slice(0, 10);
  const at = { dataset: 'd', ingestDate, revision: 1 };
  const entries: SourceEntry[] = [];
  for (let source = 0; source < sources; source += 1) {
    const id = `source_${source}`;
    const key = `${sourcePrefix({ ...at, source: id })}${partName(0)}`;
    await lake.store.put(key, file);
    const parquet = [{ key, rows: 1, bytes: file.length, checksum: '' }];
    entries.push(entryOf({ id, schema, parquet, rows: 1, records: 1 }));
  }
  await lake.publishEntries(at, entries);
}

async function commitMs(): Promise<number> {
  const { signal } = new AbortController();
  const duckdb = { memoryLimit: '1GiB', threads: 1 };
  const startedAt = performance.now();
  await syncTable({ converted: lake.store, duckdb, dataset: 'd', signal });
  return performance.now() - startedAt;
}
