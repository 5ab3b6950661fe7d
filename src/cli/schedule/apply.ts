import {
  isGrpcServiceError,
  ScheduleAlreadyRunning,
  ScheduleNotFoundError,
  type Client,
} from '@temporalio/client';
import {
  encodeScheduleAction,
  encodeSchedulePolicies,
  encodeScheduleSpec,
  encodeScheduleState,
} from '@temporalio/client/lib/schedule-helpers.js';
import type { Config } from '../../config/load-config.ts';
import { LonghaulError } from '../../model/errors.ts';
import { nameFiles } from '../targets.ts';
import { inputOf, listScheduleIds, readSchedule, type ExistingSchedule } from './fingerprint.ts';
import {
  desiredSchedules,
  planOf,
  planOfUnwanted,
  type Change,
  type DesiredSchedule,
} from './plan.ts';

/** Makes the server's schedules equal to datasets.yaml: ours, and no other. */
export async function applySchedules(
  client: Client,
  config: Config,
  { queue, force, dryRun }: { queue: string; force: boolean; dryRun: boolean },
): Promise<Change[]> {
  const wanted = desiredSchedules(config, queue);
  // All is read before anything is changed: a user without the right to read changes nothing.
  const plans = await plan(client, config, wanted, force);
  if (dryRun) return plans.map(({ change }) => change);
  const datasets = wanted.map(({ dataset }) => dataset);
  await nameFiles(config.settings, datasets);
  const changes: Change[] = [];
  for (const each of plans) changes.push(await carryOut(client, each, force));
  return changes;
}

interface Plan {
  change: Change;
  wanted?: DesiredSchedule;
  existing?: ExistingSchedule;
}

async function plan(
  client: Client,
  config: Config,
  wanted: readonly DesiredSchedule[],
  force: boolean,
): Promise<Plan[]> {
  const plans: Plan[] = [];
  for (const each of wanted) {
    const existing = await readSchedule(client, each.scheduleId);
    plans.push({ wanted: each, existing, change: planOf(each, existing, force) });
  }
  const ids = new Set(wanted.map(({ scheduleId }) => scheduleId));
  for (const scheduleId of await listScheduleIds(client)) {
    const existing = ids.has(scheduleId) ? undefined : await readSchedule(client, scheduleId);
    if (!existing) continue;
    const change = planOfUnwanted(existing, whyUnwanted(existing, config, wanted), force);
    if (change) plans.push({ existing, change });
  }
  return plans;
}

function whyUnwanted(
  { dataset, description }: ExistingSchedule,
  { datasets }: Config,
  wanted: readonly DesiredSchedule[],
): string {
  if (datasets.some(({ name }) => name === dataset)) return 'datasets.yaml says schedule: false';
  const addresses = addressesOf(inputOf(description).run?.spec);
  const renamedTo = wanted.find(
    (each) => addresses !== '' && addressesOf(each.dataset) === addresses,
  );
  const renamed = renamedTo
    ? `; its sources are those of ${renamedTo.dataset.name} now: what was published stays as ${dataset}`
    : '';
  return `no dataset ${dataset} is in datasets.yaml any more${renamed}`;
}

function addressesOf(dataset: { sources?: { address: string }[] } | undefined): string {
  return (dataset?.sources ?? []).map(({ address }) => address).join('\n');
}

/** What another command changes in the same schedule at the same time is not overwritten unseen. */
const MAX_TRIES = 4;

async function carryOut(
  client: Client,
  { change: first, existing: found, wanted }: Plan,
  force: boolean,
): Promise<Change> {
  let [change, existing] = [first, found];
  for (let tries = 1; tries <= MAX_TRIES; tries += 1) {
    if (change.action === 'delete') {
      await client.schedule.getHandle(change.scheduleId).delete().catch(ignoreGone);
    }
    if (!wanted || (change.action !== 'create' && change.action !== 'update')) return change;
    const done = existing ? await update(client, wanted, existing) : await create(client, wanted);
    if (done) return change;
    existing = await readSchedule(client, wanted.scheduleId);
    change = planOf(wanted, existing, force);
  }
  throw new LonghaulError(
    'SCHEDULE_CHANGED',
    `${change.scheduleId} was changed by another user or command ${MAX_TRIES} times while it was being changed.`,
  );
}

function ignoreGone(error: unknown): void {
  if (!(error instanceof ScheduleNotFoundError)) throw error;
}

const PAUSED_NOTE = 'Paused by datasets.yaml.';

/** @returns false where there is one meanwhile. */
async function create(
  client: Client,
  { scheduleId, spec, policies, action, paused }: DesiredSchedule,
): Promise<boolean> {
  const note = paused ? PAUSED_NOTE : 'Made by longhaul schedule apply, from datasets.yaml.';
  try {
    await client.schedule.create({ scheduleId, spec, policies, action, state: { paused, note } });
    return true;
  } catch (error) {
    if (error instanceof ScheduleAlreadyRunning) return false;
    throw error;
  }
}

/** `grpc.status.FAILED_PRECONDITION`: the token is that of an older version. */
const FAILED_PRECONDITION = 9;

/** @returns false where the schedule is not the one any more that was described: the client's own update does not look. */
async function update(
  client: Client,
  { scheduleId, spec, policies, action, paused }: DesiredSchedule,
  { description, applied }: ExistingSchedule,
): Promise<boolean> {
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
      conflictToken: description.raw.conflictToken,
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
