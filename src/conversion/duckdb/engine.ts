import { rm } from 'node:fs/promises';
import type { DuckDbSettings } from '../../config/settings.ts';
import { LonghaulError, type ErrorCode } from '../../model/errors.ts';
import { locateHttpfs } from '../../programs/httpfs.ts';
import { openLocation, type Location } from '../../storage/location.ts';
import { assertDecodable } from '../../csv/encoding.ts';
import type { ConversionEngine, ConversionOutcome, ConversionRequest } from '../engine.ts';
import { convertInParts, type PartToWrite } from '../parts/convert-in-parts.ts';
import type { PartSizes, RecordRange } from '../parts/next-range.ts';
import { runInChild } from './child-process.ts';
import { planJob, type DuckDbJob, type JobPlan } from './plan.ts';

/** How a job is done: its errors are the catalogue's. */
export type JobRunner = typeof runInChild;

/**
 * The default engine: DuckDB in a child process, one a part.
 * @param run for tests of many small files, which a process each would make slow.
 */
export function createDuckDbEngine(
  settings: DuckDbSettings,
  sizes: PartSizes,
  run: JobRunner = runInChild,
): ConversionEngine {
  return { convert: async (request) => await convert(request, settings, sizes, run) };
}

async function convert(
  request: ConversionRequest,
  settings: DuckDbSettings,
  sizes: PartSizes,
  run: JobRunner,
): Promise<ConversionOutcome> {
  const { output, outputPrefix, signal, schema, onNote } = request;
  assertDecodable(request.scan, request.encoding);
  const isInS3 = output.location(outputPrefix).kind === 's3';
  const httpfsPath = isInS3
    ? await locateHttpfs({ given: settings.httpfs, signal, onNote })
    : undefined;
  const parts = await convertInParts(request, sizes, async (part) => {
    const isMarked = await startsWithMark(request.input, part.range, signal);
    const plan = planJob(request, part, settings, { httpfsPath, isMarked });
    await writePart(request, part, plan, run);
  });
  return { parts, schema };
}

/** DuckDB would take a value's first character for the mark of the shard that starts with it. */
async function startsWithMark(
  input: Location,
  { start, end, whole }: RecordRange,
  signal: AbortSignal,
): Promise<boolean> {
  if (whole) return false;
  const bytes = Buffer.alloc(MARK.length);
  const reader = await openLocation(input, { end: Math.min(end, start + bytes.length), signal });
  try {
    await reader.read(bytes, start);
  } finally {
    await reader.close();
  }
  return bytes.equals(MARK);
}

const MARK = Buffer.from('\ufeff');

async function writePart(
  request: ConversionRequest,
  part: PartToWrite,
  { job, serialJob, shardKey }: JobPlan,
  run: JobRunner,
): Promise<void> {
  const { input: location, output, signal } = request;
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
  // An object in S3 is whole and where it stays; on a disk only this makes it so.
  if (output.location(part.key).kind === 'disk') await output.putFile(part.key, part.partialPath);
}

/** A child finds its credentials anew: after a session that has expired, another child is needed. */
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

/** What a job that failed has written. */
async function discard({ output }: ConversionRequest, part: PartToWrite): Promise<void> {
  await output.deletePrefix(part.key);
  await rm(part.partialPath, { force: true });
}

function isOf(error: unknown, codes: readonly ErrorCode[]): boolean {
  return error instanceof LonghaulError && codes.includes(error.code);
}
