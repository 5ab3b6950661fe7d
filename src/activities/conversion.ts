import { randomUUID } from 'node:crypto';
import { tmpdir } from 'node:os';
import type { z } from 'zod';
import {
  attemptPrefix,
  partPrefix,
  sourcePrefix,
  stagedSchemaKey,
  stagedSourcePrefix,
} from '../model/layout.ts';
import { csvFactsOf } from '../model/csv-facts.ts';
import { LonghaulError } from '../model/errors.ts';
import type { LandingManifest } from '../model/manifest.ts';
import type { SourceTask } from '../model/run.ts';
import { createEngine } from '../conversion/engines.ts';
import { inspect } from '../conversion/inspect.ts';
import { decideEncoding } from '../csv/encoding.ts';
import { assertReadable } from '../csv/readable.ts';
import { scannedAsConfigured } from '../landing/rescan.ts';
import { withSource } from '../landing/secrets.ts';
import { keepingReserve } from '../storage/free-space.ts';
import { isPrivate, makePrivate } from '../storage/disk-store.ts';
import { STAGED_SCHEMA, type StagedParts, type StagedSchema } from '../storage/manifest-shapes.ts';
import { readLanding, readManifest, toJson } from '../storage/manifests.ts';
import type { Store } from '../storage/store.ts';
import type { ActivityDeps } from './deps.ts';
import { workKey } from './landing.ts';
import type { ConvertInput, ConvertResult, InspectInput, InspectResult } from './types.ts';
import { working, type Work } from './work.ts';

type Deps = Pick<ActivityDeps, 'raw' | 'converted' | 'duckdb' | 'spark' | 'activity'>;

/** From the raw zone to Parquet, under keys of the attempt's own. */
export function createConversionActivities(deps: Deps) {
  return {
    inspectSource: async (input: InspectInput): Promise<InspectResult> =>
      await working(
        deps,
        { source: input.source.id, stage: 'inspect', key: workKey(input) },
        async (work) => await inspectSource(deps, input, work),
      ),

    convertSource: async (input: ConvertInput): Promise<ConvertResult> =>
      await working(
        deps,
        { source: input.source.id, stage: 'convert', key: workKey(input) },
        async (work) => await convertSource(deps, input, work),
      ),
  };
}

export async function requireLanding(raw: Store, input: InspectInput): Promise<LandingManifest> {
  const landing = await readLanding(raw, input.rawKey);
  if (landing && (await raw.size(input.rawKey)) === landing.bytes) return landing;
  throw new LonghaulError(
    'LAKE_CORRUPT',
    `${raw.uri(input.rawKey)} is missing or not as long as its manifest says.`,
    {
      source: input.source.id,
    },
  );
}

/** @throws LonghaulError LAKE_CORRUPT where it is gone. */
export async function requireStaged<T>(
  converted: Store,
  key: string,
  shape: z.ZodType<T>,
): Promise<T> {
  const staged = await readManifest(converted, key, shape);
  if (staged) return staged;
  throw new LonghaulError('LAKE_CORRUPT', `${converted.uri(key)} is gone.`);
}

export function stagedPartsKey(stagedPrefix: string): string {
  return `${stagedPrefix}parts.json`;
}

/** What is made of a landing that only its owner reads is the owner's alone too. */
async function keepPrivate(
  { raw, converted }: Pick<ActivityDeps, 'raw' | 'converted'>,
  rawKey: string,
  folder: string,
): Promise<void> {
  if (await isPrivate(raw.location(rawKey))) await makePrivate(converted.location(folder));
}

async function inspectSource(deps: Deps, input: InspectInput, work: Work): Promise<InspectResult> {
  const { overrides } = input.source;
  const landing = await requireLanding(deps.raw, input);
  const { bytes } = landing;
  const { scan } = await withSource(
    input.source.id,
    {},
    async () =>
      await scannedAsConfigured(deps.raw, landing, overrides, {
        signal: work.signal,
        onProgress: (done) => work.report({ bytes: done, totalBytes: bytes }),
      }),
  );
  assertReadable(scan, input.source.id);
  const encoding = decideEncoding(scan, overrides.encoding);
  const schema = await inspect({
    input: deps.raw.location(input.rawKey),
    bytes,
    scan,
    encoding,
    overrides,
    signal: work.signal,
    onProgress: reporting(work, bytes),
  });
  const csv = csvFactsOf(scan, encoding, overrides);
  const staged: StagedSchema = { encoding, csv, schema };
  await keepPrivate(deps, input.rawKey, stagedSourcePrefix(input.runId, input.source.id));
  await deps.converted.put(stagedSchemaKey(input.runId, input.source.id), toJson(staged));
  const typed = schema.columns.filter((column) => column.type !== 'VARCHAR');
  return { columns: schema.columns.length, typedColumns: typed.length, encoding };
}

async function convertSource(deps: Deps, input: ConvertInput, work: Work): Promise<ConvertResult> {
  const { bytes, scan } = await requireLanding(deps.raw, input);
  const { encoding, schema } = await requireSchema(deps.converted, input);
  const { engine } = input;
  if (engine === 'emr') throw new TypeError('A cluster converts, not a worker.');
  const attempt = newAttempt();
  const stagedPrefix = attemptPrefix(input.runId, input.source.id, attempt);
  const folder = sourcePrefix({ ...input, source: input.source.id });
  const outputPrefix = folder + partPrefix(input.runId, attempt);
  const keep = async (): Promise<void> => {
    for (const each of [stagedPrefix, folder]) await keepPrivate(deps, input.rawKey, each);
  };
  try {
    await keep();
    const location = { output: deps.converted, outputPrefix, scratchPrefix: stagedPrefix };
    const outcome = await keepingReserve(
      writtenFolder(deps.converted),
      work.signal,
      async (signal) =>
        await createEngine(engine, deps).convert({
          input: deps.raw.location(input.rawKey),
          inputBytes: bytes,
          ...{ scan, encoding, schema, signal, ...location },
          onProgress: reporting(work, bytes),
          onNote: work.note,
        }),
    );
    await keep();
    const parts = outcome.parts.map((name) => outputPrefix + name);
    const staged: StagedParts = { parts, schema: outcome.schema };
    await deps.converted.put(stagedPartsKey(stagedPrefix), toJson(staged));
    const sizes = await Promise.all(parts.map(async (key) => await deps.converted.size(key)));
    // Nobody takes what an attempt made that was given up.
    work.signal.throwIfAborted();
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

/** Two attempts may be at work at once, on two machines: a number of Temporal's would be that of both. */
export function newAttempt(): string {
  return randomUUID().slice(0, 8);
}

/** On whose disk a conversion writes: its Parquet and scratch, of a lake in S3 only its scratch. */
function writtenFolder(converted: Store): string {
  const location = converted.location('');
  return location.kind === 'disk' ? location.path : tmpdir();
}

/** Both steps read a file whose length is known. */
function reporting(
  work: Work,
  totalBytes: number,
): (done: { bytes: number; bytesWritten?: number }) => void {
  return ({ bytes, bytesWritten }) => {
    work.report({ bytes, totalBytes, bytesWritten });
  };
}

export async function requireSchema(converted: Store, task: SourceTask): Promise<StagedSchema> {
  return await requireStaged(converted, stagedSchemaKey(task.runId, task.source.id), STAGED_SCHEMA);
}
