import { printable } from '../../model/names.ts';
import type { ScheduledRun, ScheduleSummary } from '../schedule/list.ts';
import type { Change } from '../schedule/plan.ts';
import { tableText } from './table.ts';
import { momentText } from './units.ts';

/** A line a schedule, and below it what differs. */
export function changesText(changes: readonly Change[], dryRun: boolean): string {
  if (changes.length === 0) return 'No schedules: neither in datasets.yaml nor on the server.';
  return [...changes.flatMap((change) => changeLines(change)), '', totalLine(changes, dryRun)].join(
    '\n',
  );
}

const SIGNS = { create: '+', update: '~', delete: '-', unchanged: '=', 'left-alone': '!' } as const;

function changeLines({ action, dataset, differences, reason }: Change): string[] {
  const why = reason === undefined ? '' : `: ${printable(reason)}`;
  const lines = [`${SIGNS[action]} ${dataset}  ${action.replace('-', ' ')}${why}`];
  if (action === 'create') {
    const when = differences.filter(({ fact }) => ['when', 'time zone'].includes(fact));
    lines[0] += `: ${when.map(({ to }) => printable(to)).join(' ')}`;
    return lines;
  }
  for (const { fact, from, to } of differences) {
    lines.push(`    ${printable(fact)}: ${shown(from)} → ${shown(to)}`);
  }
  return lines;
}

function shown(text: string): string {
  return text === '' ? '(nothing)' : printable(text);
}

function totalLine(changes: readonly Change[], dryRun: boolean): string {
  const count = (action: Change['action']): number =>
    changes.filter((each) => each.action === action).length;
  const facts = [
    `${count('create')} ${dryRun ? 'to create' : 'created'}`,
    `${count('update')} ${dryRun ? 'to update' : 'updated'}`,
    `${count('delete')} ${dryRun ? 'to delete' : 'deleted'}`,
    `${count('unchanged')} unchanged`,
  ];
  const left = count('left-alone');
  if (left > 0) facts.push(`${left} left alone (--force makes ours equal to the file)`);
  return `${dryRun ? 'Dry run, nothing was changed: ' : ''}${facts.join(', ')}.`;
}

export function schedulesText(schedules: readonly ScheduleSummary[]): string {
  if (schedules.length === 0) return 'No schedules: `longhaul schedule apply` makes them.';
  return schedules.map((each) => scheduleLines(each).join('\n')).join('\n\n');
}

const STATES = {
  applied: '',
  'by-hand': ' (changed by hand since the last apply)',
  foreign: ' (not made by longhaul schedule apply)',
} as const;

function scheduleLines(schedule: ScheduleSummary): string[] {
  const { dataset, when, timeZone, paused, note, state, next, runs } = schedule;
  // Of a schedule that somebody else made, whatever is written there.
  const zone = isZone(timeZone) ? timeZone : 'UTC';
  const lines = [`${dataset}: ${printable(when)}, ${printable(timeZone)}${STATES[state]}`];
  if (paused) lines.push(`  paused: ${printable(note ?? 'without a note')}`);
  else {
    if (note !== undefined) lines.push(`  note: ${printable(note)}`);
    lines.push(`  next: ${next.map((time) => momentText(new Date(time), zone)).join(', ')}`);
  }
  if (runs.length === 0) lines.push('  no runs yet');
  else lines.push(runsTable(runs, zone));
  return lines;
}

function isZone(timeZone: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}

function runsTable(runs: readonly ScheduledRun[], zone: string): string {
  const rows = runs.map(({ scheduledAt, status, workflowId }) => [
    momentText(new Date(scheduledAt), zone),
    status.toLowerCase(),
    workflowId,
  ]);
  return tableText(['due', 'status', 'run'], rows);
}
