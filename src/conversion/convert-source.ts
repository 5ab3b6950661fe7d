import { tmpdir } from 'node:os';
import type { DuckDbSettings } from '../config/settings.ts';
import { isBatchEngine, type FileEngine } from '../model/dataset.ts';
import { decideEncoding } from '../csv/encoding.ts';
import { assertReadable } from '../csv/readable.ts';
import { scannedAsConfigured } from '../landing/ingest-state.ts';
import { CANONICAL } from '../landing/portals/records.ts';
import { withSource } from '../landing/secrets.ts';
import { csvReadingOf } from '../model/scan.ts';
import {
  attemptPrefix,
  partPrefix,
  sourcePrefix,
  stagedSchemaKey,
  stagedSourcePrefix,
} from '../model/layout.ts';
import { isPrivate, makePrivate } from '../storage/disk-store.ts';
import { keepingReserve } from '../storage/free-space.ts';
import type { StagedParts, StagedSchema } from '../storage/manifest-shapes.ts';
import { toJson } from '../storage/manifests.ts';
import {
  newAttempt,
  requireLanding,
  requireSchema,
  stagedPartsKey,
  type LandedTask,
} from '../storage/staged.ts';
import type { ColumnType } from '../model/schema.ts';
import type { Lake, Store } from '../storage/store.ts';
import { createDuckDbEngine } from './duckdb/engine.ts';
import type { ConversionEngine, TypedFile, Watch } from './engine.ts';
import { inspect } from './inspect.ts';
import { createParquetJsEngine } from './parquetjs/engine.ts';
import { PART_SIZES } from './parts.ts';

export interface ConvertResult {
  /** Prefix in the converted zone. The file below it lists the parts that the attempt has written. */
  stagedPrefix: string;
  parts: number;
  bytes: number;
}

type Deps = Lake & { duckdb: DuckDbSettings };

/**
 * Finds encoding, dialect and schema of a landing, and stages them for its conversion.
 * @param tableTypes see `InspectRequest`.
 */
export async function inspectSource(
  deps: Lake,
  input: LandedTask,
  { signal, onProgress }: Watch,
  tableTypes?: ReadonlyMap<string, ColumnType>,
): Promise<{ columns: number; typedColumns: number; encoding: string }> {
  const landing = await requireLanding(deps.raw, input);
  const isCanonical = landing.portal?.isCanonical === true;
  const overrides = { ...input.source.overrides, ...(isCanonical && CANONICAL) };
  const { bytes } = landing;
  const { scan } = await withSource(
    input.source.id,
    {},
    async () =>
      await scannedAsConfigured(deps.raw, landing, overrides, {
        signal,
        onProgress: (done) => onProgress({ bytes: done, totalBytes: bytes }),
      }),
  );
  assertReadable(scan, input.source.id);
  const encoding = decideEncoding(scan, overrides.encoding);
  const schema = await inspect({
    location: deps.raw.location(input.rawKey),
    bytes,
    scan,
    encoding,
    overrides,
    tableTypes,
    signal,
    onProgress: (done) => onProgress({ bytes: done, totalBytes: bytes }),
  });
  const csv = csvReadingOf(scan, encoding, overrides);
  const staged: StagedSchema = { encoding, csv, schema };
  await keepPrivate(deps, input.rawKey, stagedSourcePrefix(input.runId, input.source.id));
  await deps.converted.put(stagedSchemaKey(input.runId, input.source.id), toJson(staged));
  const typed = schema.columns.filter((column) => column.type !== 'VARCHAR');
  return { columns: schema.columns.length, typedColumns: typed.length, encoding };
}

/** Converts a landing to Parquet under keys that only this attempt uses. If it fails, it leaves no files there. */
export async function convertSource(
  deps: Deps,
  input: LandedTask,
  { signal, onProgress, onNote }: Watch,
): Promise<ConvertResult> {
  const file = await landedFile(deps, input);
  const { engine } = input;
  if (isBatchEngine(engine)) throw new TypeError('Spark converts many at once.');
  const convert = createEngine(engine, deps.duckdb);
  const attempt = newAttempt();
  const stagedPrefix = attemptPrefix(input.runId, input.source.id, attempt);
  const folder = sourcePrefix({ ...input, source: input.source.id });
  const outputPrefix = folder + partPrefix(input.runId, attempt);
  const keep = async (): Promise<void> => {
    for (const each of [stagedPrefix, folder]) await keepPrivate(deps, input.rawKey, each);
  };
  try {
    await keep();
    const into = { output: deps.converted, outputPrefix, scratchPrefix: stagedPrefix };
    const outcome = await keepingReserve(writtenFolder(deps.converted), signal, async (stopped) =>
      convert({
        ...{ ...file, ...into, onNote, signal: stopped },
        onProgress: (done) => onProgress({ ...done, totalBytes: file.bytes }),
      }),
    );
    await keep();
    const parts = outcome.parts.map((name) => outputPrefix + name);
    const staged: StagedParts = { parts, schema: outcome.schema };
    await deps.converted.put(stagedPartsKey(stagedPrefix), toJson(staged));
    const sizes = await Promise.all(parts.map(async (key) => await deps.converted.size(key)));
    // If Temporal has given up this attempt, no step takes its parts.
    signal.throwIfAborted();
    return {
      stagedPrefix,
      parts: parts.length,
      bytes: sizes.reduce((sum: number, each) => sum + (each ?? 0), 0),
    };
  } catch (error) {
    const own = [outputPrefix, stagedPrefix];
    await Promise.allSettled(own.map(async (each) => await deps.converted.deletePrefix(each)));
    throw error;
  }
}

/** A landed file with the schema that its inspection has staged. @throws LonghaulError LAKE_CORRUPT. */
export async function landedFile({ raw, converted }: Lake, task: LandedTask): Promise<TypedFile> {
  const { bytes, scan } = await requireLanding(raw, task);
  const { encoding, schema } = await requireSchema(converted, task);
  return { location: raw.location(task.rawKey), bytes, scan, encoding, schema };
}

/** @param sizes sizes of the parts. Tests set them, because their files are small. */
export function createEngine(
  name: FileEngine,
  duckdb: DuckDbSettings,
  sizes = PART_SIZES,
): ConversionEngine {
  return name === 'duckdb' ? createDuckDbEngine(duckdb, sizes) : createParquetJsEngine(sizes);
}

/** If only the owner can read a landing, files made from it are also readable only for the owner. */
export async function keepPrivate(
  { raw, converted }: Lake,
  rawKey: string,
  folder: string,
): Promise<void> {
  if (await isPrivate(raw.location(rawKey))) await makePrivate(converted.location(folder));
}

/** Folder on the disk to which a conversion writes. For a lake in S3 it holds only scratch files. */
export function writtenFolder(converted: Store): string {
  const location = converted.location('');
  return location.kind === 'disk' ? location.path : tmpdir();
}
