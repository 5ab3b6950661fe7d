import { rescan } from '../landing/ingest-state.ts';
import { LonghaulError, type ErrorCode } from '../model/errors.ts';
import { balances } from '../model/ledger.ts';
import type { ParquetPart, SnapshotManifest, SourceEntry } from '../model/manifest.ts';
import { readLanding, readRawRemoval } from '../storage/manifests.ts';
import type { Lake } from '../storage/store.ts';
import { checksumAt } from '../storage/location.ts';
import { readFooter } from './footers.ts';

/** What verification found of a source, besides its manifest's entry. */
export interface SourceVerification {
  id: string;
  status: SourceEntry['status'];
  /** Records that were counted now, in the raw file. */
  records: number;
  /** Rows that were counted now, in the Parquet footers. */
  rows: number;
  rejected: number;
  /** Bytes that were read of raw and Parquet files. */
  bytes: number;
  /** One sentence for each problem. If there are none, the source is as it was published. */
  problems: string[];
  /** When `keep.raw` removed the raw file (ISO 8601, UTC). Then `records` is the manifest's number, not counted. */
  rawRemovedAt?: string;
}

export interface VerifyOptions {
  signal: AbortSignal;
  /** Called with a source's id when its verification begins. */
  onSource: (id: string) => void;
}

/**
 * Counts a stored snapshot again, in its raw and Parquet files, and checks every checksum.
 * @throws LonghaulError STORE_… of S3; the signal's reason. Damage does not throw: it is a problem in the result.
 */
export async function verifySnapshot(
  lake: Lake,
  { sources }: SnapshotManifest,
  { signal, onSource }: VerifyOptions,
): Promise<SourceVerification[]> {
  const found: SourceVerification[] = [];
  for (const entry of sources) {
    onSource(entry.id);
    found.push(await verifySource(lake, entry, signal));
  }
  return found;
}

async function verifySource(
  lake: Lake,
  entry: SourceEntry,
  signal: AbortSignal,
): Promise<SourceVerification> {
  const { id, status, rejected } = entry;
  const found: SourceVerification = {
    id,
    status,
    records: 0,
    rows: 0,
    rejected,
    bytes: 0,
    problems: [],
  };
  if (status === 'missing') return found;
  await noting(found, async () => await verifyRaw(lake, entry, found, signal));
  for (const part of entry.parquet) {
    await noting(found, async () => await verifyPart(lake, part, found, signal));
  }
  expect(found, 'rows', found.rows, entry.rows);
  if (found.problems.length === 0 && !balances(found)) {
    const { records, rows } = found;
    found.problems.push(`${records} records are not ${rows} rows and ${rejected} rejected.`);
  }
  return found;
}

async function verifyRaw(
  { raw }: Lake,
  entry: SourceEntry,
  found: SourceVerification,
  signal: AbortSignal,
): Promise<void> {
  const removal = await readRawRemoval(raw, entry.rawKey);
  if (removal) {
    found.rawRemovedAt = removal.removedAt;
    found.records = entry.records;
    return;
  }
  const path = raw.uri(entry.rawKey);
  const landing = await readLanding(raw, entry.rawKey);
  if (!landing) throw new LonghaulError('LAKE_CORRUPT', `The manifest of ${path} is gone.`);
  const { dialect } = entry;
  if (!dialect) throw new LonghaulError('LAKE_CORRUPT', `No manifest says how ${path} was read.`);
  const now = await rescan(raw.location(entry.rawKey), dialect, () => undefined, signal);
  found.bytes += now.bytes;
  found.records = now.scan.records;
  expect(found, `bytes in ${path}`, now.bytes, entry.bytes);
  expect(found, `as checksum of ${path}`, now.checksum, entry.checksum);
  expect(found, `records in ${path}`, now.scan.records, entry.records);
}

async function verifyPart(
  { converted }: Lake,
  part: ParquetPart,
  found: SourceVerification,
  signal: AbortSignal,
): Promise<void> {
  const path = converted.uri(part.key);
  const { rows, bytes } = await readFooter(converted, part.key);
  found.rows += rows;
  found.bytes += bytes;
  expect(found, `bytes in ${path}`, bytes, part.bytes);
  const checksum = await checksumAt(converted.location(part.key), signal);
  expect(found, `as checksum of ${path}`, checksum, part.checksum);
  expect(found, `rows in ${path}`, rows, part.rows);
}

function expect<T>(found: SourceVerification, what: string, now: T, published: T): void {
  if (now === published) return;
  found.problems.push(`Found ${String(now)} ${what}; the manifest says ${String(published)}.`);
}

const DAMAGE: ReadonlySet<ErrorCode> = new Set(['LAKE_CORRUPT', 'MANIFEST_UNREADABLE']);

/** Notes the damage of one file, so that the other files are verified too. */
async function noting(found: SourceVerification, act: () => Promise<void>): Promise<void> {
  try {
    await act();
  } catch (error) {
    if (!(error instanceof LonghaulError) || !DAMAGE.has(error.code)) throw error;
    found.problems.push(error.message);
  }
}
