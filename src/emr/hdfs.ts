import { partsOf, type RemoteBatch } from '../conversion/spark/remote-batch.ts';
import { SMALL_REQUESTS, together } from '../conversion/together.ts';
import { LonghaulError } from '../model/errors.ts';
import {
  sourcePrefix,
  sparkBatchPrefix,
  partPrefix,
  snapshotManifestKey,
  sourcesPrefix,
  stagingPrefix,
} from '../model/layout.ts';
import { assertBalanced, sumLedgers } from '../model/ledger.ts';
import type { SnapshotManifest, SourceEntry } from '../model/manifest.ts';
import type { EmrSource, RunDay, SourceResult } from '../model/run.ts';
import { HDFS_ROWS, type HdfsRows } from '../storage/manifest-shapes.ts';
import { readJson, toJson } from '../storage/manifests.ts';
import { convertedEntry, toSourceResult } from '../storage/source-results.ts';
import { requireLanding, requireSchema, type LandedTask } from '../storage/staged.ts';
import type { EmrDeps } from './plan.ts';
import type { SubmitInput } from '../model/emr-inputs.ts';

/**
 * Writes the input of `convert.py --count`. If the day is complete, it also writes the manifest that the step puts on
 * HDFS once all counts are right.
 * @returns the job's URI.
 */
export async function putCount(
  deps: EmrDeps,
  batch: RemoteBatch,
  { sources = [], isWhole = false }: Pick<SubmitInput, 'sources' | 'isWhole'>,
  signal: AbortSignal,
): Promise<string> {
  const { converted } = deps;
  const ids = sources.map(({ source }) => source.id);
  const made = new Map(
    (await partsOf(deps, batch, ids, signal)).map((each) => [each.id, each.parts]),
  );
  const entries = await together(sources, { signal, concurrency: SMALL_REQUESTS }, async (each) =>
    entryOf(deps, batch, each, made.get(each.source.id) ?? []),
  );
  const prefix = sparkBatchPrefix(batch.runId, batch.name);
  const manifestKey = `${prefix}manifest.json`;
  if (isWhole) await converted.put(manifestKey, toJson(manifestOf(batch, entries)));
  const job = {
    results: converted.uri(countedPrefix(batch)),
    sources: entries.map(({ id, records, parquet }) => ({
      ...{ id, folder: hdfsOutput(batch, id), records },
      parts: parquet.map(({ key, bytes }) => ({ name: nameOf(key), bytes })),
    })),
    ...(isWhole ? { manifest: { from: converted.uri(manifestKey), to: hdfsManifest(batch) } } : {}),
  };
  await converted.put(`${prefix}count.json`, JSON.stringify(job));
  return converted.uri(`${prefix}count.json`);
}

/**
 * The ledger of a source whose files stay on HDFS, from the footers that a step has read.
 * @throws LonghaulError LAKE_CORRUPT; LEDGER_… if the rows do not match the records.
 */
export async function verifyOnHdfs(deps: EmrDeps, input: LandedTask): Promise<SourceResult> {
  const { id } = input.source;
  const key = `${countedPrefix(input)}${id}.json`;
  const counted = await readJson(deps.converted, key, HDFS_ROWS);
  if (!counted) throw new LonghaulError('LAKE_CORRUPT', `${deps.converted.uri(key)} is gone.`);
  const entry = await entryOf(deps, input, input, counted.parts);
  assertBalanced(entry, id);
  const folder = hdfsOutput(input, id);
  const parquet = entry.parquet.map(({ key: part, rows, bytes }) => ({
    ...{ path: folder + nameOf(part), rows, bytes },
  }));
  return { ...toSourceResult(deps, entry), parquet };
}

async function entryOf(
  deps: EmrDeps,
  run: RunDay,
  { source, rawKey }: EmrSource,
  parts: HdfsRows['parts'],
): Promise<SourceEntry> {
  const task = { ...run, source, rawKey, engine: 'emr' as const };
  const staging = await requireSchema(deps.converted, task);
  const prefix = sourcePrefix({ ...run, source: source.id });
  return convertedEntry(task, await requireLanding(deps.raw, task), staging, {
    schema: staging.schema,
    rows: parts.reduce((sum, { rows }) => sum + rows, 0),
    // HDFS checks its blocks by itself. It gives no checksum that another store could compare.
    parquet: parts.map(({ name, rows, bytes }) => ({
      key: prefix + name,
      rows,
      bytes,
      checksum: '',
    })),
  });
}

function manifestOf(run: RunDay, sources: SourceEntry[]): SnapshotManifest {
  const { dataset, ingestDate, revision, runId } = run;
  return {
    format: 'longhaul/snapshot/1',
    ...{ dataset, ingestDate, revision, status: 'published', runId },
    publishedAt: new Date().toISOString(),
    sources,
    ledger: sumLedgers(sources),
  };
}

function countedPrefix({ runId }: RunDay): string {
  return sparkBatchPrefix(runId, 'counted');
}

function nameOf(key: string): string {
  return key.slice(key.lastIndexOf('/') + 1);
}

/** The converted zone on HDFS, with the lake's layout. It names no host: each cluster reads its own HDFS. */
const HDFS_ZONE = 'hdfs:///takehome-converted/';

/** Each cluster of a run has its own job, because the HDFS of a lost cluster is gone. */
export function emrBatch(run: RunDay, generation: number): RemoteBatch {
  const { dataset, ingestDate, revision, runId } = run;
  const attempt = String(generation).padStart(8, '0');
  return { dataset, ingestDate, revision, runId, name: `emr-${generation}`, attempt };
}

/** Folder on HDFS of a source's Parquet files. Their keys are the same as in the bucket. */
export function hdfsOutput(run: RunDay, source: string): string {
  return HDFS_ZONE + sourcePrefix({ ...run, source });
}

/** Folder on HDFS of files that Spark is still writing. */
export function hdfsStaging({ runId }: RunDay, source: string): string {
  return `${HDFS_ZONE}${stagingPrefix(runId)}${source}/`;
}

export function hdfsManifest(run: RunDay): string {
  return HDFS_ZONE + snapshotManifestKey(run);
}

/** Arguments for s3-dist-cp: all sources of the day's revision, but only the files that one job wrote. */
export function copiedParts(batch: RemoteBatch): { key: string; from: string; pattern: string } {
  const key = sourcesPrefix(batch).replace(/[^/]*$/, '');
  const pattern = `.*/${partPrefix(batch.runId, batch.attempt)}[0-9]+\\.parquet`;
  return { key, from: HDFS_ZONE + key, pattern };
}
