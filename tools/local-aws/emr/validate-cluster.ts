import type { RunJobFlowInput, StepConfig } from '@aws-sdk/client-emr';
import { validation } from './api-error.ts';

/** What exists beyond the request; all that is not named exists. */
export interface EmrWorldFacts {
  /** Roles and instance profiles that exist; undefined: every name does. */
  roles?: readonly string[];
  /** Subnets that exist; undefined: every one does. */
  subnets?: readonly string[];
}

/** As the API reference has it for a cluster. */
export const MAX_STEPS = 256;
/** Seconds that an idle timeout may have. */
const IDLE_TIMEOUT = { least: 60, most: 604_800 };
const MAX_STEP_CONCURRENCY = 256;
const MAX_TAGS = 50;

/** @throws ApiError ValidationException as EMR refuses a cluster at once. */
export function validateCluster(request: RunJobFlowInput, facts: EmrWorldFacts): void {
  checkRelease(request);
  checkRoles(request, facts);
  checkInstances(request);
  const concurrency = request.StepConcurrencyLevel ?? 1;
  checkConcurrency(concurrency);
  checkSteps(request.Steps ?? [], concurrency);
  checkIdleTimeout(request.AutoTerminationPolicy?.IdleTimeout);
  checkTags(request.Tags ?? []);
  for (const action of request.BootstrapActions ?? []) {
    if (!action.ScriptBootstrapAction?.Path)
      throw validation('Bootstrap action script path is required.');
  }
}

/** Releases since EMR 5 that can run what this server runs; a label of that form that was never made passes. */
const RELEASE = /^emr-(?:[5-7]\.\d{1,2}\.\d|spark-8\.\d{1,2}\.\d)$/;

function checkRelease({ ReleaseLabel: label, AmiVersion: ami }: RunJobFlowInput): void {
  if (ami !== undefined && label !== undefined) {
    throw validation('Only one AMI version or release label may be specified.');
  }
  if (label === undefined) throw validation('The release label is required.');
  if (!RELEASE.test(label)) throw validation(`The supplied release label is invalid: ${label}.`);
}

function checkRoles(
  { ServiceRole: service, JobFlowRole: profile }: RunJobFlowInput,
  { roles }: EmrWorldFacts,
): void {
  if (!service) throw validation('ServiceRole is required for creating cluster.');
  if (!profile) throw validation('InstanceProfile is required for creating cluster.');
  if (roles && !roles.includes(nameOf(service))) throw validation(`${nameOf(service)} is invalid`);
  if (roles && !roles.includes(nameOf(profile)))
    throw validation(`Invalid InstanceProfile: ${nameOf(profile)}.`);
}

/** Of an ARN its name. */
function nameOf(role: string): string {
  return role.slice(role.lastIndexOf('/') + 1);
}

function checkInstances({ Instances: instances = {} }: RunJobFlowInput): void {
  const { InstanceGroups: groups, InstanceFleets: fleets, InstanceCount: count } = instances;
  const ways = [groups, fleets, instances.MasterInstanceType ?? count].filter(
    (way) => way !== undefined,
  );
  if (groups && fleets)
    throw validation('Instance groups and instance fleets cannot be specified together.');
  if (ways.length > 1) {
    throw validation(
      'Please configure instances using one and only one of the following: instance groups; instance fleets; instance count, master and slave instance type.',
    );
  }
  if (ways.length === 0)
    throw validation('Instances have to be configured: instance groups or instance fleets.');
  const masters = groups?.filter(({ InstanceRole }) => InstanceRole === 'MASTER').length;
  const masterFleets = fleets?.filter(
    ({ InstanceFleetType }) => InstanceFleetType === 'MASTER',
  ).length;
  if ((masters ?? masterFleets ?? 1) !== 1)
    throw validation('Exactly one master instance group or fleet is required.');
  if (groups?.some(({ InstanceCount = 0 }) => InstanceCount < 1)) {
    throw validation('Instance count must be greater than or equal to 1.');
  }
  const types = groups?.map(({ InstanceType = '' }) => InstanceType) ?? [];
  const badType = types.find((type) => !INSTANCE_TYPE.test(type));
  if (badType !== undefined) throw validation(`Instance type '${badType}' is not supported.`);
  const { Ec2SubnetId: subnet, Ec2SubnetIds: subnets = [] } = instances;
  if (subnet !== undefined && subnets.length > 0)
    throw validation('Only one of Ec2SubnetId and Ec2SubnetIds may be specified.');
  const bad = [subnet, ...subnets].find((id) => id !== undefined && !SUBNET.test(id));
  if (bad !== undefined) throw validation('The supplied ec2SubnetId is not valid.');
}

const INSTANCE_TYPE = /^[a-z][a-z0-9-]*\.\w+$/;
const SUBNET = /^subnet-[0-9a-f]{8,17}$/;

/** @throws ApiError ValidationException */
export function checkConcurrency(level: number): void {
  if (level < 1 || level > MAX_STEP_CONCURRENCY || !Number.isInteger(level)) {
    throw validation(`Step concurrency level must be between 1 and ${MAX_STEP_CONCURRENCY}.`);
  }
}

/** @throws ApiError ValidationException */
export function checkSteps(steps: readonly StepConfig[], concurrency: number): void {
  if (steps.length > MAX_STEPS) throw tooManySteps();
  for (const {
    Name: name = '',
    ActionOnFailure: action = 'TERMINATE_CLUSTER',
    HadoopJarStep: jar,
  } of steps) {
    if (name === '' || name.length > MAX_NAME_LENGTH)
      throw validation('Step name must have 1 to 256 characters.');
    if (!ACTIONS.has(action)) throw validation(`Invalid action on failure: ${action}.`);
    if (concurrency > 1 && action !== 'CONTINUE') {
      throw validation(
        `ActionOnFailure ${action} is not supported with a step concurrency level greater than 1.`,
      );
    }
    const long = (jar?.Args ?? []).some((argument) => argument.length > MAX_ARGUMENT_LENGTH);
    if (long) throw validation(`A step argument is longer than ${MAX_ARGUMENT_LENGTH} characters.`);
  }
}

const ACTIONS = new Set<string>([
  'TERMINATE_CLUSTER',
  'TERMINATE_JOB_FLOW',
  'CANCEL_AND_WAIT',
  'CONTINUE',
]);
/** Of every XmlStringMaxLen256. */
const MAX_NAME_LENGTH = 256;
/** Of an argument of a step: XmlString. */
const MAX_ARGUMENT_LENGTH = 10_280;

export function tooManySteps(): Error {
  return validation(`A maximum of ${MAX_STEPS} steps are allowed in each job flow.`);
}

/** @throws ApiError ValidationException */
export function checkIdleTimeout(seconds: number | undefined): void {
  if (seconds === undefined) return;
  const { least, most } = IDLE_TIMEOUT;
  if (seconds < least || seconds > most || !Number.isInteger(seconds)) {
    throw validation(`IdleTimeout must be between ${least} and ${most} seconds.`);
  }
}

/** @throws ApiError ValidationException */
export function checkTags(
  tags: readonly { Key?: string | undefined; Value?: string | undefined }[],
): void {
  if (tags.length > MAX_TAGS) throw validation(`A resource can have at most ${MAX_TAGS} tags.`);
  const bad = tags.find(
    ({ Key = '', Value = '' }) => Key === '' || Key.length > 128 || Value.length > 256,
  );
  if (bad) throw validation(`Invalid tag key or value: ${JSON.stringify(bad.Key ?? '')}.`);
}
