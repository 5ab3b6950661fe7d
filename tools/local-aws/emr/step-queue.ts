import type { ActionOnFailure } from '@aws-sdk/client-emr';
import { takeFault, takePlainFault } from './faults.ts';
import {
  endCluster,
  isEnded,
  isOpen,
  type CancelHow,
  type Cluster,
  type Ending,
  type Step,
  type EmrContext,
} from './model.ts';
import type { Machine, StepEnd } from './runtime.ts';

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
    for (const step of startable(cluster)) {
      const run = runStep(step, cluster, machine, context).finally(() => {
        running.delete(run);
        cluster.wake();
      });
      running.add(run);
    }
    showState(cluster);
    if (!isOpen(cluster)) break;
    await waitFor(woken, cluster, context.delays.secondMs);
  }
  for (const step of cluster.steps) step.cancel?.('TERMINATE_PROCESS');
  await Promise.all(running);
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

/** The idle timeout of a policy runs while the cluster waits, and starts anew with the policy. */
async function waitFor(woken: Promise<void>, cluster: Cluster, secondMs: number): Promise<void> {
  const { idleTimeout, state } = cluster;
  if (idleTimeout === undefined || state !== 'WAITING') {
    await woken;
    return;
  }
  const timer = setTimeout(() => endCluster(cluster, IDLE), idleTimeout * secondMs);
  try {
    await woken;
  } finally {
    clearTimeout(timer);
  }
}

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
    const hang = takePlainFault(faults(), 'hang');
    const name = step.config.Name ?? '';
    const run = await machine.start({ id: step.id, name, jar: Jar, args: Args, hang });
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
  }
  // A cluster that ends says itself what becomes of its steps.
  if (isOpen(cluster)) settle(step, cluster, end, now());
  else if (cluster.ending?.reason.Code === 'INSTANCE_FAILURE') interrupt(step, now());
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
