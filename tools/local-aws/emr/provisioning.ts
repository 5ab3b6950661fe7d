import type { InstanceFleetConfig } from '@aws-sdk/client-emr';
import { takeFault, takePlainFault } from './faults.ts';
import {
  endCluster,
  FOR_EVER_MS,
  pause,
  type Cluster,
  type Ending,
  type EmrContext,
} from './model.ts';

/** STARTING: what EC2 and the network have to say. Rejects where the cluster is to end. */
export async function provision(
  cluster: Cluster,
  { delays, faults, account }: EmrContext,
): Promise<void> {
  cluster.reason = { Message: 'Provisioning Amazon EC2 capacity' };
  await pause(delays.provisioningMs, cluster);
  const unknownSubnet = subnetsOf(cluster).find((id) => !(account.subnets?.includes(id) ?? true));
  if (unknownSubnet !== undefined) endCluster(cluster, noSuchSubnet(unknownSubnet));
  const slow = takeFault(faults(), 'slowStart');
  if (slow) await pause(slow.ms, cluster);
  cluster.abort.signal.throwIfAborted();
  if (takePlainFault(faults(), 'noCapacity')) endCluster(cluster, noCapacity(cluster));
  const ungranted = isSpot(cluster) ? takeFault(faults(), 'spotNotGranted') : undefined;
  if (ungranted) await waitForSpot(cluster, ungranted.ms);
  cluster.abort.signal.throwIfAborted();
}

/** The fleet's timeout is in minutes; here it has passed after `ms`. Groups have none, and wait for ever. */
async function waitForSpot(cluster: Cluster, ms: number): Promise<void> {
  await pause(ms, cluster);
  const actions = new Set(
    fleetsOf(cluster)
      .filter(({ TargetSpotCapacity = 0 }) => TargetSpotCapacity > 0)
      .map(({ LaunchSpecifications: launch }) => launch?.SpotSpecification?.TimeoutAction),
  );
  if (actions.has('TERMINATE_CLUSTER')) {
    endCluster(cluster, FLEET_TIMEOUT);
  } else if (!actions.has('SWITCH_TO_ON_DEMAND')) {
    await pause(FOR_EVER_MS, cluster);
  }
}

function isSpot(cluster: Cluster): boolean {
  const groups = cluster.request.Instances?.InstanceGroups ?? [];
  const isSpotFleet = fleetsOf(cluster).some(
    ({ TargetSpotCapacity = 0 }) => TargetSpotCapacity > 0,
  );
  return isSpotFleet || groups.some(({ Market }) => Market === 'SPOT');
}

function subnetsOf({ request: { Instances: instances = {} } }: Cluster): string[] {
  const { Ec2SubnetId: subnet, Ec2SubnetIds: subnets = [] } = instances;
  return subnet === undefined ? subnets : [subnet];
}

/** EMR takes the request, and finds out when it asks EC2. */
function noSuchSubnet(subnet: string): Ending {
  const message =
    'The VPC/subnet configuration was invalid: The subnet configuration was invalid: ' +
    `The subnet ${subnet} does not exist.`;
  return {
    state: 'TERMINATED_WITH_ERRORS',
    reason: { Code: 'VALIDATION_ERROR', Message: message },
  };
}

function fleetsOf(cluster: Cluster): InstanceFleetConfig[] {
  return cluster.request.Instances?.InstanceFleets ?? [];
}

const FLEET_TIMEOUT: Ending = {
  state: 'TERMINATED_WITH_ERRORS',
  reason: {
    Code: 'INSTANCE_FLEET_TIMEOUT',
    Message:
      'Spot provisioning timed out before the target capacity of the instance fleet was fulfilled',
  },
};

function noCapacity(cluster: Cluster): Ending {
  const { Instances: instances } = cluster.request;
  const type =
    instances?.InstanceGroups?.[0]?.InstanceType ??
    fleetsOf(cluster)[0]?.InstanceTypeConfigs?.[0]?.InstanceType ??
    instances?.MasterInstanceType ??
    'm5.xlarge';
  const message = `Insufficient capacity: EC2 has insufficient capacity for instance type ${type} in the availability zone.`;
  return {
    state: 'TERMINATED_WITH_ERRORS',
    reason: { Code: 'INSTANCE_FAILURE', Message: message },
  };
}
