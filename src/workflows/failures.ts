import { ApplicationFailure, TimeoutFailure } from '@temporalio/workflow';
import {
  hintOf,
  isErrorCode,
  isRetryable,
  LonghaulError,
  type ErrorCode,
} from '../model/errors.ts';
import {
  clusterLeftText,
  clusterFailure,
  type EmrProgress,
  type EmrCluster,
} from '../model/emr.ts';
import type { RunError } from '../model/run.ts';

/** The error that a user sees of a failed activity: the first detail of its application failure. */
export function toRunError(failure: unknown, source?: string): RunError {
  if (failure instanceof LonghaulError) return runError(failure.code, failure.message);
  for (let each = failure; each instanceof Error; each = each.cause) {
    if (each instanceof ApplicationFailure && isErrorCode(each.type)) {
      const detail = each.details?.[0] as RunError | undefined;
      return withSource(detail ?? runError(each.type, each.message), source);
    }
  }
  const cause = failure instanceof Error ? innermost(failure) : undefined;
  const code = cause instanceof TimeoutFailure ? 'WORKER_LOST' : 'INTERNAL';
  return withSource(runError(code, cause?.message ?? String(failure)), source);
}

export function runError(code: RunError['code'], message: string): RunError {
  return { code, message, hint: hintOf(code), retryable: isRetryable(code) };
}

/**
 * Workflows throw no other error: Temporal would retry the workflow task for ever. The Web UI shows only the message,
 * so the message includes the hint.
 */
export function failRun(error: RunError): never {
  throw ApplicationFailure.create({
    message: withHint(error),
    type: error.code,
    nonRetryable: true,
    details: [error],
  });
}

/** If the run left a cluster, its failure says so, because the cluster costs money. */
export function withClusterLeft(error: RunError, progress: EmrProgress | undefined): RunError {
  const left = progress ? clusterLeftText(progress) : '';
  return left === '' ? error : { ...error, message: `${error.message} ${left}` };
}

/** A run on another host has published the day. */
export function overtakenBy(runId: string, day: string, revision: number): RunError {
  const what = `Another run (${runId}) published ${day} as revision ${revision} while this one was under way.`;
  return runError('PUBLISHED_MEANWHILE', what);
}

const ARROW = ' → ';

/** If a failure passes through several workflows, it gives the hint once. */
function withHint({ message, hint }: RunError): string {
  return hint === '' ? message : `${message}${ARROW}${hint}`;
}

/** One error for a day that cannot be published: the only error, or all of them with a sentence each. */
export function incomplete(failed: RunError[], sourceCount: number): RunError {
  const [only] = failed;
  const rest = sourceCount - failed.length;
  const others = rest === 0 ? '' : ` The other ${rest} of ${sourceCount} sources are done.`;
  if (only && failed.length === 1) return { ...only, message: only.message + others };
  const each = failed.map((error) => `${error.source ?? '?'}: ${error.code}: ${error.message}`);
  return runError(
    'SOURCES_INCOMPLETE',
    `${failed.length} of ${sourceCount} sources failed. ${each.join(' ')}${others}`,
  );
}

function withSource(error: RunError, source: string | undefined): RunError {
  return source === undefined || error.source !== undefined ? error : { ...error, source };
}

function innermost(error: Error): Error {
  let each = error;
  while (each.cause instanceof Error) each = each.cause;
  return each;
}

/** A fault of the cluster or of the whole job, not of one source. It concerns all sources on the cluster. */
export class ClusterTrouble extends Error {
  override readonly name = 'ClusterTrouble';
  readonly error: RunError;

  constructor(code: ErrorCode, message: string, log?: RunError['log']) {
    super(message);
    this.error = { ...runError(code, message), ...(log ? { log } : {}) };
  }
}

export function clusterEnded(cluster: EmrCluster): ClusterTrouble {
  const { id, reasonCode, reason, logUri } = cluster;
  const why = [reasonCode, reason].filter((each) => each !== undefined).join(': ');
  const logs = logUri === undefined ? '' : ` Its logs: ${logUri}`;
  const message = `Cluster ${id} has ended (${why || 'no reason given'}).${logs}`;
  return new ClusterTrouble(clusterFailure(cluster), message);
}

export function tooExpensive(usedHours: number, maxHours: number): ClusterTrouble {
  const message = `The run has used ${usedHours.toFixed(1)} instance-hours on EMR; EMR_MAX_INSTANCE_HOURS is ${maxHours}.`;
  return new ClusterTrouble('EMR_TOO_EXPENSIVE', message);
}

export function startedLate({ id, state, reason }: EmrCluster, limitMs: number): ClusterTrouble {
  const last = `${state}${reason === undefined ? '' : `, "${reason}"`}`;
  const message = `Cluster ${id} is not ready after ${minutesText(limitMs)}; it is ${last}.`;
  return new ClusterTrouble('EMR_START_TIMED_OUT', message);
}

export function minutesText(ms: number): string {
  return `${Number((ms / MINUTE_MS).toFixed(2))} minutes`;
}

const MINUTE_MS = 60_000;
