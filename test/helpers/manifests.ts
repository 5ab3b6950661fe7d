import type { LandingManifest, SnapshotManifest, SourceEntry } from '../../src/model/manifest.ts';
import type { CsvScan } from '../../src/model/scan.ts';
import { toJson } from '../../src/storage/manifests.ts';

const NOTHING = { records: 0, rows: 0, rejected: 0 };

const EMPTY_SCAN: CsvScan = {
  dialect: { delimiter: ',', quote: '"', bomBytes: 0 },
  header: ['a'],
  records: 0,
  blankLines: 0,
  lineEnds: { crlf: 0, lf: 1, cr: 0 },
  quotedBreaks: 0,
  bareQuotes: { count: 0, examples: [] },
  maxRecordBytes: 1,
  encoding: { ascii: true },
  splits: [],
  splitRecords: [],
  problems: [],
};

/** An entry with the test's fields. The other fields have values that readers accept. */
export function entryOf(changes: Partial<SourceEntry>): SourceEntry {
  return {
    ...{ id: 'a', url: 'https://example.org/a.csv', status: 'converted', ...NOTHING },
    ...{ bytes: 0, checksum: '', validator: {}, rawKey: '', encoding: 'utf-8', blankLines: 0 },
    ...{ engine: 'duckdb', schema: { columns: [] }, parquet: [], settingsKey: '' },
    ...changes,
  };
}

/** Returns an entry that names these Parquet files. */
export function entryWith(...keys: string[]): SourceEntry {
  return entryOf({ parquet: keys.map((key) => ({ key, rows: 0, bytes: 0, checksum: '' })) });
}

export function landingJson(changes: Partial<LandingManifest>): string {
  const landing: LandingManifest = {
    ...{ format: 'longhaul/landing/1', dataset: 'd', ingestDate: '2026-01-01', source: 'a' },
    ...{ url: 'https://example.org/a.csv', rawKey: 'a.csv', bytes: 0, checksum: '' },
    ...{ validator: {}, landedAt: '2026-01-01T00:00:00.000Z', scan: EMPTY_SCAN },
    ...changes,
  };
  return toJson(landing);
}

export function snapshotOf(changes: Partial<SnapshotManifest>): SnapshotManifest {
  return {
    ...{ format: 'longhaul/snapshot/1', dataset: 'd', ingestDate: '2026-01-01', revision: 1 },
    ...{ status: 'published', runId: 'r', publishedAt: '2026-01-01T00:00:00.000Z' },
    ...{ sources: [], ledger: NOTHING },
    ...changes,
  };
}

export function snapshotJson(changes: Partial<SnapshotManifest>): string {
  return toJson(snapshotOf(changes));
}
