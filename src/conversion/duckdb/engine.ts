import { rm } from 'node:fs/promises';
import type { DuckDbSettings } from '../../config/settings.ts';
import { LonghaulError, type ErrorCode } from '../../model/errors.ts';
import { locateHttpfs } from '../../programs/httpfs.ts';
import { assertDecodable } from '../../csv/encoding.ts';
import type { ConversionEngine, ConversionOutcome, ConversionRequest } from '../engine.ts';
import { convertInParts, type PartSizes, type PartToWrite } from '../parts.ts';
import { anyIsMarked } from '../prepare.ts';
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
    const { start, whole } = part.range;
    const isMarked = !whole && (await anyIsMarked(request.input, [start], signal));
    const plan = planJob(request, part, settings, { httpfsPath, isMarked });
    await writePart(request, part, plan, run);
  });
  return { parts, schema };
}

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
