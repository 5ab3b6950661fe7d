import { sourcesPrefix } from '../model/layout.ts';
import { outcomeOf, type KeepRule, type SweptItem } from '../model/sweep.ts';
import { revisionText } from '../model/manifest.ts';
import { planKeep } from '../storage/keep-plan.ts';
import { noneIf, type Leftover } from '../storage/leftovers.ts';
import { putEnding, type RevisionRef } from '../storage/manifests.ts';
import type { Lake } from '../storage/store.ts';
import type { OpenRuns } from './open-runs.ts';

export interface KeepSweep {
  rules: readonly KeepRule[];
  dryRun: boolean;
  nowMs: number;
  runs: OpenRuns;
  signal: AbortSignal;
}

export interface KeptDatasets {
  /** The days that ended, or would. */
  items: SweptItem[];
  /** Their revisions, by dataset. */
  ending: Map<string, Set<string>>;
  /** Raw files that are to go. */
  raw: Leftover[];
  /** Of which a day has ended, now or before. */
  datasets: string[];
}

/** Ends the days that are older than their datasets keep days; no file goes here. A dataset with a run under way keeps them. */
export async function endDays(lake: Lake, how: KeepSweep): Promise<KeptDatasets> {
  const kept: KeptDatasets = { items: [], ending: new Map(), raw: [], datasets: [] };
  for (const rule of how.rules) {
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
      if (outcome !== 'kept-live') addTo(kept.ending, ref);
      kept.items.push({ ...dayItem(ref, how.nowMs), outcome });
    }
  }
  return kept;
}

function addTo(ending: KeptDatasets['ending'], ref: RevisionRef): void {
  const revisions = ending.get(ref.dataset) ?? new Set();
  ending.set(ref.dataset, revisions.add(revisionText(ref)));
}

/** Its folder; its files are items of their own. */
function dayItem(ref: RevisionRef, nowMs: number): Omit<SweptItem, 'outcome'> {
  const key = sourcesPrefix(ref).replace(/source=$/, '');
  const ageMs = Math.max(0, nowMs - Date.parse(ref.ingestDate));
  return { kind: 'day', zone: 'converted', key, ageMs, bytes: 0 };
}
