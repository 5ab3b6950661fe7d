import { shownAddress } from '../model/addresses.ts';
import { isBatchEngine } from '../model/dataset.ts';
import type {
  LandedSource,
  PreparedSource,
  ProbedSource,
  RunMode,
  SourceResult,
  SourceStage,
  SourceTask,
  TaskQueues,
} from '../model/run.ts';
import { activities, type Policy } from './activities.ts';

export interface SequenceOptions {
  mode: RunMode;
  again: boolean;
  followed?: boolean | undefined;
  backfill?: boolean | undefined;
  heartbeatTimeoutMs: number;
  onStage: (stage: SourceStage) => void;
}

/** A source that is done, or one that a later job converts together with others. */
export type Sequence = { result: SourceResult } | { prepared: PreparedSource };

/** Takes one source from the publisher to verified Parquet: probe → land → inspect → convert → verify. */
export async function runSource(task: SourceTask, options: SequenceOptions): Promise<Sequence> {
  const { onStage, mode } = options;
  const { rawKey, ...result } =
    mode === 'convert' ? await findLanding(task, options) : await landIfNew(task, options);
  if (mode === 'land' || rawKey === undefined) return { result };

  const input = { ...task, rawKey };
  const { records, bytes } = result;
  const what = `${task.source.id}: ${records} records, ${megabytes(bytes)}`;
  onStage('inspect');
  const call = (step: string, summary: string) =>
    activity(options, 'CONVERSION', step, task, summary);
  const found = await call('inspect', `Types and encoding of ${what}`).inspectSource(input);
  onStage('convert');
  const prepared = { task, rawKey, records, bytes };
  if (isBatchEngine(task.engine)) return { prepared };
  const summary = `${what}, ${found.encoding} → Parquet by ${task.engine}, ${found.typedColumns} of ${found.columns} columns typed`;
  const { stagedPrefix } = await call('convert', summary).convertSource(input);
  return { result: await verify(prepared, stagedPrefix, options) };
}

/** Makes copies for Spark, if Spark needs any. @returns the bytes that Spark will read, and those of the copies. */
export async function stage(
  { task, rawKey, records, bytes }: PreparedSource,
  options: SequenceOptions,
) {
  const summary = `${task.source.id}: ${records} records, ${megabytes(bytes)}, cut for Spark`;
  const { stageSource } = activity(options, 'CONVERSION', 'stage', task, summary);
  return await stageSource({ ...task, rawKey });
}

export async function verify(
  { task, rawKey, records }: PreparedSource,
  stagedPrefix: string,
  options: SequenceOptions,
): Promise<SourceResult> {
  options.onStage('verify');
  const summary = `${task.source.id}: ${records} records against the rows of its Parquet files`;
  const { verifySource } = activity(options, 'CONVERSION', 'verify', task, summary);
  return await verifySource({ ...task, rawKey, stagedPrefix });
}

/** Verifies a source whose files stay on a cluster's HDFS. */
export async function verifyOnHdfs(
  { task, rawKey, records }: PreparedSource,
  options: SequenceOptions,
): Promise<SourceResult> {
  options.onStage('verify');
  const summary = `${task.source.id}: ${records} records against the rows counted on HDFS`;
  const call = activity(options, 'SHORT_CALL', 'verify', task, summary);
  return await call.verifyOnHdfs({ ...task, rawKey });
}

async function findLanding(task: SourceTask, options: SequenceOptions): Promise<LandedSource> {
  options.onStage('land');
  const find = activity(options, 'SHORT_CALL', 'find', task, `Landing of ${task.source.id}`);
  return await find.findLanding(task);
}

async function landIfNew(task: SourceTask, options: SequenceOptions): Promise<LandedSource> {
  const address = shownAddress(task.source.address);
  options.onStage('probe');
  const { again, followed } = options;
  const input = { ...task, again, followed };
  const probed = await activity(options, 'PROBE', 'probe', task, address).probeSource(input);
  if (probed.result) return probed.result;
  options.onStage('land');
  const land = activity(options, 'TRANSFER', 'land', task, `${address} (${sizeOf(probed)})`);
  return await land.landSource({ ...input, thenConverted: options.mode === 'ingest' });
}

function sizeOf({ totalBytes, totalRecords }: ProbedSource): string {
  if (totalBytes !== undefined) return megabytes(totalBytes);
  return totalRecords === undefined ? 'length unknown' : `${totalRecords} records`;
}

function activity(
  options: SequenceOptions,
  policy: Policy,
  step: string,
  task: SourceTask,
  summary: string,
) {
  const { heartbeatTimeoutMs, backfill } = options;
  const activityId = `${step}/${task.source.id}`;
  const call = { summary, heartbeatTimeoutMs, activityId };
  const queue = QUEUES[step];
  if (queue === undefined || !backfill) return activities(policy, { ...call, queue });
  return activities(policy, { ...call, queue: 'backfill', backfill });
}

/** Steps that are not in this table are short: they must not wait behind longer ones. */
const QUEUES: Readonly<Record<string, keyof TaskQueues>> = {
  probe: 'transfer',
  land: 'transfer',
  inspect: 'convert',
  stage: 'convert',
  convert: 'convert',
};

export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
