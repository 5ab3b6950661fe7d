import { Context } from '@temporalio/activity';
import {
  MAX_SWEPT_ITEMS,
  outcomeOf,
  type SweepResult,
  type SweepInput,
  type SweepTotal,
  type SweptItem,
  type KeepRule,
} from '../model/sweep.ts';
import { syncTable } from '../iceberg/sync.ts';
import { tableLeftovers } from '../iceberg/table-leftovers.ts';
import { LonghaulError } from '../model/errors.ts';
import { findLeftovers, noneIf, type Leftover } from '../storage/leftovers.ts';
import { findWithdrawn } from '../storage/withdrawn-files.ts';
import type { ActivityDeps } from './deps.ts';
import { OpenRuns } from './open-runs.ts';
import { runActivity } from './work.ts';
import { sourcesPrefix } from '../model/layout.ts';
import { revisionText } from '../model/manifest.ts';
import { planKeep } from '../storage/keep-plan.ts';
import { putEnding, type RevisionRef } from '../storage/manifests.ts';
import { isInBucket, type Lake } from '../storage/store.ts';
import { isEnding, parseClusterName } from '../model/emr.ts';

type Deps = Pick<
  ActivityDeps,
  'raw' | 'converted' | 'activity' | 'emr' | 'duckdb' | 'glueDatabase'
>;

/** Activities that remove what dead runs left in a lake. */
export function createSweepActivities(deps: Deps) {
  return {
    sweepLeftovers: async (input: SweepInput): Promise<SweepResult> =>
      await runActivity(deps, async () => await sweepLeftovers(deps, input)),
  };
}

/** Removes leftovers. A second attempt finds those that the first one did not remove. */
async function sweepLeftovers(
  deps: Deps,
  { olderThanMs, unpublishedAfterMs, keep: rules = [], dryRun }: SweepInput,
): Promise<SweepResult> {
  const { client, cancellationSignal: signal } = Context.current();
  const nowMs = Date.now();
  const { old, younger } = await findLeftovers(deps, { olderThanMs, nowMs, signal });
  const runs = new OpenRuns(client, nowMs);
  const how = { dryRun, nowMs, runs, signal };
  const kept = await endDays(deps, rules, how);
  // This read follows the end of the days: after that, no new manifest names their files, so it misses none.
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
  const clusters = await sweepClusters(deps, olderThanMs, how);
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

/** Datasets whose Iceberg tables could not be updated. The tables may still name files that the sweep would remove. */
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

function totalsOf(items: readonly SweptItem[]): SweepTotal[] {
  const totals = new Map<string, SweepTotal>();
  for (const { kind, outcome, bytes } of items) {
    const { count, bytes: before } = totals.get(kind + outcome) ?? { count: 0, bytes: 0 };
    totals.set(kind + outcome, { kind, outcome, count: count + 1, bytes: before + bytes });
  }
  return [...totals.values()];
}

export interface Sweep {
  dryRun: boolean;
  nowMs: number;
  runs: OpenRuns;
  signal: AbortSignal;
}

export interface KeptDatasets {
  /** Days that have ended, or would end in a dry run. */
  items: SweptItem[];
  /** Revisions of these days, by dataset. */
  ending: Map<string, Set<string>>;
  /** Raw files that the sweep removes. */
  raw: Leftover[];
  /** Datasets with a day that has ended, now or earlier. */
  datasets: string[];
}

/** Ends days that are older than their dataset's rule, but removes no files. A run holds its dataset's days. */
export async function endDays(
  lake: Lake,
  rules: readonly KeepRule[],
  how: Sweep,
): Promise<KeptDatasets> {
  const kept: KeptDatasets = { items: [], ending: new Map(), raw: [], datasets: [] };
  for (const rule of rules) {
    const { dataset, days: keepDays = 0 } = rule;
    const plan = await planKeep(lake, rule, how).catch(
      noneIf('LAKE_CORRUPT', 'MANIFEST_UNREADABLE'),
    );
    if (!plan) continue;
    kept.raw.push(...plan.raw);
    if (plan.hasEnded) kept.datasets.push(dataset);
    for (const ref of plan.ending) {
      how.signal.throwIfAborted();
      const outcome = outcomeOf(await how.runs.hold({ dataset }, 0), how.dryRun);
      if (outcome === 'removed') {
        const { ingestDate, revision } = ref;
        await putEnding(lake.converted, { dataset, ingestDate, revision, keepDays });
      }
      if (outcome !== 'kept-live') {
        const revisions = kept.ending.get(dataset) ?? new Set();
        kept.ending.set(dataset, revisions.add(revisionText(ref)));
      }
      kept.items.push({ ...dayItem(ref, how.nowMs), outcome });
    }
  }
  return kept;
}

/** The item of a day is its folder. Its files are separate items. */
function dayItem(ref: RevisionRef, nowMs: number): Omit<SweptItem, 'outcome'> {
  const key = sourcesPrefix(ref).replace(/source=$/, '');
  const ageMs = Math.max(0, nowMs - Date.parse(ref.ingestDate));
  return { kind: 'day', zone: 'converted', key, ageMs, bytes: 0 };
}

interface SweptClusters {
  items: SweptItem[];
  younger: number;
  /** Why the sweep could not ask EMR. */
  unknown?: string;
}

/**
 * Ends clusters that a run of this lake made and left, and clusters that were kept past their time. A cluster stays if
 * another program made it, if it is kept until later, or if its run goes on.
 */
async function sweepClusters(
  { converted }: Deps,
  olderThanMs: number,
  { dryRun, nowMs, runs, signal }: Sweep,
): Promise<SweptClusters> {
  const swept: SweptClusters = { items: [], younger: 0 };
  // The AWS SDK's EMR client is loaded only if a run has had a cluster.
  if (!isInBucket(converted) || !(await runs.hadClusters())) return swept;
  const { describeCluster, listOurClusters, terminate } = await import('../emr/clusters.ts');
  try {
    for (const { id, name, createdAtMs } of await listOurClusters(signal)) {
      const run = parseClusterName(name);
      const found = await describeCluster(id, undefined, signal);
      const isOurs = found.runTag === run?.runId && found.lakeTag === converted.uri('');
      if (!run || !isOurs || isEnding(found.cluster)) continue;
      const { keptUntilMs } = found;
      if (keptUntilMs !== undefined && nowMs < keptUntilMs) continue;
      const ageMs = Math.max(0, Math.round(nowMs - createdAtMs));
      // If a kept cluster is past its time, no run waits for it, however young it is.
      if (keptUntilMs === undefined && ageMs < olderThanMs) {
        swept.younger += 1;
        continue;
      }
      const outcome = outcomeOf(await runs.hold(run, ageMs), dryRun);
      if (outcome === 'removed') await terminate(id, signal);
      swept.items.push({ kind: 'cluster', key: `${id} ${name}`, ageMs, bytes: 0, outcome });
    }
  } catch (error) {
    if (!(error instanceof LonghaulError) || !error.code.startsWith('EMR_')) throw error;
    swept.unknown = error.message;
  }
  return swept;
}
