import type {
  InstanceFleetConfig,
  InstanceGroupConfig,
  JobFlowInstancesConfig,
  RunJobFlowCommandInput,
  Tag,
} from '@aws-sdk/client-emr';
import type { EmrSettings, InstanceSettings } from '../config/settings.ts';
import {
  clusterName,
  DATASET_TAG,
  DATE_TAG,
  KEPT_TAG,
  LAKE_TAG,
  MANAGED_POLICIES_TAG,
  RUN_TAG,
  type ClusterName,
} from '../model/emr-names.ts';

/**
 * What RunJobFlow gets: nothing but the settings and the run's name, the same for each attempt. The cluster stays
 * without steps, since ours come later, and ends by itself when it has been idle for long.
 * @param where `logUri` ends with `/`; `lake` is what the sweep of another lake must leave alone; `shutDownUri` is the
 *   script that ends the cluster when all else has failed.
 */
export function clusterRequest(
  settings: EmrSettings,
  name: ClusterName,
  { logUri, lake, shutDownUri }: { logUri: string; lake: string; shutDownUri: string },
): RunJobFlowCommandInput {
  const { bootstrapActions, stepConcurrency, idleTimeoutMs } = settings;
  return {
    Name: clusterName(name),
    ReleaseLabel: settings.releaseLabel,
    Applications: settings.applications.map((Name) => ({ Name })),
    LogUri: logUri,
    ServiceRole: settings.serviceRole,
    JobFlowRole: settings.instanceProfile,
    Instances: instances(settings),
    Tags: tags(settings, name, lake),
    StepConcurrencyLevel: stepConcurrency,
    AutoTerminationPolicy: { IdleTimeout: idleSeconds(idleTimeoutMs) },
    BootstrapActions: [
      {
        Name: 'longhaul: shut down at the latest',
        ScriptBootstrapAction: { Path: shutDownUri, Args: [String(lifetimeMinutes(settings))] },
      },
      ...bootstrapActions.map(({ path, args }, index) => ({
        Name: `bootstrap ${index + 1}`,
        ScriptBootstrapAction: { Path: path, Args: args },
      })),
    ],
  };
}

/** All that a run of these settings pays for at once. */
export function instanceCount({ master, core, task }: EmrSettings): number {
  return master.count + core.count + task.count;
}

/** For a run that ends at its ceiling, so that the worker and not the switch ends its cluster. */
const LIFETIME_MARGIN_MINUTES = 15;

/** What a cluster lives at the most: all instance-hours that its run may use, and then for as long as it is kept. */
function lifetimeMinutes(settings: EmrSettings): number {
  const { maxInstanceHours, keepAliveMs = 0 } = settings;
  const run = (maxInstanceHours / instanceCount(settings)) * 60;
  return Math.ceil(run + keepAliveMs / 60_000) + LIFETIME_MARGIN_MINUTES;
}

/** Names of tags that are ours: EMR_TAGS may not change them. */
const OWN_TAGS = new Set([
  RUN_TAG,
  LAKE_TAG,
  KEPT_TAG,
  DATASET_TAG,
  DATE_TAG,
  MANAGED_POLICIES_TAG,
]);
/** EMR's bounds. */
const MIN_IDLE_SECONDS = 60;
const MAX_IDLE_SECONDS = 604_800;

function idleSeconds(idleTimeoutMs: number): number {
  return Math.min(MAX_IDLE_SECONDS, Math.max(MIN_IDLE_SECONDS, Math.round(idleTimeoutMs / 1000)));
}

function tags(
  settings: EmrSettings,
  { dataset, ingestDate, runId }: ClusterName,
  lake: string,
): Tag[] {
  const own = [
    { Key: RUN_TAG, Value: runId },
    { Key: LAKE_TAG, Value: lake },
    { Key: DATASET_TAG, Value: dataset },
    { Key: DATE_TAG, Value: ingestDate },
    { Key: MANAGED_POLICIES_TAG, Value: 'true' },
  ];
  const given = Object.entries(settings.tags).filter(([key]) => !OWN_TAGS.has(key));
  return [...own, ...given.map(([Key, Value]) => ({ Key, Value }))];
}

/** Groups, which every account knows; fleets where spot is wanted, since only these fall back to on-demand. */
function instances(settings: EmrSettings): JobFlowInstancesConfig {
  const { spot, subnetId } = settings;
  const common = { KeepJobFlowAliveWhenNoSteps: true, TerminationProtected: false };
  if (spot === 'none') {
    return {
      ...common,
      Ec2SubnetId: subnetId,
      InstanceGroups: rolesOf(settings).map(([role, { type, count }]): InstanceGroupConfig => ({
        Name: role.toLowerCase(),
        InstanceRole: role,
        InstanceType: type,
        InstanceCount: count,
        Market: 'ON_DEMAND',
      })),
    };
  }
  return {
    ...common,
    ...(subnetId === undefined ? {} : { Ec2SubnetIds: [subnetId] }),
    InstanceFleets: rolesOf(settings).map(([role, each]) =>
      role === 'MASTER' || (role === 'CORE' && spot === 'task')
        ? fleet(role, each)
        : spotFleet(role, each, settings.spotTimeoutMinutes),
    ),
  };
}

type Role = 'MASTER' | 'CORE' | 'TASK';

function rolesOf({ master, core, task }: EmrSettings): [Role, InstanceSettings][] {
  const roles: [Role, InstanceSettings][] = [
    ['MASTER', master],
    ['CORE', core],
    ['TASK', task],
  ];
  return roles.filter(([, { count }]) => count > 0);
}

function fleet(role: Role, { type, count }: InstanceSettings): InstanceFleetConfig {
  return {
    Name: role.toLowerCase(),
    InstanceFleetType: role,
    TargetOnDemandCapacity: count,
    InstanceTypeConfigs: [{ InstanceType: type, WeightedCapacity: 1 }],
  };
}

function spotFleet(
  role: Role,
  { type, count }: InstanceSettings,
  timeoutMinutes: number,
): InstanceFleetConfig {
  return {
    Name: role.toLowerCase(),
    InstanceFleetType: role,
    TargetSpotCapacity: count,
    InstanceTypeConfigs: [{ InstanceType: type, WeightedCapacity: 1 }],
    LaunchSpecifications: {
      SpotSpecification: {
        TimeoutDurationMinutes: timeoutMinutes,
        TimeoutAction: 'SWITCH_TO_ON_DEMAND',
        AllocationStrategy: 'capacity-optimized',
      },
    },
  };
}
