import type { AppliedSchedule } from '../../model/schedule.ts';
import type { DesiredSchedule } from './desired.ts';
import { differences, hashOf, type Difference, type Facts } from './facts.ts';

/** A schedule as the server has it. */
export interface ExistingSchedule {
  scheduleId: string;
  dataset: string;
  facts: Facts;
  paused: boolean;
  /** Undefined where `apply` did not make it. */
  applied: AppliedSchedule | undefined;
}

export interface Change {
  action: 'create' | 'update' | 'delete' | 'unchanged' | 'left-alone';
  dataset: string;
  scheduleId: string;
  /** From what the server has to what the file says. */
  differences: Difference[];
  /** Of a deletion, or of what is left alone. */
  reason?: string;
}

export interface Asked {
  force: boolean;
  lake: string;
}

/** What makes the server's schedule of a dataset equal to the file's. */
export function planOf(
  wanted: DesiredSchedule,
  existing: ExistingSchedule | undefined,
  { force }: Pick<Asked, 'force'>,
): Change {
  const { scheduleId, facts, paused } = wanted;
  const at = { dataset: wanted.dataset.name, scheduleId };
  if (!existing) return { ...at, action: 'create', differences: differences({}, facts) };
  const { applied } = existing;
  const found = differences(existing.facts, facts);
  if (!applied) {
    const reason = 'it was not made by `longhaul schedule apply`: rename or delete it';
    return { ...at, action: 'left-alone', differences: found, reason };
  }
  const resumed = paused && applied.paused && !existing.paused;
  const pausing = paused !== applied.paused || (resumed && force);
  if (pausing) found.push(pauseDifference(existing.paused, paused));
  const foreign = whyNotOurs(existing, wanted.lake) ?? whyDrifted(existing, found);
  const why = foreign ?? (resumed ? 'it was resumed by hand; the file says paused' : undefined);
  if (why !== undefined && !force) {
    return { ...at, action: 'left-alone', differences: found, reason: why };
  }
  const same = found.length === 0 && applied.hash === hashOf(facts) && applied.lake === wanted.lake;
  return { ...at, action: same ? 'unchanged' : 'update', differences: found };
}

/** What becomes of a schedule that the file does not want. */
export function planOfUnwanted(
  existing: ExistingSchedule,
  why: string,
  { force, lake }: Asked,
): Change | undefined {
  const { dataset, scheduleId, applied } = existing;
  // Somebody else's: not a word about it.
  if (!applied || applied.lake !== lake) return undefined;
  const drift = whyDrifted(existing, [{}]);
  const left = drift !== undefined && !force;
  return {
    action: left ? 'left-alone' : 'delete',
    dataset,
    scheduleId,
    differences: [],
    reason: left ? `${why}, but ${drift}` : why,
  };
}

function whyNotOurs({ applied }: ExistingSchedule, lake: string): string | undefined {
  if (!applied || applied.lake === lake) return undefined;
  return `it fills another lake (${applied.lake}, not ${lake})`;
}

/** Somebody who edited it to what the file says has not gone astray. */
function whyDrifted(
  { applied, facts }: ExistingSchedule,
  found: readonly unknown[],
): string | undefined {
  if (!applied || found.length === 0 || hashOf(facts) === applied.hash) return undefined;
  return 'it was changed since the last apply, in the Web UI perhaps';
}

function pauseDifference(from: boolean, to: boolean): Difference {
  return { fact: 'paused', from: String(from), to: String(to) };
}
