import {
  EMRClient,
  RunJobFlowCommand,
  type InstanceFleetConfig,
  type InstanceGroupConfig,
  type JobFlowInstancesConfig,
  type RunJobFlowCommandInput,
  type Tag,
} from '@aws-sdk/client-emr';
import type { EmrSettings } from '../config/settings.ts';
import {
  clusterName,
  DATASET_TAG,
  DATE_TAG,
  KEPT_TAG,
  LAKE_TAG,
  MANAGED_POLICIES_TAG,
  RUN_TAG,
  type ClusterName,
} from '../model/emr.ts';
import { readFile } from 'node:fs/promises';
import { LonghaulError } from '../model/errors.ts';

/**
 * The input of RunJobFlow, made only from the settings, the file of EMR_REQUEST and the run's name: each attempt sends
 * the same. The cluster starts without steps, because the run adds them later. It ends by itself after a long idle
 * time.
 * @param where `logUri` ends with `/`. `lake` goes into a tag, so that the sweep of another lake leaves the cluster
 *   alone. `shutDownUri` is the script that ends the cluster if nothing else did.
 */
export function clusterRequest(
  settings: EmrSettings,
  additions: RequestAdditions,
  name: ClusterName,
  { logUri, lake, shutDownUri }: { logUri: string; lake: string; shutDownUri: string },
): RunJobFlowCommandInput {
  const { Instances: given = {}, Tags, BootstrapActions = [], ...rest } = additions;
  const minutes = String(lifetimeMinutes(settings, additions));
  return {
    ReleaseLabel: settings.releaseLabel,
    Applications: ['Hadoop', 'Spark'].map((Name) => ({ Name })),
    LogUri: logUri,
    ServiceRole: settings.serviceRole,
    JobFlowRole: settings.instanceProfile,
    ...rest,
    Name: clusterName(name),
    Instances: instances(settings, given),
    Tags: tags(Tags ?? [], name, lake),
    AutoTerminationPolicy: { IdleTimeout: IDLE_TIMEOUT_SECONDS },
    BootstrapActions: [
      {
        Name: 'longhaul: shut down at the latest',
        ScriptBootstrapAction: { Path: shutDownUri, Args: [minutes] },
      },
      ...BootstrapActions,
    ],
  };
}

/** Idle time after which EMR ends a cluster. EMR counts it only while HDFS is less than 10 % full. */
const IDLE_TIMEOUT_SECONDS = 3600;

/** Most instances that a run pays for at once. A fleet counts its target units, a scaling group its maximum. */
export function instanceCount(settings: EmrSettings, additions: RequestAdditions): number {
  const asked = instances(settings, additions.Instances ?? {});
  const groups = (asked.InstanceGroups ?? []).map(mostOf);
  const fleets = (asked.InstanceFleets ?? []).map(unitsOf);
  const scaled = additions.ManagedScalingPolicy?.ComputeLimits?.MaximumCapacityUnits ?? 0;
  const sum = (counts: readonly number[]): number => counts.reduce((all, each) => all + each, 0);
  return Math.max(sum([...groups, ...fleets]), scaled === 0 ? 0 : scaled + 1);
}

function mostOf({ InstanceCount = 0, AutoScalingPolicy: scaling }: InstanceGroupConfig): number {
  return Math.max(InstanceCount, scaling?.Constraints?.MaxCapacity ?? 0);
}

function unitsOf(fleet: InstanceFleetConfig): number {
  return (fleet.TargetOnDemandCapacity ?? 0) + (fleet.TargetSpotCapacity ?? 0);
}

/** A run ends at its ceiling. Thanks to this margin the worker ends the cluster, and not the shutdown script. */
const LIFETIME_MARGIN_MINUTES = 15;

/** The longest life of a cluster: the time in which its run uses all its instance-hours, and then EMR_KEEP_ALIVE. */
function lifetimeMinutes(settings: EmrSettings, additions: RequestAdditions): number {
  const { maxInstanceHours, keepAliveMs = 0 } = settings;
  const run = (maxInstanceHours / instanceCount(settings, additions)) * 60;
  return Math.ceil(run + keepAliveMs / 60_000) + LIFETIME_MARGIN_MINUTES;
}

/** EMR_REQUEST cannot change the tags that Longhaul sets, now or later. */
function tags(
  given: readonly Tag[],
  { dataset, ingestDate, runId }: ClusterName,
  lake: string,
): Tag[] {
  const own = {
    [RUN_TAG]: runId,
    [LAKE_TAG]: lake,
    [DATASET_TAG]: dataset,
    [DATE_TAG]: ingestDate,
    [MANAGED_POLICIES_TAG]: 'true',
  };
  return [
    ...Object.entries(own).map(([Key, Value]) => ({ Key, Value })),
    ...given.filter(({ Key = '' }) => Key !== KEPT_TAG && !Object.hasOwn(own, Key)),
  ];
}

/** One master and core nodes, all on demand: HDFS on spot loses blocks. Groups or fleets of the file replace them. */
function instances(settings: EmrSettings, given: JobFlowInstancesConfig): JobFlowInstancesConfig {
  const { subnetId, instanceType: InstanceType, coreCount } = settings;
  const own = !given.InstanceGroups && !given.InstanceFleets;
  return {
    Ec2SubnetId: given.Ec2SubnetIds ? undefined : subnetId,
    InstanceGroups: own
      ? [
          group('MASTER', { InstanceType, InstanceCount: 1 }),
          group('CORE', { InstanceType, InstanceCount: coreCount }),
        ]
      : undefined,
    ...given,
    KeepJobFlowAliveWhenNoSteps: true,
    TerminationProtected: false,
  };
}

function group(
  role: 'MASTER' | 'CORE',
  size: Pick<InstanceGroupConfig, 'InstanceType' | 'InstanceCount'>,
): InstanceGroupConfig {
  return { Name: role.toLowerCase(), InstanceRole: role, Market: 'ON_DEMAND', ...size };
}

/** Members that the file of EMR_REQUEST adds to RunJobFlow or replaces in it. */
export type RequestAdditions = Partial<RunJobFlowCommandInput>;

/** Longhaul uses these members to find its clusters, to end them and to run their steps. */
const OURS = [
  ...['Name', 'Steps', 'AutoTerminationPolicy'],
  ...['Instances.KeepJobFlowAliveWhenNoSteps', 'Instances.TerminationProtected'],
];

/**
 * The members of RunJobFlow that the operator adds. There are none if EMR_REQUEST is not set.
 * @throws LonghaulError CONFIG_INVALID if the file is not a JSON object, has a member that the SDK's model of
 *   RunJobFlow does not have, or has a member that Longhaul sets.
 */
export async function requestAdditions({
  requestFile: path,
}: Pick<EmrSettings, 'requestFile'>): Promise<RequestAdditions> {
  if (path === undefined) return {};
  const given = parsed(await readFile(path, 'utf8').catch(cannotRead(path)), path);
  const members = membersOf(given);
  const ours = OURS.find((own) => members.some((each) => `${each}.`.startsWith(`${own}.`)));
  if (ours !== undefined) throw invalid(path, `Longhaul itself sets ${ours}.`);
  const known = new Set(membersOf(await serialized(given, path)));
  const unknown = members.find((member) => !known.has(member));
  if (unknown === undefined) return given;
  throw invalid(path, `RunJobFlow has no member ${unknown}.`);
}

function parsed(text: string, path: string): RequestAdditions {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw invalid(path, `It is not JSON (${(error as Error).message}).`);
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  throw invalid(path, 'It is not a JSON object.');
}

/** The path of every value, such as `Instances.InstanceGroups.0.Market`. */
function membersOf(value: unknown, path = ''): string[] {
  if (typeof value !== 'object' || value === null) return [path];
  return Object.entries(value).flatMap(([name, each]) =>
    membersOf(each, path === '' ? name : `${path}.${name}`),
  );
}

/** The body that the SDK would send. Its serializer leaves out members that it does not know. Nothing is sent. */
async function serialized(given: RequestAdditions, path: string): Promise<unknown> {
  let body = '{}';
  const client = new EMRClient({
    region: 'none',
    credentials: { accessKeyId: '-', secretAccessKey: '-' },
    maxAttempts: 1,
    requestHandler: {
      handle: async (request: { body: Uint8Array }) => {
        body = new TextDecoder().decode(request.body);
        return await Promise.reject(new NotSent());
      },
    },
  });
  try {
    const required = { Name: '', Instances: {} };
    await client.send(new RunJobFlowCommand({ ...required, ...given }));
  } catch (error) {
    if (!(error instanceof NotSent)) throw invalid(path, (error as Error).message);
  } finally {
    client.destroy();
  }
  return JSON.parse(body) as unknown;
}

class NotSent extends Error {}

function cannotRead(path: string): (error: Error) => never {
  return ({ message }) => {
    throw invalid(path, `It cannot be read (${message}).`);
  };
}

function invalid(path: string, why: string): LonghaulError {
  return new LonghaulError('CONFIG_INVALID', `The file of EMR_REQUEST, ${path}: ${why}`);
}
