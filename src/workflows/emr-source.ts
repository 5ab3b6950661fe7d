import { isCancellation, log, type ActivityOptions } from '@temporalio/workflow';
import type { EmrPlan, StagedJob, StepCommand } from '../activities/emr-types.ts';
import type { EmrStep, StepKind } from '../model/emr.ts';
import { attemptPrefix } from '../model/layout.ts';
import type { EmrInput, PreparedSource, SourceResult, TaskQueues } from '../model/run.ts';
import { activities } from './activities.ts';
import type { ClusterWatch } from './emr-cluster-watch.ts';
import { failRun, runError } from './failures.ts';
import * as policies from './policies.ts';

/** A step whose nodes went away is done again, so often in all; what fails for another reason is not. */
const MAX_STEP_ATTEMPTS = 3;

/** The state of one source over all clusters of the run: names of steps and folders are never used twice. */
export interface SourceState {
  jobs: number;
  steps: number;
}

export interface EmrSourceContext {
  input: EmrInput;
  plan: EmrPlan;
  watch: ClusterWatch;
  /** Sources that may be before this one in the cluster's queue, itself included. */
  queued: number;
}

/**
 * One source on a running cluster: its CSV to Parquet on HDFS, the rows counted there by a program that is not the writer, and the files
 * copied to S3, where the lake's own verification takes them over.
 */
export async function convertOnCluster(
  source: PreparedSource,
  state: SourceState,
  context: EmrSourceContext,
): Promise<SourceResult> {
  const { task, rawKey } = source;
  const { output } = context.plan;
  const call = caller(context);
  const job = await convert(source, state, context);
  const counted = { ...task, rawKey, attempt: state.jobs, clusterId: context.watch.cluster.id };
  const { hdfsFolder } = job;
  const what = `Rows of ${task.source.id} on HDFS against ${source.records} records`;
  const found = await call(policies.EMR_WORK, what).countOnHdfs({
    ...counted,
    hdfsFolder,
    isCountedByStep: false,
  });
  if (found.outcome === 'unreachable') {
    log.info('HDFS is not to be reached from this worker; a step counts', { why: found.why });
    await runStep('count', { script: 'count.py', args: found.args }, source, state, context);
    await call(policies.EMR_WORK, what).countOnHdfs({
      ...counted,
      hdfsFolder,
      isCountedByStep: true,
    });
  }
  if (output === 'hdfs') return await call(policies.EMR_CALL, what).resultOnHdfs(counted);
  const stagedPrefix = attemptPrefix(task.runId, task.source.id, state.jobs);
  const { from, to } = await call(policies.EMR_CALL, `Where ${task.source.id} goes`).planCopy({
    ...counted,
    hdfsFolder,
  });
  await runStep('copy', { from, to }, source, state, context);
  const copied = { ...task, rawKey, attempt: state.jobs, stagedPrefix };
  await call(policies.EMR_WORK, `Files of ${task.source.id} in S3`).stageCopiedParts(copied);
  const verify = call(
    policies.CONVERSION,
    `${task.source.id}: ${source.records} records against the rows in S3`,
  );
  return await verify.verifySource({ ...task, rawKey, stagedPrefix });
}

async function convert(
  source: PreparedSource,
  state: SourceState,
  context: EmrSourceContext,
): Promise<StagedJob> {
  const { task, rawKey, bytes, records } = source;
  const call = caller(context);
  for (let tries = 1; ; tries += 1) {
    state.jobs += 1;
    const summary = `${task.source.id}: ${records} records, ${(bytes / 1e6).toFixed(1)} MB, cut for Spark`;
    const staged = { ...task, rawKey, attempt: state.jobs };
    // It reads and writes as a conversion does, and shares its slots.
    const job = await call(policies.EMR_WORK, summary, 'convert').stageJob(staged);
    const command: StepCommand = { script: 'convert.py', args: ['--job', job.jobUri] };
    const isLast = tries >= MAX_STEP_ATTEMPTS;
    if (await tryStep('convert', command, { source, state, context, isLast })) return job;
  }
}

async function runStep(
  kind: StepKind,
  command: StepCommand,
  source: PreparedSource,
  state: SourceState,
  context: EmrSourceContext,
): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    const isLast = tries >= MAX_STEP_ATTEMPTS;
    if (await tryStep(kind, command, { source, state, context, isLast })) return;
  }
}

/**
 * Submits a step and waits for its end.
 * @returns false where its nodes went away, and it may be done again.
 * @throws ApplicationFailure EMR_STEP_…; ClusterTrouble.
 */
async function tryStep(
  kind: StepKind,
  command: StepCommand,
  how: {
    source: PreparedSource;
    state: SourceState;
    context: EmrSourceContext;
    isLast: boolean;
  },
): Promise<boolean> {
  const { source, state, context, isLast } = how;
  const { watch, plan, queued, input } = context;
  const { task } = source;
  const call = caller(context);
  const { cluster } = watch;
  state.steps += 1;
  const step = await call(policies.EMR_CALL, `${kind} of ${task.source.id}`).submitStep({
    clusterId: cluster.id,
    runId: input.runId,
    source: task.source.id,
    kind,
    attempt: state.steps,
    command,
  });
  const ended = await watch.end(
    { ...step, source: task.source.id, kind },
    plan.stepLimitMs,
    queued,
  );
  if (ended?.state === 'COMPLETED') return true;
  if (!ended) return await hang(step, kind, source, context);
  const explain = call(policies.EMR_CALL, `Why ${kind} of ${task.source.id} failed`);
  const failure = await explain.explainStep({
    ...task,
    cluster: watch.cluster,
    step: ended,
    kind,
    attempt: state.jobs,
  });
  if (failure.isLostNodes && !isLast) return false;
  const { code, message } = failure;
  const error = { ...runError(code, message), source: task.source.id };
  return failRun(failure.log ? { ...error, log: failure.log } : error);
}

/** It is ended, so that those after it are not kept waiting. */
async function hang(
  { id }: EmrStep,
  kind: StepKind,
  source: PreparedSource,
  context: EmrSourceContext,
): Promise<never> {
  const { watch, plan } = context;
  const { id: sourceId } = source.task.source;
  const call = caller(context);
  // As it hung: a poll may see what our own request makes of it.
  const state = watch.steps.get(id)?.state ?? 'PENDING';
  await call(policies.EMR_CALL, `${kind} of ${sourceId} hangs`)
    .cancelSteps({ clusterId: watch.cluster.id, stepIds: [id] })
    .catch((error: unknown) => {
      if (isCancellation(error)) throw error;
      log.warn('A step that hangs could not be cancelled', { error });
    });
  const minutes = Number((plan.stepLimitMs / MINUTE_MS).toFixed(2));
  const message = `The step ${id} (${kind} of ${sourceId}) has not ended after ${minutes} minutes; it is ${state}.`;
  return failRun({ ...runError('EMR_STEP_TIMED_OUT', message), source: sourceId });
}

const MINUTE_MS = 60_000;

function caller({ input: { heartbeatTimeoutMs } }: EmrSourceContext) {
  return (policy: ActivityOptions, summary: string, queue?: keyof TaskQueues) =>
    activities(policy, { queue, heartbeatTimeoutMs, summary });
}
