import type { Client } from '@temporalio/client';
import type { Config } from '../../config/load-config.ts';
import { exitCodeOf, LonghaulError } from '../../model/errors.ts';
import type { Target } from '../../model/run.ts';
import { scheduleIdOf } from '../../model/schedule.ts';
import { print, type CliContext } from '../context.ts';
import { nameFiles } from '../local-files.ts';
import { lakeTarget } from '../lake-target.ts';
import { changesText } from '../render/schedules.ts';
import { withTemporal } from '../with-temporal.ts';
import { desiredSchedules, lakeOf, type DesiredSchedule } from './desired.ts';
import { planOf, planOfUnwanted, type Asked, type Change } from './plan.ts';
import {
  create,
  inputOf,
  listScheduleIds,
  readSchedule,
  scheduleNamed,
  update,
  type OnServer,
} from './server.ts';

export interface ApplyFlags {
  dryRun?: boolean;
  force?: boolean;
  target?: Target;
  json?: boolean;
}

/** Makes the server's schedules equal to datasets.yaml: ours, and no other. */
export async function applySchedules(context: CliContext, flags: ApplyFlags): Promise<void> {
  const config = context.loadConfig();
  const target = lakeTarget(config.settings, flags.target);
  const dryRun = flags.dryRun ?? false;
  const asked = { force: flags.force ?? false, lake: lakeOf(config, target) };
  await withTemporal(context, { worker: false }, async ({ client, isEmbedded }) => {
    const wanted = desiredSchedules(config, target);
    // All is read before anything is changed: who may not read changes nothing by half.
    const plans = await plan(client, config, wanted, asked);
    if (!dryRun)
      await nameFiles(
        config.settings,
        wanted.map(({ dataset }) => dataset),
      );
    const changes: Change[] = [];
    for (const each of plans)
      changes.push(dryRun ? each.change : await carryOut(client, each, asked));
    await print(context, flags, { dryRun, changes }, () => changesText(changes, dryRun));
    if (isEmbedded && wanted.length > 0) {
      context.note('Schedules of the embedded server run while it runs: `longhaul up`.');
    }
    if (changes.some(({ action }) => action === 'left-alone')) {
      context.setExitCode(exitCodeOf('SCHEDULES_LEFT_ALONE'));
    }
  });
}

interface Plan {
  change: Change;
  wanted?: DesiredSchedule;
  existing?: OnServer | undefined;
}

async function plan(
  client: Client,
  config: Config,
  wanted: readonly DesiredSchedule[],
  asked: Asked,
): Promise<Plan[]> {
  const plans: Plan[] = [];
  for (const each of wanted) {
    const existing = await readSchedule(client, each.scheduleId);
    plans.push({ wanted: each, existing, change: planOf(each, existing, asked) });
  }
  const ids = new Set(wanted.map(({ scheduleId }) => scheduleId));
  for (const scheduleId of await listScheduleIds(client)) {
    const existing = ids.has(scheduleId) ? undefined : await readSchedule(client, scheduleId);
    if (!existing) continue;
    const change = planOfUnwanted(existing, whyUnwanted(existing, config, wanted), asked);
    if (change) plans.push({ existing, change });
  }
  return plans;
}

function whyUnwanted(
  existing: OnServer,
  { datasets }: Pick<Config, 'datasets'>,
  wanted: readonly DesiredSchedule[],
): string {
  const { dataset } = existing;
  if (datasets.some(({ name }) => name === dataset)) return 'datasets.yaml says schedule: false';
  const addresses = addressesOf(inputOf(existing.description).run?.dataset);
  const heir = wanted.find((each) => addresses !== '' && addressesOf(each.dataset) === addresses);
  const renamed = heir
    ? `; its sources are those of ${heir.dataset.name} now: what was published stays as ${dataset}`
    : '';
  return `no dataset ${dataset} is in datasets.yaml any more${renamed}`;
}

function addressesOf(dataset: { sources?: { address: string }[] } | undefined): string {
  return (dataset?.sources ?? []).map(({ address }) => address).join('\n');
}

/** Somebody who changes the same schedule at the same time is not overwritten unseen. */
const MAX_TRIES = 4;

async function carryOut(client: Client, first: Plan, asked: Asked): Promise<Change> {
  let { change, existing } = first;
  const { wanted } = first;
  for (let tries = 1; tries <= MAX_TRIES; tries += 1) {
    if (change.action === 'unchanged' || change.action === 'left-alone') return change;
    if (change.action === 'delete') {
      await client.schedule.getHandle(change.scheduleId).delete().catch(ignoreGone);
      return change;
    }
    if (!wanted) return change;
    const done = existing ? await update(client, wanted, existing) : await create(client, wanted);
    if (done) return change;
    existing = await readSchedule(client, wanted.scheduleId);
    change = planOf(wanted, existing, asked);
  }
  throw new LonghaulError(
    'SCHEDULE_CHANGED',
    `${change.scheduleId} was changed by somebody else ${MAX_TRIES} times while it was being changed.`,
  );
}

function ignoreGone(error: unknown): void {
  if ((error as Error).name !== 'ScheduleNotFoundError') throw error;
}

/** Deletes the schedule of a dataset; runs under way go on. @throws LonghaulError SCHEDULE_UNKNOWN. */
export async function removeSchedule(
  context: CliContext,
  dataset: string,
  flags: { json?: boolean },
): Promise<void> {
  const config = context.loadConfig();
  await withTemporal(context, { worker: false }, async ({ client }) => {
    const { handle } = await scheduleNamed(client, dataset);
    await handle.delete();
    const comesBack = config.schedules.has(dataset)
      ? ' The next apply makes it again, unless datasets.yaml says schedule: false.'
      : '';
    const value = { dataset, scheduleId: scheduleIdOf(dataset), removed: true };
    await print(context, flags, value, () => `Removed ${value.scheduleId}.${comesBack}`);
  });
}
