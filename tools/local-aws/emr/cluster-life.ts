import type { InstanceFleetConfig } from '@aws-sdk/client-emr';
import { takeFault } from '../faults.ts';
import {
  endCluster,
  endStep,
  FOR_EVER_MS,
  isEnded,
  isOpen,
  pause,
  type Cluster,
  type EmrContext,
} from './cluster.ts';
import { runSteps } from './step-queue.ts';

/** Runs a cluster from STARTING to TERMINATED. It never rejects and always ends, for any result of its runtime. */
export async function live(cluster: Cluster, context: EmrContext): Promise<void> {
  const { delays } = context;
  let shutDown: NodeJS.Timeout | undefined;
  try {
    await provision(cluster, context);
    await bootstrap(cluster, context);
    const minutes = await cluster.machine?.shutDownMinutes();
    if (minutes !== undefined) {
      const end = (): void =>
        endCluster(cluster, 'INSTANCE_FAILURE', 'The master node was terminated');
      shutDown = setTimeout(end, Math.min(minutes * 60 * delays.secondMs, FOR_EVER_MS));
    }
    if (isOpen(cluster)) {
      cluster.ready = new Date();
      await runSteps(cluster, context);
    }
  } catch (error) {
    // A requested end also interrupts the work in progress. It is set already, so this call then has no effect.
    const message = `Failed to start the job flow due to an internal error: ${String(error)}`;
    endCluster(cluster, 'INTERNAL_ERROR', message);
  } finally {
    clearTimeout(shutDown);
    await terminate(cluster);
  }
}

/** STARTING: applies the answers of EC2 and the network. Rejects if the cluster must end. */
async function provision(cluster: Cluster, context: EmrContext): Promise<void> {
  const { Ec2SubnetId: subnet, Ec2SubnetIds = [], ...instances } = cluster.request.Instances ?? {};
  await pause(context.delays.provisioningMs, cluster);
  // EMR accepts the request first and finds the fault later, when it asks EC2.
  for (const id of subnet === undefined ? Ec2SubnetIds : [subnet]) {
    const message = `The VPC/subnet configuration was invalid: The subnet ${id} does not exist.`;
    if (context.subnets?.includes(id) === false) endCluster(cluster, 'VALIDATION_ERROR', message);
  }
  const slow = takeFault(context.faults(), 'slowStart');
  if (slow) await pause(slow.ms, cluster);
  cluster.abort.signal.throwIfAborted();
  if (takeFault(context.faults(), 'noCapacity') !== undefined) {
    const type = instances.InstanceGroups?.[0]?.InstanceType ?? 'm5.xlarge';
    const why = `EC2 has insufficient capacity for instance type ${type} in the availability zone.`;
    endCluster(cluster, 'INSTANCE_FAILURE', `Insufficient capacity: ${why}`);
  }
  const spot = instances.InstanceFleets?.filter(({ TargetSpotCapacity: units = 0 }) => units > 0);
  const ungranted = spot?.length ? takeFault(context.faults(), 'spotNotGranted') : undefined;
  if (ungranted) await waitForSpot(cluster, spot ?? [], ungranted.ms);
  cluster.abort.signal.throwIfAborted();
}

/** The fleet's timeout is in minutes. Here it passes after `ms`. */
async function waitForSpot(
  cluster: Cluster,
  fleets: readonly InstanceFleetConfig[],
  ms: number,
): Promise<void> {
  await pause(ms, cluster);
  const isEnd = fleets.some(
    ({ LaunchSpecifications: launch }) =>
      launch?.SpotSpecification?.TimeoutAction === 'TERMINATE_CLUSTER',
  );
  const message =
    'Spot provisioning timed out before the target capacity of the instance fleet was fulfilled';
  if (isEnd) endCluster(cluster, 'INSTANCE_FLEET_TIMEOUT', message);
}

async function bootstrap(cluster: Cluster, { runtime, faults }: EmrContext): Promise<void> {
  cluster.state = 'BOOTSTRAPPING';
  cluster.reason = { Message: 'Running bootstrap actions' };
  cluster.machine = await runtime.prepare(cluster, takeFault(faults(), 'smallHdfs')?.bytes);
  const fail = (index: number): void => {
    const message = `On the master instance (${MASTER}), bootstrap action ${index} returned a non-zero return code`;
    endCluster(cluster, 'BOOTSTRAP_FAILURE', message);
  };
  if (takeFault(faults(), 'bootstrapFailure') !== undefined) fail(1);
  for (const [index, action] of (cluster.request.BootstrapActions ?? []).entries()) {
    if (!isOpen(cluster)) return;
    const code = await cluster.machine.bootstrap(action, index + 1, cluster.abort.signal);
    if (code !== 0) fail(index + 1);
  }
}

/** The cluster has one node only, this machine. */
export const MASTER = 'i-00000000000000001';

async function terminate(cluster: Cluster): Promise<void> {
  endCluster(cluster, 'INTERNAL_ERROR', 'Its life ended.');
  for (const step of cluster.steps) if (!isEnded(step)) endStep(step, 'CANCELLED');
  await Promise.all(cluster.logs);
  await cluster.machine?.stop().catch(() => undefined);
  cluster.machine = undefined;
  cluster.state = cluster.ending?.state ?? 'TERMINATED';
  cluster.ended = new Date();
}
