import {
  ActivityCancellationType,
  proxyActivities,
  type ActivityOptions,
} from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';
import type { LandResult, StepQueues } from '../activities/types.ts';
import { shownAddress } from '../model/addresses.ts';
import type {
  PreparedSource,
  RunMode,
  SourceResult,
  SourceStage,
  SourceTask,
} from '../model/run.ts';
import * as policies from './policies.ts';

export interface SequenceOptions {
  mode: RunMode;
  again: boolean;
  followed?: boolean | undefined;
  hostQueue: string;
  stepQueues: StepQueues;
  heartbeatTimeoutMs: number;
  hostWaitMs: number;
  onStage: (stage: SourceStage) => void;
}

/** A source that is done, or, of the engine `emr`, one that waits for a cluster. */
export type Sequence = { result: SourceResult } | { prepared: PreparedSource };

/** One source on its way from the publisher to verified Parquet: probe → land → inspect → convert → verify. */
export async function runSource(task: SourceTask, options: SequenceOptions): Promise<Sequence> {
  const { onStage, mode } = options;
  const landed =
    mode === 'convert' ? await findLanding(task, options) : await landIfNew(task, options);
  if ('result' in landed) return landed;
  const { landing } = landed;
  if (mode === 'land') return { result: landedResult(task, landing) };

  const input = { ...task, rawKey: landing.rawKey };
  const what = `${task.source.id}: ${landing.records} records, ${megabytes(landing.bytes)}`;
  onStage('inspect');
  const inspect = activity(
    options,
    policies.CONVERSION,
    'inspect',
    task,
    `Types and encoding of ${what}`,
  );
  const found = await inspect.inspectSource(input);
  onStage('convert');
  if (task.engine === 'emr') {
    const { rawKey, records, bytes } = landing;
    return { prepared: { task, rawKey, records, bytes } };
  }
  const summary = `${what}, ${found.encoding} → Parquet by ${task.engine}, ${found.typedColumns} of ${found.columns} columns typed`;
  const converted = await activity(
    options,
    policies.CONVERSION,
    'convert',
    task,
    summary,
  ).convertSource(input);
  onStage('verify');
  const counted = `${landing.records} records against the rows of ${converted.parts} Parquet file${converted.parts === 1 ? '' : 's'}`;
  const verify = activity(
    options,
    policies.CONVERSION,
    'verify',
    task,
    `${task.source.id}: ${counted}`,
  );
  const { stagedPrefix } = converted;
  return { result: await verify.verifySource({ ...input, stagedPrefix }) };
}

type Landed = { landing: LandResult } | { result: SourceResult };

async function findLanding(task: SourceTask, options: SequenceOptions): Promise<Landed> {
  options.onStage('land');
  const find = activity(options, policies.SHORT_CALL, 'find', task, `Landing of ${task.source.id}`);
  return { landing: await find.findLanding(task) };
}

async function landIfNew(task: SourceTask, options: SequenceOptions): Promise<Landed> {
  const address = shownAddress(task.source.address);
  options.onStage('probe');
  const { again, followed } = options;
  const input = { ...task, again, followed };
  const probed = await activity(options, policies.PROBE, 'probe', task, address).probeSource(input);
  if (probed.outcome === 'unchanged' || probed.outcome === 'finished')
    return { result: probed.result };
  if (probed.outcome === 'landed') return { landing: probed.landing };
  options.onStage('land');
  const size = probed.totalBytes === undefined ? 'length unknown' : megabytes(probed.totalBytes);
  const land = activity(options, policies.TRANSFER, 'land', task, `${address} (${size})`);
  const landing = await land.landSource({ ...input, thenConverted: options.mode === 'ingest' });
  return landing.unchanged ? { result: landing.unchanged } : { landing };
}

/** Static summaries are cut by the server at 200 bytes. */
const MAX_SUMMARY_LENGTH = 150;

function activity(
  options: SequenceOptions,
  policy: ActivityOptions,
  step: string,
  task: SourceTask,
  summary: string,
) {
  return proxyActivities<Activities>({
    ...policy,
    taskQueue: queueOf(step, options),
    heartbeatTimeout: options.heartbeatTimeoutMs,
    scheduleToStartTimeout: options.hostWaitMs,
    // The attempt must have stopped before anything is cleaned up behind it.
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    activityId: `${step}/${task.source.id}`,
    summary: summary.slice(0, MAX_SUMMARY_LENGTH),
  });
}

/** Steps that are not here are short, and must not wait behind those that are. */
const KINDS: Readonly<Record<string, keyof StepQueues>> = {
  probe: 'transfer',
  land: 'transfer',
  inspect: 'convert',
  convert: 'convert',
};

function queueOf(step: string, { hostQueue, stepQueues }: SequenceOptions): string {
  const kind = KINDS[step];
  return kind === undefined ? hostQueue : stepQueues[kind];
}

function landedResult(task: SourceTask, landing: LandResult): SourceResult {
  return {
    id: task.source.id,
    url: shownAddress(task.source.address),
    status: 'landed',
    bytes: landing.bytes,
    records: landing.records,
    rows: 0,
    rejected: 0,
    checksum: landing.checksum,
    raw: landing.raw,
    parquet: [],
  };
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
