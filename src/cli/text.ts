import { relative } from 'node:path';
import Table from 'cli-table3';
import { countText } from '../model/texts.ts';
import { revisionText, type RevisionAt, type Tombstone } from '../model/manifest.ts';
import { printable } from '../model/names.ts';

export { countText };

interface TableOptions {
  /** Indexes of the columns whose cells are numbers. */
  right?: readonly number[];
  /** Longer cells are cut, with an ellipsis. */
  maxCellLength?: number;
}

/** A table for the terminal. Every cell is made safe: what publishers wrote cannot move the cursor. */
export function tableText(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  { right = [], maxCellLength = 120 }: TableOptions = {},
): string {
  const cell = (text: string): string => {
    const safe = printable(text);
    return safe.length > maxCellLength ? `${safe.slice(0, maxCellLength - 1)}…` : safe;
  };
  const table = new Table({
    head: head.map(cell),
    colAligns: head.map((_, index) => (right.includes(index) ? 'right' : 'left')),
    // Without colours of its own: the text may end in a file.
    style: { head: [], border: [], compact: true },
  });
  for (const row of rows) table.push(row.map(cell));
  return table.toString();
}

/** From here on, tenths of a second are noise. */
const TENTHS_BELOW_MS = 10_000;

/** `2026-11-23`, `2026-11-23 r2`. */
export function snapshotText(last: RevisionAt | undefined): string {
  return last ? revisionText(last) : 'not published yet';
}

/** Why readers do not see a revision. */
export function unpublishedText(
  {
    unpublishedAt,
    by,
    reason,
    because,
  }: Pick<Tombstone, 'unpublishedAt' | 'by' | 'reason' | 'because'>,
  timeZone: string,
): string {
  const when = momentText(new Date(unpublishedAt), timeZone);
  const withWhich = because ? `, with ${revisionText(because)}, which it carries` : '';
  return printable(`Unpublished ${when} by ${by}${withWhich}: ${reason}`);
}

/** Three cells of a table: the counts of a ledger, a source or a recount. */
export function countsText(of?: { records: number; rows: number; rejected: number }): string[] {
  return of ? [of.records, of.rows, of.rejected].map((count) => countText(count)) : ['', '', ''];
}

/** `0.4s`, `12s`, `2m 05s`, `3h 07m`. */
export function durationText(milliseconds: number): string {
  if (milliseconds < TENTHS_BELOW_MS) return `${(Math.max(0, milliseconds) / 1000).toFixed(1)}s`;
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  const two = (value: number): string => String(value).padStart(2, '0');
  const minutes = Math.floor(seconds / 60);
  if (minutes === 0) return `${seconds}s`;
  const hours = Math.floor(minutes / 60);
  if (hours === 0) return `${minutes}m ${two(seconds % 60)}s`;
  if (hours < DAYS_FROM_HOURS) return `${hours}h ${two(minutes % 60)}m`;
  return `${Math.floor(hours / 24)}d ${two(hours % 24)}h`;
}

/** Up to two days people count hours. */
const DAYS_FROM_HOURS = 48;

/** `2026-11-23 04:05:06 -07:00`: to the second, as the clocks of a time zone show it, and in no doubt of which. */
export function momentText(moment: Date, timeZone: string): string {
  const parts = new Intl.DateTimeFormat('en-US', { timeZone, timeZoneName: 'longOffset' });
  const name = parts.formatToParts(moment).find(({ type }) => type === 'timeZoneName')?.value ?? '';
  // `GMT-07:00`; of UTC only `GMT`.
  const [, sign = '+', hours = '00', minutes = '00'] = /([+-])(\d+):(\d+)/.exec(name) ?? [];
  const offsetMinutes = Number(`${sign}1`) * (Number(hours) * 60 + Number(minutes));
  const clock = new Date(moment.getTime() + offsetMinutes * 60_000).toISOString();
  return `${clock.slice(0, 19).replace('T', ' ')} ${sign}${hours}:${minutes}`;
}

/** A path as it is shown: from the folder where the command runs, where it lies there. */
export function nearPath(path: string, cwd: string): string {
  const near = relative(cwd, path);
  return printable(near.startsWith('..') ? path : near);
}

/** This machine's zone, which a dataset has too that is named by a URL or a path alone. */
export function localZone(): string {
  return new Intl.DateTimeFormat().resolvedOptions().timeZone;
}
