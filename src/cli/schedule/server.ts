import {
  ScheduleAlreadyRunning,
  ScheduleNotFoundError,
  type Client,
  type ScheduleDescription,
  type ScheduleHandle,
} from '@temporalio/client';
import {
  encodeScheduleAction,
  encodeSchedulePolicies,
  encodeScheduleSpec,
  encodeScheduleState,
} from '@temporalio/client/lib/schedule-helpers.js';
import { isGrpcServiceError } from '@temporalio/client';
import { LonghaulError } from '../../model/errors.ts';
import {
  datasetOfSchedule,
  scheduleIdOf,
  type AppliedSchedule,
  type ScheduledInput,
} from '../../model/schedule.ts';
import type { DesiredSchedule } from './desired.ts';
import { factsOf } from './facts.ts';
import type { ExistingSchedule } from './plan.ts';

/** With what only the server has: its notes, and the token that says which version this is. */
export interface OnServer extends ExistingSchedule {
  description: ScheduleDescription;
}

/** Undefined where there is none of that id. */
export async function readSchedule(
  client: Client,
  scheduleId: string,
): Promise<OnServer | undefined> {
  try {
    const description = await client.schedule.getHandle(scheduleId).describe();
    return {
      scheduleId,
      dataset: datasetOfSchedule(scheduleId) ?? scheduleId,
      facts: factsOf(description),
      paused: description.state.paused,
      applied: appliedOf(inputOf(description)),
      description,
    };
  } catch (error) {
    if (error instanceof ScheduleNotFoundError) return undefined;
    throw error;
  }
}

/** Of every schedule whose id is one of ours. The list may lag behind the schedules themselves by seconds. */
export async function listScheduleIds(client: Client): Promise<string[]> {
  const ids: string[] = [];
  for await (const { scheduleId } of client.schedule.list()) {
    if (datasetOfSchedule(scheduleId) !== undefined) ids.push(scheduleId);
  }
  return ids.toSorted();
}

/** @throws LonghaulError SCHEDULE_UNKNOWN. */
export async function scheduleNamed(
  client: Client,
  dataset: string,
): Promise<{ handle: ScheduleHandle; existing: OnServer }> {
  const scheduleId = scheduleIdOf(dataset);
  const existing = await readSchedule(client, scheduleId);
  if (existing) return { handle: client.schedule.getHandle(scheduleId), existing };
  throw new LonghaulError('SCHEDULE_UNKNOWN', `Temporal has no schedule ${scheduleId}.`);
}

export function inputOf({ action }: ScheduleDescription): Partial<ScheduledInput> {
  return (action.args?.[0] ?? {}) as Partial<ScheduledInput>;
}

/** @returns false where somebody else made one meanwhile. */
export async function create(client: Client, wanted: DesiredSchedule): Promise<boolean> {
  const { scheduleId, spec, policies, action, paused } = wanted;
  const note = paused ? PAUSED_NOTE : 'Made by longhaul schedule apply, from datasets.yaml.';
  try {
    await client.schedule.create({
      scheduleId,
      spec,
      policies,
      action,
      state: { paused, note },
    });
    return true;
  } catch (error) {
    if (error instanceof ScheduleAlreadyRunning) return false;
    throw error;
  }
}

/** @returns false where the schedule is not the one any more that was described. */
export async function update(
  client: Client,
  wanted: DesiredSchedule,
  { description, applied }: OnServer,
): Promise<boolean> {
  const { scheduleId, spec, policies, action, paused } = wanted;
  const { namespace, identity, dataConverter } = client.schedule.options;
  const converter = dataConverter as Parameters<typeof encodeScheduleAction>[0];
  // Only a change of the file's word, or --force, touches what a person or a failure paused.
  const state =
    paused === applied?.paused && !(paused && !description.state.paused)
      ? description.state
      : { paused, note: paused ? PAUSED_NOTE : 'Resumed by datasets.yaml.' };
  try {
    await client.workflowService.updateSchedule({
      namespace,
      identity,
      scheduleId,
      conflictToken: description.raw.conflictToken ?? null,
      requestId: crypto.randomUUID(),
      schedule: {
        spec: encodeScheduleSpec(spec),
        policies: encodeSchedulePolicies(policies),
        action: await encodeScheduleAction(converter, namespace, action, {}),
        state: encodeScheduleState(state),
      },
    });
    return true;
  } catch (error) {
    const status: number | undefined = isGrpcServiceError(error) ? error.code : undefined;
    if (status === FAILED_PRECONDITION) return false;
    throw error;
  }
}

const PAUSED_NOTE = 'Paused by datasets.yaml.';
/** `grpc.status.FAILED_PRECONDITION`: the token is that of an older version. */
const FAILED_PRECONDITION = 9;

function appliedOf({ applied }: Partial<ScheduledInput>): AppliedSchedule | undefined {
  return typeof applied?.hash === 'string' && typeof applied.lake === 'string'
    ? applied
    : undefined;
}
