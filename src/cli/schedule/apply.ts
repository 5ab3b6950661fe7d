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
import { printable } from '../../model/names.ts';
import { nameFiles } from '../targets.ts';
import {
  desiredSchedules,
  differences,
  hashOf,
  inputOf,
  listScheduleIds,
  readSchedule,
  type DesiredSchedule,
  type Difference,
  type ExistingSchedule,
} from './fingerprint.ts';

/** Makes the server's schedules equal to datasets.yaml. Changes only schedules that `apply` made. */
export async function applySchedules(
  client: Client,
  config: Config,
  { queue, force, dryRun }: { queue: string; force: boolean; dryRun: boolean },
): Promise<Change[]> {
  const wanted = desiredSchedules(config, queue);
  // The command reads everything before it changes anything. So a user without the right to read changes nothing.
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

/** If another command changes the schedule at the same time, this one reads the schedule again before it writes. */
const MAX_TRIES = 4;

async function carryOut(
  client: Client,
  { change: first, existing: found, wanted }: Plan,
  force: boolean,
): Promise<Change> {
  let [change, existing] = [first, found];
  for (let tries = 1; tries <= MAX_TRIES; tries += 1) {
    if (change.action === 'delete') {
      await client.schedule
        .getHandle(change.scheduleId)
        .delete()
        .catch((error: unknown) => {
          if (!(error instanceof ScheduleNotFoundError)) throw error;
        });
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

const PAUSED_NOTE = 'Paused by datasets.yaml.';

/** @returns false if another command has created the schedule meanwhile. */
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

/** `grpc.status.FAILED_PRECONDITION`: the token is of an older version of the schedule. */
const FAILED_PRECONDITION = 9;

/** @returns false if the schedule has changed since it was described. The client's own update does not check that. */
async function update(
  client: Client,
  { scheduleId, spec, policies, action, paused }: DesiredSchedule,
  { description, applied }: ExistingSchedule,
): Promise<boolean> {
  const { namespace, identity, dataConverter } = client.schedule.options;
  const converter = dataConverter as Parameters<typeof encodeScheduleAction>[0];
  // If a user or a failure paused the schedule, only a change of `paused` in the file, or --force, changes that.
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

export interface Change {
  action: 'create' | 'update' | 'delete' | 'unchanged' | 'left-alone';
  dataset: string;
  scheduleId: string;
  /** Changes from the server's schedule to that of the file. */
  differences: Difference[];
  /** The reason of a deletion, or why a schedule is left alone. */
  reason?: string;
}

export function planOf(
  wanted: DesiredSchedule,
  existing: ExistingSchedule | undefined,
  force: boolean,
): Change {
  const { scheduleId, fingerprint, paused } = wanted;
  const at = { dataset: wanted.dataset.name, scheduleId };
  if (!existing) return { ...at, action: 'create', differences: differences({}, fingerprint) };
  const { applied } = existing;
  const found = differences(existing.fingerprint, fingerprint);
  if (!applied) {
    const reason = 'it was not made by `longhaul schedule apply`: rename or delete it';
    return { ...at, action: 'left-alone', differences: found, reason };
  }
  const resumed = paused && applied.paused && !existing.paused;
  if (paused !== applied.paused || (resumed && force)) {
    found.push({ fact: 'paused', from: String(existing.paused), to: String(paused) });
  }
  const reason =
    // If a user edited the schedule so that it equals the file, `apply` need not leave it alone.
    (found.length > 0 ? driftOf(existing) : undefined) ??
    (resumed ? 'it was resumed by hand; the file says paused' : undefined);
  if (reason !== undefined && !force) {
    return { ...at, action: 'left-alone', differences: found, reason };
  }
  const same = found.length === 0 && applied.hash === hashOf(fingerprint);
  return { ...at, action: same ? 'unchanged' : 'update', differences: found };
}

/** Plans the change of a schedule that the file does not want. Undefined if `apply` did not make the schedule. */
export function planOfUnwanted(
  existing: ExistingSchedule,
  why: string,
  force: boolean,
): Change | undefined {
  const { dataset, scheduleId, applied } = existing;
  if (!applied) return undefined;
  const drift = force ? undefined : driftOf(existing);
  const [action, reason] =
    drift === undefined
      ? (['delete', why] as const)
      : (['left-alone', `${why}, but ${drift}`] as const);
  return { action, dataset, scheduleId, differences: [], reason };
}

function driftOf({ applied, fingerprint }: ExistingSchedule): string | undefined {
  if (applied?.hash === hashOf(fingerprint)) return undefined;
  return 'it was changed since the last apply, in the Web UI perhaps';
}

export function changesText(changes: readonly Change[], dryRun: boolean): string {
  if (changes.length === 0) return 'No schedules: neither in datasets.yaml nor on the server.';
  const count = (action: Change['action']): number =>
    changes.filter((each) => each.action === action).length;
  const [to, d] = dryRun ? ['to ', ''] : ['', 'd'];
  const left = count('left-alone');
  const counts = [
    ...(['create', 'update', 'delete'] as const).map((each) => `${count(each)} ${to}${each}${d}`),
    `${count('unchanged')} unchanged`,
    ...(left > 0 ? [`${left} left alone (--force makes ours equal to the file)`] : []),
  ];
  const total = `${dryRun ? 'Dry run, nothing was changed: ' : ''}${counts.join(', ')}.`;
  return [...changes.flatMap((change) => changeLines(change)), '', total].join('\n');
}

const SIGNS = { create: '+', update: '~', delete: '-', unchanged: '=', 'left-alone': '!' } as const;

function changeLines({ action, dataset, differences, reason }: Change): string[] {
  const why = reason === undefined ? '' : `: ${printable(reason)}`;
  const line = `${SIGNS[action]} ${dataset}  ${action.replace('-', ' ')}${why}`;
  if (action === 'create') {
    const when = differences.filter(({ fact }) => ['when', 'time zone'].includes(fact));
    return [`${line}: ${when.map(({ to }) => printable(to)).join(' ')}`];
  }
  const shown = (text: string): string => (text === '' ? '(nothing)' : printable(text));
  return [
    line,
    ...differences.map(
      ({ fact, from, to }) => `    ${printable(fact)}: ${shown(from)} → ${shown(to)}`,
    ),
  ];
}
