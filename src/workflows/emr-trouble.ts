import { clusterFailure, type EmrCluster } from '../model/emr.ts';
import type { ErrorCode } from '../model/errors.ts';
import type { RunError } from '../model/run.ts';
import { runError } from './failures.ts';

/** The cluster or the job as a whole, not a source, is what is wrong: it concerns all that is on it. */
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
