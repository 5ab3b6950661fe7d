import { describeCluster, listOurClusters, terminate } from '../emr/clusters.ts';
import { isEnding, parseClusterName } from '../model/emr.ts';
import { LonghaulError } from '../model/errors.ts';
import { outcomeOf, type SweptItem } from '../model/sweep.ts';
import type { ActivityDeps } from './deps.ts';
import type { OpenRuns } from './open-runs.ts';

export interface ClusterSweep {
  olderThanMs: number;
  dryRun: boolean;
  nowMs: number;
  runs: OpenRuns;
  signal: AbortSignal;
}

export interface SweptClusters {
  items: SweptItem[];
  younger: number;
  /** Why EMR could not be asked. */
  unknown?: string;
}

/**
 * Ends clusters that a run of this lake made and left: by name, tags and age, and those that were kept past their time.
 * One of another maker, that is to stay, or whose run goes on is left alone.
 */
export async function sweepClusters(
  deps: Pick<ActivityDeps, 'raw' | 'converted' | 'activity' | 'emr'>,
  { olderThanMs, dryRun, nowMs, runs, signal }: ClusterSweep,
): Promise<SweptClusters> {
  const swept: SweptClusters = { items: [], younger: 0 };
  try {
    for (const { id, name, createdAtMs } of await listOurClusters(signal)) {
      const run = parseClusterName(name);
      const found = await describeCluster(id, undefined, signal);
      const isOurs = found.runTag === run?.runId && found.lakeTag === deps.converted.uri('');
      if (!run || !isOurs || isEnding(found.cluster)) continue;
      const { keptUntilMs } = found;
      if (keptUntilMs !== undefined && nowMs < keptUntilMs) continue;
      const ageMs = Math.max(0, Math.round(nowMs - createdAtMs));
      // No run waits for one that was kept and is past its time, however young it is.
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
