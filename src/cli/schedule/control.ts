import { ScheduleOverlapPolicy } from '@temporalio/client';
import { ingestDateAt, parseIngestDate } from '../../model/dates.ts';
import { LonghaulError } from '../../model/errors.ts';
import { assertDayHasCome, assertHasPastDays, isTooOld } from '../../model/ingest-day.ts';
import { print, type CliContext } from '../context.ts';
import { startOfDay } from '../due.ts';
import { withTemporal } from '../with-temporal.ts';
import { inputOf, scheduleNamed, type OnServer } from './server.ts';

interface Flags {
  note?: string;
  json?: boolean;
}

export async function pauseSchedule(
  context: CliContext,
  dataset: string,
  flags: Flags,
): Promise<void> {
  await withTemporal(context, { worker: false }, async ({ client }) => {
    const { handle } = await scheduleNamed(client, dataset);
    const note = flags.note ?? 'Paused by longhaul schedule pause.';
    await handle.pause(note);
    const value = { dataset, scheduleId: handle.scheduleId, paused: true, note };
    await print(context, flags, value, () => `Paused ${dataset}: ${note}`);
  });
}

export async function resumeSchedule(
  context: CliContext,
  dataset: string,
  flags: Flags,
): Promise<void> {
  await withTemporal(context, { worker: false }, async ({ client }) => {
    const { handle } = await scheduleNamed(client, dataset);
    const note = flags.note ?? 'Resumed by longhaul schedule resume.';
    await handle.unpause(note);
    const value = { dataset, scheduleId: handle.scheduleId, paused: false, note };
    await print(context, flags, value, () => `Resumed ${dataset}: ${note}`);
  });
}

/** As if it were due now. */
export async function triggerSchedule(
  context: CliContext,
  dataset: string,
  flags: Flags,
): Promise<void> {
  await withTemporal(context, { worker: false }, async ({ client }) => {
    const { handle, existing } = await scheduleNamed(client, dataset);
    await handle.trigger(ScheduleOverlapPolicy.ALLOW_ALL);
    const ingestDate: string = ingestDateAt(new Date(), timeZoneOf(existing));
    const value = { dataset, scheduleId: handle.scheduleId, triggered: true, ingestDate };
    await print(
      context,
      flags,
      value,
      () => `Triggered: longhaul show --follow ${dataset}/${ingestDate}`,
    );
  });
}

export interface BackfillFlags {
  from: string;
  to: string;
  json?: boolean;
}

/** The server starts what was due on these days, all at once; the workers' backfill slots take them in turn. */
const MAX_DAYS = 366;
const MS_PER_DAY = 86_400_000;

/** @throws LonghaulError BACKFILL_REFUSED, DATE_IN_FUTURE, USAGE, NAME_INVALID. */
export async function backfillSchedule(
  context: CliContext,
  dataset: string,
  { from, to, ...flags }: BackfillFlags,
): Promise<void> {
  const first = parseIngestDate(from);
  const last = parseIngestDate(to);
  const days = (Date.parse(last) - Date.parse(first)) / MS_PER_DAY + 1;
  if (days < 1) throw new LonghaulError('USAGE', `--from ${from} is after --to ${to}.`);
  if (days > MAX_DAYS) {
    throw new LonghaulError('USAGE', `${days} days at once; at most ${MAX_DAYS}.`);
  }
  await withTemporal(context, { worker: false }, async ({ client }) => {
    const { handle, existing } = await scheduleNamed(client, dataset);
    const now = new Date();
    const timeZone = timeZoneOf(existing);
    assertDayHasCome({ timeZone }, last, now);
    const start = startOfDay(first, timeZone);
    const { run, catchupMs = 0 } = inputOf(existing.description);
    if (run && isTooOld(start, now, catchupMs)) assertHasPastDays(run.dataset, first);
    const end = startOfDay(dayAfter(last), timeZone);
    await handle.backfill({
      // The server leaves the start out and takes the end in.
      start: new Date(start.getTime() - 1),
      end: new Date(Math.min(end.getTime() - 1, now.getTime())),
      // A run of a past day must not make the server skip today's.
      overlap: ScheduleOverlapPolicy.ALLOW_ALL,
    });
    const value = { dataset, scheduleId: handle.scheduleId, from: first, to: last, days };
    await print(
      context,
      flags,
      value,
      () =>
        `Backfilling ${days} day${days === 1 ? '' : 's'}: longhaul schedule list, longhaul runs`,
    );
  });
}

function timeZoneOf({ description }: OnServer): string {
  return inputOf(description).run?.dataset.timeZone ?? 'UTC';
}

function dayAfter(date: string): string {
  return new Date(Date.parse(date) + MS_PER_DAY).toISOString().slice(0, 10);
}
