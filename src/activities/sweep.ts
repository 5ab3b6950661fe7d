import { Context } from '@temporalio/activity';
import {
  MAX_SWEPT_ITEMS,
  outcomeOf,
  type SweepOutcome,
  type SweepResult,
  type SweepTask,
  type SweepTotal,
  type SweptItem,
} from '../model/sweep.ts';
import { findLeftovers, type Leftover, type Piece } from '../storage/leftovers.ts';
import type { ActivityDeps } from './deps.ts';
import { OpenRuns } from './open-runs.ts';
import type { ClusterSweep, SweptClusters } from './sweep-clusters.ts';
import { shortly } from './work.ts';

type Deps = Pick<ActivityDeps, 'raw' | 'converted' | 'activity' | 'emr'>;

/** What dead runs left of one lake. */
export function createSweepActivities(deps: Deps) {
  return {
    sweepLeftovers: async (input: SweepTask): Promise<SweepResult> =>
      await shortly(deps, async () => await sweepLeftovers(deps, input)),
  };
}

/**
 * First what is there, then who is at work: so a run that started in between is among these. A second attempt finds
 * what the first one has not removed.
 */
async function sweepLeftovers(
  deps: Deps,
  { target, olderThanMs, dryRun }: SweepTask,
): Promise<SweepResult> {
  const { client, cancellationSignal: signal } = Context.current();
  const nowMs = Date.now();
  const { old, younger } = await findLeftovers(deps, { olderThanMs, nowMs, signal });
  const runs = await OpenRuns.ask(client, nowMs);
  const report = new Report();
  for (const leftover of old) {
    signal.throwIfAborted();
    const outcome = outcomeOf(await runs.hold(leftover), dryRun);
    for (const piece of leftover.pieces) {
      if (outcome === 'removed') await piece.remove();
      report.add(itemOf(piece, leftover, nowMs, outcome));
    }
  }
  const clusters = await sweepClusters(deps, { olderThanMs, dryRun, nowMs, runs, signal });
  for (const item of clusters.items) report.add(item);
  return {
    ...{ target, olderThanMs, dryRun, younger: younger + clusters.younger },
    ...report.result(),
    ...(clusters.unknown === undefined ? {} : { clustersUnknown: clusters.unknown }),
  };
}

/** The AWS SDK's EMR client is loaded where a run has had a cluster, and not otherwise. */
async function sweepClusters(deps: Deps, how: ClusterSweep): Promise<SweptClusters> {
  if (deps.converted.place('x').kind === 's3' && (await how.runs.hadClusters())) {
    return await (await import('./sweep-clusters.ts')).sweepClusters(deps, how);
  }
  return { items: [], younger: 0 };
}

function itemOf(
  { kind, zone, key, bytes }: Piece,
  { modifiedAtMs }: Leftover,
  nowMs: number,
  outcome: SweepOutcome,
): SweptItem {
  const ageMs = Math.max(0, Math.round(nowMs - modifiedAtMs));
  return { kind, zone, key, ageMs, bytes, outcome };
}

class Report {
  readonly #items: SweptItem[] = [];
  readonly #totals = new Map<string, SweepTotal>();

  add(item: SweptItem): void {
    if (this.#items.length < MAX_SWEPT_ITEMS) this.#items.push(item);
    const { kind, outcome, bytes } = item;
    const name = `${kind}/${outcome}`;
    const total = this.#totals.get(name) ?? { kind, outcome, count: 0, bytes: 0 };
    total.count += 1;
    total.bytes += bytes;
    this.#totals.set(name, total);
  }

  result(): Pick<SweepResult, 'items' | 'count' | 'bytes' | 'totals'> {
    const totals = [...this.#totals.values()];
    return {
      items: this.#items,
      count: totals.reduce((sum, { count }) => sum + count, 0),
      bytes: totals.reduce((sum, { bytes }) => sum + bytes, 0),
      totals,
    };
  }
}
