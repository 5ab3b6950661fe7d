import type { RunJobFlowInput, StepConfig } from '@aws-sdk/client-emr';
import { validation } from '../aws-api.ts';

/** Most steps that may be PENDING or RUNNING at once on a cluster. */
const MAX_OPEN_STEPS = 256;
/** Bounds of an idle timeout, in seconds. */
const IDLE_TIMEOUT = { least: 60, most: 604_800 };
/** Releases since EMR 5 that this server can run. A label of this form passes even if AWS never made the release. */
const RELEASE = /^emr-(?:[5-7]\.\d{1,2}\.\d|spark-8\.\d{1,2}\.\d)$/;
const INSTANCE_TYPE = /^[a-z][a-z0-9-]*\.\w+$/;
const SUBNET = /^subnet-[0-9a-f]{8,17}$/;
/** Longest text of the API's type XmlStringMaxLen256. */
const MAX_NAME_LENGTH = 256;
/** Longest argument of a step, of the API's type XmlString. */
const MAX_ARGUMENT_LENGTH = 10_280;

/**
 * Checks values that settings of Longhaul can get wrong.
 * @param roles roles and instance profiles that exist. If undefined, all names exist.
 * @throws ApiError ValidationException, with which EMR refuses a cluster at once.
 */
export function validateCluster(request: RunJobFlowInput, roles?: readonly string[]): void {
  const { ReleaseLabel: label = '', ServiceRole: service, JobFlowRole: profile } = request;
  assert(RELEASE.test(label), `The supplied release label is invalid: ${label}.`);
  assert(service, 'ServiceRole is required for creating cluster.');
  assert(profile, 'InstanceProfile is required for creating cluster.');
  // Of an ARN, only the name at its end counts.
  const nameOf = (role: string): string => role.slice(role.lastIndexOf('/') + 1);
  const isThere = (role: string): boolean => !roles || roles.includes(nameOf(role));
  assert(isThere(service), `${nameOf(service)} is invalid`);
  assert(isThere(profile), `Invalid InstanceProfile: ${nameOf(profile)}.`);
  checkInstances(request);
  checkSteps(request.Steps ?? []);
  checkIdleTimeout(request.AutoTerminationPolicy?.IdleTimeout);
}

function assert(isTrue: unknown, message: string): asserts isTrue {
  if (!isTrue) throw validation(message);
}

function checkInstances({ Instances: instances = {} }: RunJobFlowInput): void {
  const { InstanceGroups: groups = [], InstanceFleets: fleets = [] } = instances;
  const isMixed = groups.length > 0 && fleets.length > 0;
  assert(!isMixed, 'Instance groups and instance fleets cannot be specified together.');
  for (const { InstanceCount: count = 0, InstanceType: type = '' } of groups) {
    assert(count > 0, 'Instance count must be greater than or equal to 1.');
    assert(INSTANCE_TYPE.test(type), `Instance type '${type}' is not supported.`);
  }
  const { Ec2SubnetId: subnet, Ec2SubnetIds: subnets = [] } = instances;
  const isSubnet = [subnet ?? [], subnets].flat().every((id) => SUBNET.test(id));
  assert(isSubnet, 'The supplied ec2SubnetId is not valid.');
}

/** @throws ApiError ValidationException */
export function checkSteps(steps: readonly StepConfig[], open = 0): void {
  const isWithin = open + steps.length <= MAX_OPEN_STEPS;
  assert(isWithin, `A maximum of ${MAX_OPEN_STEPS} steps are allowed in each job flow.`);
  for (const { Name: name = '', ActionOnFailure: action, HadoopJarStep: jar } of steps) {
    // EMR supports this action. This server does not.
    assert(action !== 'CANCEL_AND_WAIT', `ActionOnFailure ${action} is not supported.`);
    const isNamed = name !== '' && name.length <= MAX_NAME_LENGTH;
    assert(isNamed, 'Step name must have 1 to 256 characters.');
    const isShort = (jar?.Args ?? []).every(({ length }) => length <= MAX_ARGUMENT_LENGTH);
    assert(isShort, `A step argument is longer than ${MAX_ARGUMENT_LENGTH} characters.`);
  }
}

/** @throws ApiError ValidationException */
export function checkIdleTimeout(seconds: number | undefined): void {
  const { least, most } = IDLE_TIMEOUT;
  const isWithin = seconds === undefined || (seconds >= least && seconds <= most);
  assert(isWithin, `IdleTimeout must be between ${least} and ${most} seconds.`);
}
