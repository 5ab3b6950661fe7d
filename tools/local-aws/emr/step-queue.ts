import { setTimeout as delay } from 'node:timers/promises';
import { takeFault, type EmrFaults } from '../faults.ts';
import {
  endCluster,
  endStep,
  FOR_EVER_MS,
  isOpen,
  pause,
  type Cluster,
  type EmrContext,
  type ProgramEnd,
  type Step,
  type StepFault,
} from './cluster.ts';

/** RUNNING and WAITING: runs one step after the other until the cluster must end. */
export async function runSteps(cluster: Cluster, context: EmrContext): Promise<void> {
  while (isOpen(cluster)) {
    // The promise is made before the steps are read, so that no change is missed.
    const woken = new Promise<void>((resolve) => {
      cluster.wake = resolve;
    });
    const step = cluster.steps.find(({ state }) => state === 'PENDING');
    if (step) {
      cluster.state = 'RUNNING';
      cluster.reason = { Message: 'Running step' };
      await pause(context.delays.beforeStepMs, cluster).catch(() => undefined);
      // A client may have cancelled the step in the meantime.
      if (isOpen(cluster) && step.state === 'PENDING') await runStep(step, cluster, context);
    } else if (cluster.request.Instances?.KeepJobFlowAliveWhenNoSteps === true) {
      cluster.state = 'WAITING';
      cluster.reason = { Message: 'Cluster ready.' };
      await waitFor(woken, cluster, context);
    } else {
      endCluster(cluster, 'ALL_STEPS_COMPLETED', 'Steps completed', 'TERMINATED');
    }
  }
}

/**
 * Ends the cluster after the idle timeout of its policy. The timeout runs while the cluster waits, and starts anew with
 * a new policy. A cluster with more than a little data in its HDFS is not idle.
 */
async function waitFor(
  woken: Promise<void>,
  cluster: Cluster,
  { delays }: EmrContext,
): Promise<void> {
  let wasWoken = false;
  const end = async (): Promise<void> => {
    const isIdle = ((await cluster.machine?.hdfsUse()) ?? 0) < IDLE_HDFS_USE;
    const message = 'Cluster was idle for longer than its auto-termination policy allows';
    if (isIdle && !wasWoken) endCluster(cluster, 'USER_REQUEST', message, 'TERMINATED');
  };
  const { idleTimeout } = cluster;
  const timer = idleTimeout && setInterval(() => void end(), idleTimeout * delays.secondMs);
  await woken;
  wasWoken = true;
  clearInterval(timer);
}

/** EMR's guide names this share. */
const IDLE_HDFS_USE = 0.1;

async function runStep(step: Step, cluster: Cluster, context: EmrContext): Promise<void> {
  const faults = context.faults();
  step.state = 'RUNNING';
  step.started = new Date();
  const lost = takeFault(faults, 'spotLoss');
  const words = 'All slaves in the job flow were terminated due to Spot';
  const lose = (): void => endCluster(cluster, 'INSTANCE_FAILURE', words);
  const losing = lost && setTimeout(lose, lost.afterMs);
  const end = await endOf(step, cluster, faultOf(step, faults));
  clearTimeout(losing);
  cluster.logs.push(saveLogsLater(step, cluster, context));
  // When a cluster ends, its own end sets the state of its steps.
  if (isOpen(cluster)) settle(step, cluster, end);
  else if (cluster.ending?.reason.Code === 'INSTANCE_FAILURE') endStep(step, 'INTERRUPTED');
}

async function endOf(
  step: Step,
  { machine, abort }: Cluster,
  fault: StepFault | undefined,
): Promise<ProgramEnd> {
  try {
    const run = await machine?.start(step, fault);
    if (!run) return { isCompleted: false };
    step.cancel = () => run.cancel();
    abort.signal.addEventListener('abort', step.cancel);
    // The cancellation may have come while the program was being started.
    if (abort.signal.aborted || step.state === 'CANCEL_PENDING') run.cancel();
    return await run.ended;
  } catch (error) {
    return { isCompleted: false, message: String(error) };
  }
}

function faultOf({ config }: Step, faults: EmrFaults): StepFault | undefined {
  if (takeFault(faults, 'hang') !== undefined) return 'hang';
  const isCopy = config.HadoopJarStep?.Args?.[0] === 's3-dist-cp';
  return isCopy && takeFault(faults, 'copyFailure') !== undefined ? 'copyFailure' : undefined;
}

/** Saves the logs after a delay, or when the cluster must end. */
async function saveLogsLater(
  { id }: Step,
  { abort, machine }: Cluster,
  { delays, faults }: EmrContext,
): Promise<void> {
  const ms = takeFault(faults(), 'lateLogs') === undefined ? delays.logsMs : FOR_EVER_MS;
  await delay(ms, undefined, { signal: abort.signal }).catch(() => undefined);
  await machine?.saveLogs(id);
}

/** Asks a step to end. @returns false unless it is PENDING or RUNNING. */
export function cancelStep(step: Step): boolean {
  const { state } = step;
  if (state === 'PENDING') endStep(step, 'CANCELLED');
  if (state === 'RUNNING') {
    step.state = 'CANCEL_PENDING';
    step.cancel?.();
  }
  return state === 'PENDING' || state === 'RUNNING';
}

function settle(step: Step, cluster: Cluster, end: ProgramEnd): void {
  if (end.isCompleted) return endStep(step, 'COMPLETED');
  if (step.state === 'CANCEL_PENDING') return endStep(step, 'CANCELLED');
  endStep(step, 'FAILED');
  step.failure = { Reason: 'Unknown Error.', Message: end.message };
  if (step.config.ActionOnFailure !== 'CONTINUE')
    endCluster(cluster, 'STEP_FAILURE', 'Shut down as step failed');
}
