import { setTimeout as delay } from 'node:timers/promises';
import type { ActionOnFailure } from '@aws-sdk/client-emr';
import { takeFault, takePlainFault, type EmrFaults } from './faults.ts';
import {
  endCluster,
  FOR_EVER_MS,
  isEnded,
  isOpen,
  pause,
  type CancelHow,
  type Cluster,
  type Ending,
  type Step,
  type EmrContext,
} from './model.ts';
import type { Machine, RunnableStep, StepEnd } from './runtime.ts';

/**
 * RUNNING and WAITING: steps in their order, as many at once as the cluster's concurrency has it, until the cluster is to
 * end. What ran is over when this ends.
 */
export async function runSteps(
  cluster: Cluster,
  machine: Machine,
  context: EmrContext,
): Promise<void> {
  const running = new Set<Promise<void>>();
  while (isOpen(cluster)) {
    const woken = nextWake(cluster);
    showState(cluster);
    if (startable(cluster).length > 0) await pauseBeforeStep(cluster, context);
    for (const step of isOpen(cluster) ? startable(cluster) : []) {
      const run = runStep(step, cluster, machine, context).finally(() => {
        running.delete(run);
        cluster.wake();
      });
      running.add(run);
    }
    if (isOpen(cluster)) await waitFor(woken, cluster, machine, context.delays.secondMs);
  }
  for (const step of cluster.steps) step.cancel?.('TERMINATE_PROCESS');
  await Promise.all(running);
}

/** Steps can be cancelled or added meanwhile. */
async function pauseBeforeStep(cluster: Cluster, { delays }: EmrContext): Promise<void> {
  await pause(delays.beforeStepMs, cluster).catch(() => undefined);
}

/** Asked for before the look at the steps, so that no change is missed. */
async function nextWake(cluster: Cluster): Promise<void> {
  await new Promise<void>((resolve) => {
    cluster.wake = resolve;
  });
}

function startable({ steps, stepConcurrency }: Cluster): Step[] {
  const busy = steps.filter(({ state }) => state === 'RUNNING' || state === 'CANCEL_PENDING');
  const pending = steps.filter(({ state }) => state === 'PENDING');
  return pending.slice(0, Math.max(0, stepConcurrency - busy.length));
}

/** RUNNING while a step is to be done, else WAITING, or the end of a cluster that is not to wait. */
function showState(cluster: Cluster): void {
  if (cluster.steps.some((step) => !isEnded(step))) {
    cluster.state = 'RUNNING';
    cluster.reason = { Message: 'Running step' };
  } else if (cluster.keepAlive) {
    cluster.state = 'WAITING';
    const after = cluster.steps.length > 0;
    cluster.reason = {
      Message: after ? 'Cluster ready after last step completed.' : 'Cluster ready to run steps.',
    };
  } else {
    endCluster(cluster, ALL_STEPS_COMPLETED);
  }
}

const ALL_STEPS_COMPLETED: Ending = {
  state: 'TERMINATED',
  reason: { Code: 'ALL_STEPS_COMPLETED', Message: 'Steps completed' },
};

/**
 * The idle timeout of a policy runs while the cluster waits, and starts anew with the policy. A cluster with more than a
 * little in its HDFS is not idle: it waits on.
 */
async function waitFor(
  woken: Promise<void>,
  cluster: Cluster,
  machine: Machine,
  secondMs: number,
): Promise<void> {
  const { idleTimeout, state } = cluster;
  if (idleTimeout === undefined || state !== 'WAITING') {
    await woken;
    return;
  }
  let wasWoken = false;
  const end = async (): Promise<void> => {
    const isIdle = (await machine.hdfsUse()) < IDLE_HDFS_USE;
    if (isIdle && !wasWoken) endCluster(cluster, IDLE);
  };
  const timer = setInterval(() => void end(), idleTimeout * secondMs);
  try {
    await woken;
  } finally {
    wasWoken = true;
    clearInterval(timer);
  }
}

/** As EMR's guide has it. */
const IDLE_HDFS_USE = 0.1;

const IDLE: Ending = {
  state: 'TERMINATED',
  reason: {
    Code: 'USER_REQUEST',
    Message: 'Cluster was idle for longer than its auto-termination policy allows',
  },
};

async function runStep(
  step: Step,
  cluster: Cluster,
  machine: Machine,
  context: EmrContext,
): Promise<void> {
  const { now, faults } = context;
  step.state = 'RUNNING';
  step.startedMs = now();
  const lost = takeFault(faults(), 'spotLoss');
  const losing = lost && setTimeout(() => endCluster(cluster, SPOT_LOST), lost.afterMs);
  let end: StepEnd;
  try {
    const { Jar = '', Args = [] } = step.config.HadoopJarStep ?? {};
    const fault = faultOf(Args, faults());
    const name = step.config.Name ?? '';
    const run = await machine.start({ id: step.id, name, jar: Jar, args: Args, fault });
    step.cancel = (how) => run.cancel(how);
    // It may have been asked for while the program was being started.
    if (!isOpen(cluster)) run.cancel('TERMINATE_PROCESS');
    else if (step.cancelAsked) run.cancel(step.cancelAsked);
    end = await run.ended;
  } catch (error) {
    end = { isCompleted: false, message: error instanceof Error ? error.message : String(error) };
  } finally {
    clearTimeout(losing);
    delete step.cancel;
    cluster.logs.push(saveLogsLater(step, cluster, machine, context));
  }
  // A cluster that ends says itself what becomes of its steps.
  if (isOpen(cluster)) settle(step, cluster, end, now());
  else if (cluster.ending?.reason.Code === 'INSTANCE_FAILURE') interrupt(step, now());
}

function faultOf([program]: readonly string[], faults: EmrFaults): RunnableStep['fault'] {
  if (takePlainFault(faults, 'hang')) return 'hang';
  const isCopy = program === 's3-dist-cp';
  return isCopy && takePlainFault(faults, 'copyFailure') ? 'copyFailure' : undefined;
}

/** At the latest when the cluster is to end. */
async function saveLogsLater(
  { id }: Step,
  { abort }: Cluster,
  machine: Machine,
  { delays, faults }: EmrContext,
): Promise<void> {
  const ms = takePlainFault(faults(), 'lateLogs') ? FOR_EVER_MS : delays.logsMs;
  await delay(ms, undefined, { signal: abort.signal }).catch(() => undefined);
  await machine.saveLogs(id);
}

const SPOT_LOST: Ending = {
  state: 'TERMINATED_WITH_ERRORS',
  reason: {
    Code: 'INSTANCE_FAILURE',
    Message: 'All slaves in the job flow were terminated due to Spot',
  },
};

/** Asks a step to end. @returns whether it could be asked: it is PENDING or RUNNING. */
export function cancelStep(step: Step, how: CancelHow, nowMs = Date.now()): boolean {
  if (step.state === 'PENDING') {
    step.state = 'CANCELLED';
    step.endedMs = nowMs;
    return true;
  }
  if (step.state !== 'RUNNING') return false;
  step.state = 'CANCEL_PENDING';
  step.cancelAsked = how;
  step.cancel?.(how);
  return true;
}

function interrupt(step: Step, nowMs: number): void {
  step.state = 'INTERRUPTED';
  step.reason = {};
  step.endedMs = nowMs;
}

function settle(step: Step, cluster: Cluster, end: StepEnd, nowMs: number): void {
  step.endedMs = nowMs;
  if (end.isCompleted) {
    step.state = 'COMPLETED';
  } else if (step.state === 'CANCEL_PENDING') {
    step.state = 'CANCELLED';
  } else {
    step.state = 'FAILED';
    step.failure = {
      Reason: 'Unknown Error.',
      Message: end.message,
      LogFile: end.logFile,
    };
    afterFailure(step.config.ActionOnFailure ?? 'TERMINATE_CLUSTER', cluster, nowMs);
  }
}

function afterFailure(action: ActionOnFailure, cluster: Cluster, nowMs: number): void {
  if (action === 'CONTINUE') return;
  for (const step of cluster.steps) {
    if (step.state === 'PENDING') cancelStep(step, 'SEND_INTERRUPT', nowMs);
  }
  if (action !== 'CANCEL_AND_WAIT') endCluster(cluster, STEP_FAILURE);
}

const STEP_FAILURE: Ending = {
  state: 'TERMINATED_WITH_ERRORS',
  reason: { Code: 'STEP_FAILURE', Message: 'Shut down as step failed' },
};
