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
import { SMALL_REQUESTS, together } from '../together.ts';
import type {
  FailedSource,
  SparkBatch,
  SparkBatchSource,
  SparkError,
  SparkPart,
  SparkResult,
} from './job.ts';

/** A job for Spark on other machines. Its input and its results lie in the run's staging. */
export interface RemoteBatch extends RunDay {
  /** Each place for Parquet has its own name, so that results of a cluster that is gone do not count. */
  name: string;
  /** Part of its parts' names, eight digits. If the job is submitted again, it writes the same names. */
  attempt: string;
}

/** Copies `convert.py` into the run's staging. @returns the URI of the copy. */
export async function putScript(
  { converted }: Pick<Lake, 'converted'>,
  runId: string,
): Promise<string> {
  const key = `${sparkBatchPrefix(runId, 'scripts')}convert.py`;
  await converted.put(key, await readFile(new URL('convert.py', import.meta.url)));
  return converted.uri(key);
}

export type OutputOf = (id: string) => Pick<SparkBatchSource, 'output' | 'staging' | 'unless'>;

/** @returns the job's URI. A repeated call leaves out sources that have failed meanwhile. */
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
  /** Sources without an end: the job died before their end, or must convert them again. */
  open: string[];
  failed: FailedSource[];
  /** Number of starts of sources in which the job died. */
  deadStarts: number;
}

/** @param errorOf returns undefined if another session may succeed. The result is then deleted. */
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

/** The sources with parts, as Spark reported them. */
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

/** Lists the parts of each source in S3. @returns sources whose parts there differ from Spark's result. */
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
    { signal, concurrency: SMALL_REQUESTS },
    async ({ id, parts }) => {
      const prefix = sourcePrefix({ ...at, source: id });
      for (const { name, bytes } of parts) {
        const found = await converted.size(prefix + name);
        if (found === bytes) continue;
        const what = `${converted.uri(prefix + name)} has ${found ?? 'no'} bytes, but Spark wrote ${bytes}.`;
        return [{ id, error: new LonghaulError('LAKE_CORRUPT', what, { source: id }) }];
      }
      await putParts(converted, at, id, parts, signal);
      return [];
    },
  );
  return failed.flat();
}

/** Lists a source's parts, which are in their place. Verification reads the list. */
export async function putParts(
  converted: Lake['converted'],
  at: RunDay,
  id: string,
  parts: readonly SparkPart[],
  signal: AbortSignal,
): Promise<void> {
  const { schema } = await requireSchema(converted, { ...at, source: { id } });
  const prefix = sourcePrefix({ ...at, source: id });
  const staged: StagedParts = { parts: parts.map(({ name }) => prefix + name), schema };
  // If Temporal has given up this attempt, no step takes its parts.
  signal.throwIfAborted();
  await converted.put(stagedPartsKey(stagedSparkPrefix(at.runId, id)), toJson(staged));
}

/** Ids of the sources that have a result, parts or error. */
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
  const results = await together(wanted, { signal, concurrency: SMALL_REQUESTS }, async (id) => {
    // Spark writes a result completely or not at all.
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
