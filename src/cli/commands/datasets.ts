import { countText } from '../../model/texts.ts';
import { Command } from 'commander';
import { readCatalogue } from '../../lake/catalogue.ts';
import type { KeepRule } from '../../model/sweep.ts';
import { viewNameOf } from '../../model/names.ts';
import { readSnapshot } from '../../storage/manifests.ts';
import { openLake } from '../../storage/open-lake.ts';
import { examples, print, type CliContext, type Flags } from '../command.ts';
import { snapshotText, tableText } from '../text.ts';

interface DatasetSummary {
  name: string;
  view: string;
  historyView: string;
  /** True if the dataset is in datasets.yaml. */
  configured: boolean;
  /** Ids of the sources in datasets.yaml, else in the last snapshot. */
  sources: string[];
  /** The keep rule as text, for example `400 days, raw 30d`. */
  keep?: string;
  snapshots: number;
  last?: { ingestDate: string; revision: number; rows: number };
}

export function datasetsCommand(context: CliContext): Command {
  const command = new Command('datasets')
    .summary('list the datasets: configured and published')
    .description(
      'Lists what datasets.yaml has and what is published, with views and last snapshots.',
    )
    .action(async (flags: Flags) => {
      await showDatasets(context, flags);
    });
  return examples(command, ['datasets', 'datasets --lake s3://my-lake --json']);
}

async function showDatasets(context: CliContext, flags: Flags): Promise<void> {
  const { settings, datasets, keep } = context.loadConfig();
  const { converted } = await openLake(settings);
  const summaries = new Map<string, DatasetSummary>();
  for (const { name, sources } of datasets) {
    summaries.set(name, {
      ...namesOf(name),
      configured: true,
      sources: sources.map(({ id }) => id),
      keep: keepText(keep.find(({ dataset }) => dataset === name)),
      snapshots: 0,
    });
  }
  for (const { name, snapshots } of await readCatalogue(converted)) {
    const ref = snapshots.at(-1);
    if (!ref) continue;
    const { sources, ledger, ingestDate, revision } = await readSnapshot(converted, ref);
    const known = summaries.get(name) ?? {
      ...namesOf(name),
      configured: false,
      sources: sources.map(({ id }) => id),
    };
    const last = { ingestDate, revision, rows: ledger.rows };
    summaries.set(name, { ...known, snapshots: snapshots.length, last });
  }
  const list = [...summaries.values()];
  await print(context, flags, { datasets: list }, () => datasetsText(list));
}

function namesOf(name: string) {
  const view = viewNameOf(name);
  return { name, view, historyView: `${view}_history` };
}

function keepText(rule: KeepRule | undefined): string | undefined {
  const { days, rawDays } = rule ?? {};
  const texts = [
    ...(days === undefined ? [] : [days === 1 ? '1 day' : `${days} days`]),
    ...(rawDays === undefined ? [] : [`raw ${rawDays}d`]),
  ];
  return texts.length > 0 ? texts.join(', ') : undefined;
}

function datasetsText(datasets: readonly DatasetSummary[]): string {
  if (datasets.length === 0) return 'No datasets: neither in datasets.yaml nor published.';
  const rows = datasets.map(({ name, view, configured, sources, snapshots, last, keep }) => [
    configured ? name : `${name} (not in datasets.yaml)`,
    String(sources.length),
    last ? view : '',
    snapshotText(last),
    last ? countText(last.rows) : '',
    countText(snapshots),
    keep ?? 'all',
  ]);
  const head = ['dataset', 'sources', 'view', 'last snapshot', 'rows', 'snapshots', 'keep'];
  return tableText(head, rows, [1, 4, 5]);
}
