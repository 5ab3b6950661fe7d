import type { SweepOutcome, SweepResult } from '../../model/sweep.ts';
import { tableText } from './table.ts';
import { bytesText } from '../../model/bytes-text.ts';
import { countText, durationText } from './units.ts';

/** Longer than any key that this program makes: a cut one could not be looked up. */
const MAX_KEY_LENGTH = 400;

/** A line a leftover, and one for all of them. */
export function sweepText(result: SweepResult): string {
  const { items, count } = result;
  if (count === 0) return totalsLine(result);
  const rows = items.map(({ kind, ageMs, bytes, key, outcome }) => [
    kind,
    durationText(ageMs),
    bytesText(bytes),
    key,
    outcome,
  ]);
  const lines = [
    tableText(['kind', 'age', 'size', 'key', 'outcome'], rows, {
      right: [1, 2],
      maxCellLength: MAX_KEY_LENGTH,
    }),
  ];
  if (count > items.length) lines.push(`… and ${countText(count - items.length)} more.`);
  return [...lines, totalsLine(result)].join('\n');
}

function totalsLine(result: SweepResult): string {
  const { target, dryRun, olderThanMs, younger } = result;
  const gone = dryRun
    ? `Dry run, nothing was removed: ${amount(result, 'would-remove')} would go`
    : `Removed ${amount(result, 'removed')}`;
  const facts = [`${gone} (target ${target})`];
  if (countOf(result, 'kept-live') > 0)
    facts.push(`kept ${amount(result, 'kept-live')} of runs under way`);
  if (younger > 0) facts.push(`${countText(younger)} younger than ${durationText(olderThanMs)}`);
  const { clustersUnknown: unknown } = result;
  const emr = unknown === undefined ? '' : ` EMR's clusters could not be looked at: ${unknown}`;
  return `${facts.join('; ')}.${emr}`;
}

function amount(result: SweepResult, outcome: SweepOutcome): string {
  const count = countOf(result, outcome);
  if (count === 0) return 'nothing';
  const bytes = totalsOf(result, outcome).reduce((sum, each) => sum + each.bytes, 0);
  return `${countText(count)} leftover${count === 1 ? '' : 's'}, ${bytesText(bytes)}`;
}

function countOf(result: SweepResult, outcome: SweepOutcome): number {
  return totalsOf(result, outcome).reduce((sum, each) => sum + each.count, 0);
}

function totalsOf({ totals }: SweepResult, outcome: SweepOutcome): SweepResult['totals'] {
  return totals.filter((each) => each.outcome === outcome);
}
