import type { Config } from '../config/load-config.ts';
import { newestRevisions } from '../lake/catalogue.ts';
import { ingestDateAt } from '../model/dates.ts';
import { exitCodeOf } from '../model/errors.ts';
import type { Target } from '../model/run.ts';
import { readSnapshot } from '../storage/manifests.ts';
import { openLake } from '../storage/open-lake.ts';
import type { Store } from '../storage/store.ts';
import { print, type CliContext } from './context.ts';
import { lastDue } from './due.ts';
import { lakeTarget } from './lake-target.ts';
import { statusText } from './render/status.ts';

export interface StatusFlags {
  /** Milliseconds. */
  grace: number;
  target?: Target;
  json?: boolean;
}

export interface DatasetStatus {
  dataset: string;
  /** IANA: times are shown in it. */
  timeZone: string;
  /** `unscheduled` and `paused` (both by datasets.yaml) are never late. */
  state: 'fresh' | 'late' | 'unscheduled' | 'paused';
  last?: {
    ingestDate: string;
    revision: number;
    /** ISO 8601, UTC. */
    publishedAt: string;
    ageMs: number;
    rows: number;
  };
  /** What its schedule says should be published by now; absent without a schedule. */
  due?: {
    ingestDate: string;
    /** The nominal time, ISO 8601, UTC. */
    at: string;
  };
  /** Published ingest dates that have not begun, which count for nothing here. */
  future?: string[];
}

/** How fresh each dataset of datasets.yaml is: from the lake and the file alone, whatever state Temporal is in. */
export async function showStatus(context: CliContext, flags: StatusFlags): Promise<void> {
  const config = context.loadConfig();
  const target = lakeTarget(config.settings, flags.target);
  const { converted } = await openLake(target, config.settings);
  const datasets = await statusOf(config, converted, { now: new Date(), graceMs: flags.grace });
  const late = datasets.filter(({ state }) => state === 'late').length;
  if (late > 0) context.setExitCode(exitCodeOf('SNAPSHOT_LATE'));
  await print(context, flags, { late, datasets }, () => statusText(datasets));
}

export async function statusOf(
  { datasets, schedules }: Pick<Config, 'datasets' | 'schedules'>,
  converted: Store,
  { now, graceMs }: { now: Date; graceMs: number },
): Promise<DatasetStatus[]> {
  const all: DatasetStatus[] = [];
  for (const { name, timeZone } of datasets) {
    const refs = await newestRevisions(converted, name);
    const today = ingestDateAt(now, timeZone);
    const ref = refs.findLast(({ ingestDate }) => ingestDate <= today);
    const future = refs.map(({ ingestDate }) => ingestDate).filter((date) => date > today);
    const last = ref && lastOf(await readSnapshot(converted, ref), now);
    const schedule = schedules.get(name);
    // A run that is due now has the grace to finish, and the jitter before that.
    const before = new Date(now.getTime() - graceMs - (schedule?.jitterMs ?? 0));
    const at = schedule && lastDue(schedule.recurrence, before);
    const due = at && { ingestDate: ingestDateAt(at, timeZone), at: at.toISOString() };
    const isBehind = due !== undefined && (!last || last.ingestDate < due.ingestDate);
    all.push({
      dataset: name,
      timeZone,
      state: !schedule ? 'unscheduled' : schedule.paused ? 'paused' : isBehind ? 'late' : 'fresh',
      last,
      due,
      ...(future.length > 0 && { future }),
    });
  }
  return all;
}

function lastOf(
  snapshot: Awaited<ReturnType<typeof readSnapshot>>,
  now: Date,
): NonNullable<DatasetStatus['last']> {
  const { ingestDate, revision, publishedAt, ledger } = snapshot;
  const ageMs = Math.max(0, now.getTime() - Date.parse(publishedAt));
  return { ingestDate, revision, publishedAt, ageMs, rows: ledger.rows };
}
