import { readFile } from 'node:fs/promises';
import { LonghaulError } from '../../model/errors.ts';
import {
  partPrefix,
  sourcePrefix,
  sparkBatchPrefix,
  sparkJobKey,
  stagedSparkPrefix,
} from '../../model/layout.ts';
import type { RunDay } from '../../model/run.ts';
import { SPARK_RESULT, type StagedParts } from '../../storage/manifest-shapes.ts';
import { readJson, toJson } from '../../storage/manifests.ts';
import { requireSchema, stagedPartsKey } from '../../storage/staged.ts';
import type { Lake } from '../../storage/store.ts';
import { together } from '../together.ts';
import type { FailedSource } from './convert-batch.ts';
import type { SparkBatch, SparkBatchSource, SparkError, SparkPart, SparkResult } from './job.ts';

/** Small requests to S3 at once. */
const CONCURRENCY = 16;

/** A job for Spark on other machines: what it takes, and what it says, lies in the run's staging. */
export interface RemoteBatch extends RunDay {
  /** One for each place where its Parquet lies: results of a cluster that is gone count for nothing. */
  name: string;
  /** Of the names of its parts, eight digits: a job that is submitted again writes the same ones. */
  attempt: string;
}

/** What Spark runs there. @returns the URI of its copy in the run's staging. */
export async function putScript(
  { converted }: Pick<Lake, 'converted'>,
  runId: string,
): Promise<string> {
  const key = `${sparkBatchPrefix(runId, 'scripts')}convert.py`;
  await converted.put(key, await readFile(new URL('convert.py', import.meta.url)));
  return converted.uri(key);
}

export type OutputOf = (id: string) => Pick<SparkBatchSource, 'output' | 'staging' | 'unless'>;

/** @returns the job's URI. A repeated call leaves sources out that have failed meanwhile. */
export async function putBatch(
  { raw, converted }: Lake,
  at: RemoteBatch,
  ids: readonly string[],
  outputOf: OutputOf,
): Promise<string> {
  const prefix = sparkBatchPrefix(at.runId, at.name);
  const batch: SparkBatch = {
    format: 'longhaul/spark-batch/1',
    raw: raw.uri(''),
    converted: converted.uri(''),
    starts: converted.uri(startsPrefix(at)),
    sources: ids.map((id) => ({
      id,
      job: sparkJobKey(stagedSparkPrefix(at.runId, id)),
      ...outputOf(id),
      partPrefix: partPrefix(at.runId, at.attempt),
      result: converted.uri(resultKey(at, id)),
    })),
  };
  await converted.put(`${prefix}job.json`, toJson(batch));
  return converted.uri(`${prefix}job.json`);
}

export interface TakenResults {
  /** Without an end: the job died before they had one, or is to do them again. */
  open: string[];
  failed: FailedSource[];
  /** Starts of sources in which the job died. */
  deadStarts: number;
}

/** @param errorOf undefined for what another session may do better: that result is thrown away. */
export async function takeResults(
  lake: Lake,
  at: RemoteBatch,
  ids: readonly string[],
  errorOf: (error: SparkError, id: string) => LonghaulError | undefined,
  signal: AbortSignal,
): Promise<TakenResults> {
  const taken: TakenResults = { open: [], failed: [], deadStarts: 0 };
  const results = await readResults(lake, at, ids, signal);
  for (const id of ids) {
    const result = results.get(id);
    if (result && 'parts' in result) continue;
    const error = result && errorOf(result.error, id);
    if (error) taken.failed.push({ id, error });
    else taken.open.push(id);
    if (result && !error) await lake.converted.delete(resultKey(at, id));
  }
  for await (const _ of lake.converted.list(startsPrefix(at))) taken.deadStarts += 1;
  return taken;
}

/** Of those that have parts, as Spark says it. */
export async function partsOf(
  lake: Lake,
  at: RemoteBatch,
  ids: readonly string[],
  signal: AbortSignal,
): Promise<{ id: string; parts: SparkPart[] }[]> {
  const results = await readResults(lake, at, ids, signal);
  return [...results].flatMap(([id, result]) =>
    'parts' in result ? { id, parts: result.parts } : [],
  );
}

/**
 * Says of each source which parts are in its place in S3, where verification finds them.
 * @returns those whose parts are not there as Spark made them.
 */
export async function stageParts(
  lake: Lake,
  at: RemoteBatch,
  ids: readonly string[],
  signal: AbortSignal,
): Promise<FailedSource[]> {
  const { converted } = lake;
  const made = await partsOf(lake, at, ids, signal);
  const failed = await together(
    made,
    { signal, concurrency: CONCURRENCY },
    async ({ id, parts }) => {
      const prefix = sourcePrefix({ ...at, source: id });
      for (const { name, bytes } of parts) {
        const found = await converted.size(prefix + name);
        if (found === bytes) continue;
        const what = `${converted.uri(prefix + name)} has ${found ?? 'no'} bytes, where Spark wrote ${bytes}.`;
        return [{ id, error: new LonghaulError('LAKE_CORRUPT', what, { source: id }) }];
      }
      const { schema } = await requireSchema(converted, { ...at, source: { id } });
      const staged: StagedParts = { parts: parts.map(({ name }) => prefix + name), schema };
      await converted.put(stagedPartsKey(stagedSparkPrefix(at.runId, id)), toJson(staged));
      return [];
    },
  );
  return failed.flat();
}

/** Ids of those that have a result, whatever it says. */
export async function idsWithResult(
  { converted }: Pick<Lake, 'converted'>,
  at: RemoteBatch,
  ids: readonly string[],
): Promise<string[]> {
  const there = new Set<string>();
  for await (const { key } of converted.list(resultsPrefix(at))) there.add(key);
  return ids.filter((id) => there.has(resultKey(at, id)));
}

async function readResults(
  lake: Lake,
  at: RemoteBatch,
  ids: readonly string[],
  signal: AbortSignal,
): Promise<Map<string, SparkResult>> {
  const wanted = await idsWithResult(lake, at, ids);
  const results = await together(wanted, { signal, concurrency: CONCURRENCY }, async (id) => {
    // Written by Spark, whole or not at all.
    const result = await readJson(lake.converted, resultKey(at, id), SPARK_RESULT);
    return result ? [[id, result] as const] : [];
  });
  return new Map(results.flat());
}

function resultsPrefix({ runId, name }: RemoteBatch): string {
  return `${sparkBatchPrefix(runId, name)}results/`;
}

function resultKey(at: RemoteBatch, id: string): string {
  return `${resultsPrefix(at)}${id}.json`;
}

function startsPrefix({ runId, name }: RemoteBatch): string {
  return `${sparkBatchPrefix(runId, name)}starts/`;
}
