import { isRetryable, LonghaulError } from '../model/errors.ts';
import { sourceEntryKey, stagedEntryKey } from '../model/layout.ts';
import { assertBalanced } from '../model/ledger.ts';
import type { ParquetPart, SourceEntry } from '../model/manifest.ts';
import { STAGED_PARTS } from '../storage/manifest-shapes.ts';
import { toJson } from '../storage/manifests.ts';
import { deleteDeadParts } from '../storage/leftovers.ts';
import { checksumAt } from '../storage/location.ts';
import { convertedEntry } from '../storage/source-results.ts';
import {
  requireLanding,
  requireSchema,
  requireStaged,
  stagedPartsKey,
  type LandedTask,
} from '../storage/staged.ts';
import type { Lake, Store } from '../storage/store.ts';
import { readFooter } from './footers.ts';

export interface ConvertedTask extends LandedTask {
  stagedPrefix: string;
}

interface Watch {
  signal: AbortSignal;
  onProgress: (done: { bytes: number }) => void;
}

/** Checks the ledger: rows from Parquet footers, by a reader that is not the writer, against the scan's own count. */
export async function verifySource(
  deps: Lake,
  input: ConvertedTask,
  watch: Watch,
): Promise<SourceEntry> {
  const landing = await requireLanding(deps.raw, input);
  const staging = await requireSchema(deps.converted, input);
  const staged = await requireStaged(
    deps.converted,
    stagedPartsKey(input.stagedPrefix),
    STAGED_PARTS,
  );
  const at = { ...input, source: input.source.id };
  const { parquet, rows } = await orDelete(deps.converted, staged.parts, async () => {
    const found = await readParts(deps.converted, staged.parts, watch);
    const counted = found.reduce((sum, part) => sum + part.rows, 0);
    assertBalanced({ records: landing.scan.records, rows: counted, rejected: 0 }, input.source.id);
    return { parquet: found, rows: counted };
  });
  const { runId } = input;
  const { signal } = watch;
  await deleteDeadParts(deps.converted, at, { runId, keep: staged.parts, signal });
  const entry = convertedEntry(input, landing, staging, {
    schema: staged.schema,
    rows,
    parquet,
  });
  await deps.converted.put(stagedEntryKey(input.runId, at.source), toJson(entry));
  // A retry of the day reads this entry. It replaces the entry of an earlier run.
  await deps.converted.put(sourceEntryKey(at), toJson(entry));
  return entry;
}

/** The parts in the order of their keys, with the rows and bytes that were found. */
async function readParts(
  converted: Store,
  keys: readonly string[],
  { signal, onProgress }: Watch,
): Promise<ParquetPart[]> {
  const parts: ParquetPart[] = [];
  for (const key of keys) {
    const { rows, bytes } = await readFooter(converted, key);
    onProgress({ bytes });
    // The checksum is of the stored bytes. S3 has none of a whole file that DuckDB or a cluster uploads.
    const checksum = await checksumAt(converted.location(key), signal);
    parts.push({ key, rows, bytes, checksum });
  }
  return parts;
}

/** Deletes the parts after an error that no retry fixes. Only this conversion uses them. */
async function orDelete<T>(
  converted: Store,
  keys: readonly string[],
  check: () => Promise<T>,
): Promise<T> {
  try {
    return await check();
  } catch (error) {
    if (error instanceof LonghaulError && !isRetryable(error.code)) {
      await Promise.allSettled(keys.map(async (key) => await converted.delete(key)));
    }
    throw error;
  }
}
