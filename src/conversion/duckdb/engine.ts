import { rm } from 'node:fs/promises';
import type { DuckDbSettings } from '../../config/settings.ts';
import { LonghaulError, type ErrorCode } from '../../model/errors.ts';
import { locateHttpfs } from '../../programs/httpfs.ts';
import { duckDbS3Error } from '../../storage/s3/engine-errors.ts';
import { assertDecodable } from '../../csv/encoding.ts';
import type { ConversionEngine, ConversionRequest } from '../engine.ts';
import { engineError, firstLine, ofCatalogue, type PlainError } from '../engine-errors.ts';
import { runInChild } from '../in-child.ts';
import { convertInParts, type PartSizes, type PartToWrite } from '../parts.ts';
import { anyIsMarked } from '../prepare.ts';
import { planJob, type DuckDbJob, type JobPlan } from './plan.ts';

/** Runs a job. Its errors are the catalogue's. */
export type JobRunner = typeof runDuckDb;

/**
 * The default engine: DuckDB in a child process for each part.
 * @param run tests of many small files replace it, because a process for each file would be slow.
 */
export function createDuckDbEngine(
  settings: DuckDbSettings,
  sizes: PartSizes,
  run: JobRunner = runDuckDb,
): ConversionEngine {
  return async (request) => {
    const { location, output, outputPrefix, signal, schema, onNote } = request;
    assertDecodable(request.scan, request.encoding);
    const isInS3 = output.location(outputPrefix).kind === 's3';
    const httpfsPath = isInS3
      ? await locateHttpfs({ given: settings.httpfs, signal, onNote })
      : undefined;
    const parts = await convertInParts(request, sizes, async (part) => {
      const isMarked = !part.range.whole && (await anyIsMarked(location, [part.range], signal));
      const plan = planJob(request, part, settings, { httpfsPath, isMarked });
      await writePart(request, part, plan, run);
    });
    return { parts, schema };
  };
}

async function writePart(
  request: ConversionRequest,
  part: PartToWrite,
  { job, serialJob, shardKey }: JobPlan,
  run: JobRunner,
): Promise<void> {
  const { location, output, signal } = request;
  const { start, end } = part.range;
  if (shardKey !== undefined) await output.copyRange({ location, start, end }, shardKey, signal);
  try {
    await runFresh(request, part, job, run);
  } catch (error) {
    if (!serialJob || !isOf(error, ['ENGINE_FAILED', 'ENGINE_OUT_OF_MEMORY'])) throw error;
    await discard(request, part);
    await runFresh(request, part, serialJob, run);
  }
  if (shardKey !== undefined) await output.delete(shardKey);
  // An object in S3 is complete and in its place. On a disk, this moves the complete file into its place.
  if (output.location(part.key).kind === 'disk') await output.putFile(part.key, part.partialPath);
}

/** A child loads its credentials itself. If a session has expired, a second child runs the job with new ones. */
async function runFresh(
  request: ConversionRequest,
  part: PartToWrite,
  job: DuckDbJob,
  run: JobRunner,
): Promise<void> {
  const { signal } = request;
  try {
    await run(job, signal, part.onProgress);
  } catch (error) {
    if (!isOf(error, ['STORE_CREDENTIALS'])) throw error;
    await discard(request, part);
    await run(job, signal, part.onProgress);
  }
}

/** Removes what a failed job has written. */
async function discard({ output }: ConversionRequest, part: PartToWrite): Promise<void> {
  await output.deletePrefix(part.key);
  await rm(part.partialPath, { force: true });
}

function isOf(error: unknown, codes: readonly ErrorCode[]): boolean {
  return error instanceof LonghaulError && codes.includes(error.code);
}

/**
 * Runs a job in a child process. The process has ended when this function returns or throws.
 * @param onProgress bytes of the range done so far.
 * @throws LonghaulError as `ConversionEngine`; the signal's reason when it aborts.
 */
export async function runDuckDb(
  job: DuckDbJob,
  signal: AbortSignal,
  onProgress: (bytes: number) => void,
): Promise<void> {
  const { s3 } = job;
  await runInChild({
    ...{ work: 'duckdb', job, scratchFolder: s3?.scratchFolder, program: 'DuckDB' },
    ...{ signal, onProgress, errorOf: (error) => jobError(error, s3?.settings.bucket) },
  });
}

/**
 * The catalogue's error for the child's error. The first words of a DuckDB message say its kind.
 * @param bucket the bucket that the job uses, if it uses S3.
 */
export function jobError(error: PlainError, bucket: string | undefined): LonghaulError {
  const { message } = error;
  const ofStore = bucket === undefined ? undefined : storeError(message, bucket);
  return ofCatalogue(error) ?? engineError(`DuckDB: ${firstLine(message)}`, message, ofStore);
}

/** If an HTTP error has no status, the connection broke off. */
function storeError(message: string, bucket: string): LonghaulError | undefined {
  const found = duckDbS3Error(uploadsAlike(message), bucket);
  if (found || !message.startsWith('HTTP Error')) return found;
  return new LonghaulError('STORE_UNREACHABLE', `DuckDB: ${firstLine(message)}`);
}

/** DuckDB's upload errors are `Unable to connect to URL s3://…: Forbidden (HTTP code 403)`, without a method. */
function uploadsAlike(message: string): string {
  return message.replace(
    /^HTTP Error: Unable to connect to URL (\S+?): (.*?) \(HTTP code (\d+)\)/,
    "HTTP Error: HTTP PUT error writing '$1' (HTTP $3 $2)",
  );
}
