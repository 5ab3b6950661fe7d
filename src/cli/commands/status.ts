import { countText } from '../../model/texts.ts';
import { Command } from 'commander';
import type { Config } from '../../config/load-config.ts';
import { newestOfEachDay } from '../../lake/catalogue.ts';
import { ingestDateAt } from '../../model/dates.ts';
import { exitCodeOf } from '../../model/errors.ts';
import { revisionText, type Tombstone } from '../../model/manifest.ts';
import {
  listRevisions,
  readSnapshot,
  readTombstone,
  type RevisionRef,
} from '../../storage/manifests.ts';
import { openLake } from '../../storage/open-lake.ts';
import type { Store } from '../../storage/store.ts';
import { ageOption, examples, print, type CliContext, type Flags } from '../command.ts';
import { lastDue } from '../due.ts';
import { durationText, momentText, snapshotText, tableText, unpublishedText } from '../text.ts';

export function statusCommand(context: CliContext): Command {
  const command = new Command('status')
    .summary('how fresh each dataset is; for monitors')
    .description(
      "Shows each dataset's last published snapshot and its age against its schedule. Exit code 8 where one is " +
        'late: what was due longer ago than the grace is not published. Reads datasets.yaml and the lake only, so ' +
        'it works also where Temporal is down.',
    )
    .addOption(
      // A run of large files takes a while, and Temporal retries steps that fail.
      ageOption(
        '--grace <age>',
        'how long a run may take before it is late: 90m, 3h, 1d; or 0',
        '3h',
      ),
    )
    .action(async (flags: Flags & { grace: number }) => {
      const config = context.loadConfig();
      const { converted } = await openLake(config.settings);
      const datasets = await statusOf(config, converted, { now: new Date(), graceMs: flags.grace });
      const late = datasets.filter(({ state }) => state === 'late').length;
      if (late > 0) context.setExitCode(exitCodeOf('SNAPSHOT_LATE'));
      await print(context, flags, { late, datasets }, () => statusText(datasets));
    });
  return examples(command, ['status', 'status --grace 6h --json', 'status --lake s3://my-lake']);
}

export interface DatasetStatus {
  dataset: string;
  /** IANA name of the zone in which the CLI shows times. */
  timeZone: string;
  /** If datasets.yaml makes a dataset `unscheduled` or `paused`, the dataset is never late. */
  state: 'fresh' | 'late' | 'unscheduled' | 'paused';
  /** The newest snapshot whose day has begun. `publishedAt` is ISO 8601, UTC. */
  last?: { ingestDate: string; revision: number; publishedAt: string; ageMs: number; rows: number };
  /** The day that should be published by now, and its nominal time (ISO 8601, UTC). Absent without a schedule. */
  due?: { ingestDate: string; at: string };
  /** Unpublished revisions that are newer than the last snapshot. If there is none, all unpublished revisions. */
  unpublished?: Tombstone[];
  /** Published ingest dates that have not begun. `state` ignores them. */
  future?: string[];
}

/** How fresh each dataset of datasets.yaml is. Reads only the file and the lake, so it works if Temporal is down. */
export async function statusOf(
  { datasets, schedules }: Pick<Config, 'datasets' | 'schedules'>,
  converted: Store,
  { now, graceMs }: { now: Date; graceMs: number },
): Promise<DatasetStatus[]> {
  const all: DatasetStatus[] = [];
  for (const { name, timeZone } of datasets) {
    const revisions = await listRevisions(converted, name);
    const refs = newestOfEachDay(revisions);
    const today = ingestDateAt(now, timeZone);
    const ref = refs.findLast(({ ingestDate }) => ingestDate <= today);
    const future = refs.map(({ ingestDate }) => ingestDate).filter((date) => date > today);
    const last = ref && lastOf(await readSnapshot(converted, ref), now);
    const schedule = schedules.get(name);
    // A run may start late by the jitter, and then has the grace to finish.
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
      unpublished: await newerUnpublished(converted, revisions, ref),
      future: future.length > 0 ? future : undefined,
    });
  }
  return all;
}

async function newerUnpublished(
  converted: Store,
  revisions: readonly RevisionRef[],
  last: RevisionRef | undefined,
): Promise<Tombstone[] | undefined> {
  const isNewer = ({ ingestDate, revision }: RevisionRef): boolean =>
    !last ||
    ingestDate > last.ingestDate ||
    (ingestDate === last.ingestDate && revision > last.revision);
  const refs = revisions.filter((ref) => ref.isUnpublished && isNewer(ref));
  const tombstones = await Promise.all(refs.map(async (ref) => readTombstone(converted, ref)));
  const found = tombstones.flatMap((each) => each ?? []);
  return found.length > 0 ? found : undefined;
}

function lastOf(
  { ingestDate, revision, publishedAt, ledger }: Awaited<ReturnType<typeof readSnapshot>>,
  now: Date,
) {
  const ageMs = Math.max(0, now.getTime() - Date.parse(publishedAt));
  return { ingestDate, revision, publishedAt, ageMs, rows: ledger.rows };
}

/** One line for each dataset, then the days that were unpublished, are late or have not begun. */
export function statusText(datasets: readonly DatasetStatus[]): string {
  if (datasets.length === 0) return 'No datasets in datasets.yaml.';
  const rows = datasets.map(({ dataset, timeZone, state, last, due }) => [
    dataset,
    state,
    snapshotText(last),
    last ? durationText(last.ageMs) : '',
    last ? countText(last.rows) : '',
    due ? `${due.ingestDate} (${momentText(new Date(due.at), timeZone)})` : '',
  ]);
  const head = ['dataset', 'state', 'last snapshot', 'age', 'rows', 'due'];
  const late = datasets.filter(({ state }) => state === 'late').map(({ dataset }) => dataset);
  const future = datasets.flatMap(({ dataset, future: dates = [] }) =>
    dates.map((date) => `${dataset} ${date}`),
  );
  const unpublished = datasets.flatMap(({ dataset, timeZone, unpublished: found = [] }) =>
    found.map((each) => `${dataset} ${revisionText(each)}: ${unpublishedText(each, timeZone)}`),
  );
  return [
    tableText(head, rows, [3, 4]),
    ...unpublished,
    late.length === 0 ? 'Nothing is late.' : `Late: ${late.join(', ')}.`,
    ...(future.length === 0
      ? []
      : [`Not counted, since the day is still to come: ${future.join(', ')}.`]),
  ].join('\n');
}
