import { Context } from '@temporalio/activity';
import {
  MAX_SWEPT_ITEMS,
  outcomeOf,
  type SweepResult,
  type SweepInput,
  type SweepTotal,
  type SweptItem,
} from '../model/sweep.ts';
import { syncTable } from '../iceberg/sync.ts';
import { tableLeftovers } from '../iceberg/table-leftovers.ts';
import { LonghaulError } from '../model/errors.ts';
import { findLeftovers, type Leftover } from '../storage/leftovers.ts';
import { findWithdrawn } from '../storage/withdrawn-files.ts';
import type { ActivityDeps } from './deps.ts';
import { OpenRuns } from './open-runs.ts';
import { endDays } from './sweep-keep.ts';
import type { ClusterSweep, SweptClusters } from './sweep-clusters.ts';
import { runActivity } from './work.ts';

type Deps = Pick<
  ActivityDeps,
  'raw' | 'converted' | 'activity' | 'emr' | 'duckdb' | 'glueDatabase'
>;

/** What dead runs left of one lake. */
export function createSweepActivities(deps: Deps) {
  return {
    sweepLeftovers: async (input: SweepInput): Promise<SweepResult> =>
      await runActivity(deps, async () => await sweepLeftovers(deps, input)),
  };
}

/** A second attempt finds what the first one has not removed. */
async function sweepLeftovers(
  deps: Deps,
  { olderThanMs, unpublishedAfterMs, keep: rules = [], dryRun }: SweepInput,
): Promise<SweepResult> {
  const { client, cancellationSignal: signal } = Context.current();
  const nowMs = Date.now();
  const { old, younger } = await findLeftovers(deps, { olderThanMs, nowMs, signal });
  const runs = new OpenRuns(client, nowMs);
  const kept = await endDays(deps, { rules, dryRun, nowMs, runs, signal });
  // What is published is read after the days have ended: no run can carry their files that this does not see.
  const withdrawn = await findWithdrawn(deps, {
    ...{ unpublishedAfterMs, endedAfterMs: olderThanMs, nowMs, signal },
    ...(dryRun && { ending: kept.ending }),
  });
  const items: SweptItem[] = [...kept.items];
  const followed = [...kept.datasets, ...withdrawn.map(({ holder }) => datasetOf(holder))];
  const tables = dryRun ? [] : await tablesBehind(deps, followed, signal);
  for (const { holder, remove, ...file } of [...old, ...withdrawn, ...kept.raw]) {
    signal.throwIfAborted();
    const isOfTable = file.kind === 'unpublished' || file.kind === 'ended';
    const isNamed = isOfTable && tables.includes(datasetOf(holder));
    const outcome = outcomeOf(isNamed || (await runs.hold(holder, file.ageMs)), dryRun);
    if (outcome === 'removed') await remove();
    items.push({ ...file, outcome });
  }
  for await (const { key, bytes, modifiedAtMs } of tableLeftovers(deps.converted, nowMs)) {
    signal.throwIfAborted();
    if (nowMs - modifiedAtMs < olderThanMs) continue;
    const outcome = outcomeOf(false, dryRun);
    if (outcome === 'removed') await deps.converted.delete(key);
    const ageMs = Math.round(nowMs - modifiedAtMs);
    items.push({ kind: 'table', zone: 'converted', key, ageMs, bytes, outcome });
  }
  const clusters = await sweepClusters(deps, { olderThanMs, dryRun, nowMs, runs, signal });
  items.push(...clusters.items);
  return {
    ...{ olderThanMs, unpublishedAfterMs, dryRun, younger: younger + clusters.younger },
    items: items.slice(0, MAX_SWEPT_ITEMS),
    count: items.length,
    bytes: items.reduce((sum, { bytes }) => sum + bytes, 0),
    totals: totalsOf(items),
    clustersUnknown: clusters.unknown,
  };
}

function datasetOf(holder: Leftover['holder']): string {
  return 'dataset' in holder ? holder.dataset : '';
}

/** The datasets whose Iceberg tables cannot be brought to what is published, and may name files that are to go. */
async function tablesBehind(
  { converted, duckdb, glueDatabase }: Deps,
  datasets: readonly string[],
  signal: AbortSignal,
): Promise<string[]> {
  const behind: string[] = [];
  for (const dataset of new Set(datasets)) {
    const options = { converted, duckdb, glueDatabase, dataset, signal };
    await syncTable(options).catch((error: unknown) => {
      if (!(error instanceof LonghaulError)) throw error;
      behind.push(dataset);
    });
  }
  return behind;
}

/** The AWS SDK's EMR client is loaded where a run has had a cluster, and not otherwise. */
async function sweepClusters(deps: Deps, how: ClusterSweep): Promise<SweptClusters> {
  if (deps.converted.location('x').kind === 's3' && (await how.runs.hadClusters())) {
    return await (await import('./sweep-clusters.ts')).sweepClusters(deps, how);
  }
  return { items: [], younger: 0 };
}

function totalsOf(items: readonly SweptItem[]): SweepTotal[] {
  const totals = new Map<string, SweepTotal>();
  for (const { kind, outcome, bytes } of items) {
    const { count, bytes: before } = totals.get(kind + outcome) ?? { count: 0, bytes: 0 };
    totals.set(kind + outcome, { kind, outcome, count: count + 1, bytes: before + bytes });
  }
  return [...totals.values()];
}
