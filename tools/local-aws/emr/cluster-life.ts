import type { RunJobFlowInput } from '@aws-sdk/client-emr';
import { setTimeout as delay } from 'node:timers/promises';
import { takeFault, takePlainFault } from './faults.ts';
import {
  endCluster,
  FOR_EVER_MS,
  isEnded,
  isOpen,
  pause,
  type Cluster,
  type Ending,
  type EmrContext,
} from './model.ts';
import { provision } from './provisioning.ts';
import type { Machine } from './runtime.ts';
import { runSteps } from './step-queue.ts';

/** A cluster from STARTING to TERMINATED. Never rejects, and always comes to its end, whatever its runtime does. */
export async function live(cluster: Cluster, context: EmrContext): Promise<void> {
  let machine: Machine | undefined;
  let shutDown: NodeJS.Timeout | undefined;
  try {
    await provision(cluster, context);
    machine = await bootstrap(cluster, context);
    const minutes = await machine.shutDownMinutes();
    if (minutes !== undefined) {
      const ms = Math.min(minutes * 60 * context.delays.secondMs, FOR_EVER_MS);
      shutDown = setTimeout(() => endCluster(cluster, MASTER_TERMINATED), ms);
    }
    if (isOpen(cluster)) {
      cluster.readyMs = context.now();
      await runSteps(cluster, machine, context);
    }
  } catch (error) {
    // An end that was asked for interrupts whatever is under way.
    endCluster(cluster, internalError(error));
  } finally {
    clearTimeout(shutDown);
    await terminate(cluster, machine, context);
  }
}

async function bootstrap(cluster: Cluster, context: EmrContext): Promise<Machine> {
  cluster.state = 'BOOTSTRAPPING';
  cluster.reason = { Message: 'Running bootstrap actions' };
  const hdfsBytes = takeFault(context.faults(), 'smallHdfs')?.bytes;
  const { signal } = cluster.abort;
  const { id: clusterId, request } = cluster;
  const sparkDefaults = sparkDefaultsOf(request);
  const wanted = { clusterId, logUri: request.LogUri, sparkDefaults, hdfsBytes, signal };
  const machine = await context.runtime.prepare(wanted);
  cluster.webHdfsUrl = machine.webHdfsUrl;
  try {
    await pause(context.delays.bootstrappingMs, cluster);
    await runBootstrapActions(cluster, machine, context);
  } catch (error) {
    endCluster(cluster, internalError(error));
  }
  return machine;
}

function sparkDefaultsOf({ Configurations: all = [] }: RunJobFlowInput): Record<string, string> {
  return all.find((each) => each.Classification === 'spark-defaults')?.Properties ?? {};
}

async function runBootstrapActions(
  cluster: Cluster,
  machine: Machine,
  context: EmrContext,
): Promise<void> {
  if (takePlainFault(context.faults(), 'bootstrapFailure')) {
    endCluster(cluster, bootstrapFailure(1));
    return;
  }
  for (const [index, action] of (cluster.request.BootstrapActions ?? []).entries()) {
    const code = await machine.bootstrap(action, index + 1, cluster.abort.signal);
    if (code !== 0) endCluster(cluster, bootstrapFailure(index + 1));
    if (!isOpen(cluster)) return;
  }
}

async function terminate(
  cluster: Cluster,
  machine: Machine | undefined,
  { delays, now }: EmrContext,
): Promise<void> {
  const ending = cluster.ending ?? internalError('its life ended');
  cluster.ending = ending;
  cluster.state = 'TERMINATING';
  cluster.reason = ending.reason;
  for (const step of cluster.steps) {
    if (isEnded(step)) continue;
    step.state = 'CANCELLED';
    step.reason = { Message: 'Job terminated' };
    step.endedMs = now();
  }
  await Promise.all(cluster.logs);
  await Promise.all([machine?.stop().catch(() => undefined), delay(delays.terminatingMs)]);
  cluster.webHdfsUrl = undefined;
  cluster.state = ending.state;
  cluster.endedMs = now();
}

function bootstrapFailure(index: number): Ending {
  const message = `On the master instance (${MASTER_INSTANCE}), bootstrap action ${index} returned a non-zero return code`;
  return {
    state: 'TERMINATED_WITH_ERRORS',
    reason: { Code: 'BOOTSTRAP_FAILURE', Message: message },
  };
}

const MASTER_TERMINATED: Ending = {
  state: 'TERMINATED_WITH_ERRORS',
  reason: { Code: 'INSTANCE_FAILURE', Message: 'The master node was terminated' },
};

/** There is but this machine. */
const MASTER_INSTANCE = 'i-00000000000000001';

function internalError(error: unknown): Ending {
  const text = error instanceof Error ? error.message : String(error);
  return {
    state: 'TERMINATED_WITH_ERRORS',
    reason: {
      Code: 'INTERNAL_ERROR',
      Message: `Failed to start the job flow due to an internal error: ${text}`,
    },
  };
}
