import assert from 'node:assert/strict';
import { appendFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, beforeEach, test } from 'node:test';
import { rescan } from '../../src/landing/ingest-state.ts';
import { DiskStore } from '../../src/storage/disk-store.ts';
import { checksumAt } from '../../src/storage/location.ts';
import { readFooter } from '../../src/verification/footers.ts';
import type { VerifyReport } from '../../src/cli/commands/verify.ts';
import { entryOf, landingJson, snapshotJson } from '../helpers/manifests.ts';
import { writeParquet } from '../lake/tiny-lake.ts';
import { Workplace } from './fake-context.ts';

let place = new Workplace();
let rawPath = '';
let partPath = '';
let manifestPath = '';

after(() => place.remove());
beforeEach(async () => {
  place.remove();
  place = new Workplace();
  await publish();
});

/** Publishes one source of two records, with manifests that are true. */
async function publish(): Promise<void> {
  const raw = new DiskStore(join(place.cwd, 'data', 'takehome-raw'));
  const converted = new DiskStore(join(place.cwd, 'data', 'takehome-converted'));
  const at = { dataset: 'trees', ingestDate: '2026-01-01' };
  const rawKey = 'trees/ingest_date=2026-01-01/source=a/trees.csv';
  const key = 'trees/ingest_date=2026-01-01/source=a/part-00000.parquet';
  rawPath = raw.uri(rawKey);
  partPath = converted.uri(key);
  mkdirSync(dirname(rawPath), { recursive: true });
  writeFileSync(rawPath, 'n\n1\n2\n');
  await writeParquet('SELECT unnest([1, 2])::BIGINT AS n', partPath);

  const signal = new AbortController().signal;
  const dialect = { delimiter: ',', quote: '"', bomBytes: 0 } as const;
  const { bytes, checksum, scan } = await rescan(
    raw.location(rawKey),
    dialect,
    () => undefined,
    signal,
  );
  await raw.put(`${rawKey}.manifest.json`, landingJson({ ...at, rawKey, bytes, checksum, scan }));
  const { rows, bytes: partBytes } = await readFooter(converted, key);
  const partChecksum = await checksumAt({ kind: 'disk', path: partPath });
  const part = { key, rows, bytes: partBytes, checksum: partChecksum };
  const counts = { records: 2, rows: 2, rejected: 0 };
  const entry = entryOf({ bytes, checksum, rawKey, dialect, ...counts, parquet: [part] });
  manifestPath = converted.uri('trees/ingest_date=2026-01-01/_manifest.json');
  writeFileSync(manifestPath, snapshotJson({ ...at, ledger: counts, sources: [entry] }));
}

async function verify(): Promise<{ exitCode: number; report: VerifyReport }> {
  const { exitCode, stdout } = await place.run('verify', 'trees', '--json');
  return { exitCode, report: JSON.parse(stdout) as VerifyReport };
}

void test('a snapshot that is as it was published is verified', async () => {
  const { exitCode, report } = await verify();
  assert.equal(exitCode, 0);
  assert.equal(report.verified, true);
  const [source] = report.sources;
  assert.deepEqual([source?.records, source?.rows, source?.problems], [2, 2, []]);
});

for (const [what, damage, expected] of [
  ['a raw file with a record too many', () => appendFileSync(rawPath, '3\n'), /Found 3 records/],
  ['a raw file with another byte', () => writeFileSync(rawPath, 'n\n1\n3\n'), /as checksum of/],
  ['a raw file that is gone', () => rmSync(rawPath), /is gone/],
  ['a Parquet file that is cut short', () => writeFileSync(partPath, 'PAR1'), /only 4 bytes/],
  ['a Parquet file that is gone', () => rmSync(partPath), /is missing/],
] as const) {
  void test(`${what} is damage, with the numbers and an exit code`, async () => {
    damage();
    const { exitCode, report } = await verify();
    assert.equal(exitCode, 6);
    assert.equal(report.verified, false);
    assert.match(report.sources[0]?.problems.join('\n') ?? '', expected);
    const words = await place.run('verify', 'trees');
    assert.match(words.stdout, /DAMAGED/);
  });
}

void test('a manifest of the landing that is damaged is damage of the snapshot', async () => {
  writeFileSync(`${rawPath}.manifest.json`, '{');
  const { exitCode, report } = await verify();
  assert.equal(exitCode, 6);
  assert.match(report.sources[0]?.problems.join('\n') ?? '', /csv\.manifest\.json cannot be read/);
});

void test('a snapshot whose manifest has another number is no snapshot: it is named, and nothing is counted', async () => {
  writeFileSync(manifestPath, readFileSync(manifestPath, 'utf8').replace('"rows": 2', '"rows": 3'));
  const { exitCode, stdout } = await place.run('verify', 'trees', '--json');
  assert.equal(exitCode, 6);
  const { error } = JSON.parse(stdout) as { error: { code: string; message: string } };
  assert.equal(error.code, 'MANIFEST_UNREADABLE');
  assert.match(error.message, /_manifest\.json cannot be read: its content/);
});

void test('a Parquet file with other rows is found, although it is a good one', async () => {
  await writeParquet('SELECT 1::BIGINT AS n', partPath);
  const { report } = await verify();
  assert.match(report.sources[0]?.problems.join('\n') ?? '', /Found 1 rows/);
});
