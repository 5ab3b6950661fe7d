import { randomUUID } from 'node:crypto';
import type { z } from 'zod';
import { LonghaulError } from '../model/errors.ts';
import { stagedSchemaKey } from '../model/layout.ts';
import type { LandingManifest } from '../model/manifest.ts';
import type { SourceSpec } from '../model/dataset.ts';
import type { SourceTask } from '../model/run.ts';
import { STAGED_SCHEMA, type StagedSchema } from './manifest-shapes.ts';
import { readLanding, readManifest } from './manifests.ts';
import type { Store } from './store.ts';

/** One source of one day's run, after its landing. */
export interface LandedTask extends SourceTask {
  rawKey: string;
}

/** @throws LonghaulError LAKE_CORRUPT. */
export async function requireLanding(raw: Store, input: LandedTask): Promise<LandingManifest> {
  const landing = await readLanding(raw, input.rawKey);
  if (landing && (await raw.size(input.rawKey)) === landing.bytes) return landing;
  const what = `${raw.uri(input.rawKey)} is missing or not as long as its manifest says.`;
  throw new LonghaulError('LAKE_CORRUPT', what, { source: input.source.id });
}

/** @throws LonghaulError LAKE_CORRUPT if the file is gone. */
export async function requireStaged<T>(
  converted: Store,
  key: string,
  shape: z.ZodType<T>,
): Promise<T> {
  const staged = await readManifest(converted, key, shape);
  if (staged) return staged;
  throw new LonghaulError('LAKE_CORRUPT', `${converted.uri(key)} is gone.`);
}

export async function requireSchema(
  converted: Store,
  { runId, source }: { runId: string; source: Pick<SourceSpec, 'id'> },
): Promise<StagedSchema> {
  return await requireStaged(converted, stagedSchemaKey(runId, source.id), STAGED_SCHEMA);
}

export function stagedPartsKey(stagedPrefix: string): string {
  return `${stagedPrefix}parts.json`;
}

/** Two attempts may run at once on two hosts, and Temporal could give both the same number. The id is random. */
export function newAttempt(): string {
  return randomUUID().slice(0, 8);
}
