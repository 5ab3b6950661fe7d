import { relative } from 'node:path';
import Table from 'cli-table3';
import { countText } from '../model/texts.ts';
import { revisionText, type RevisionAt, type Tombstone } from '../model/manifest.ts';
import { printable } from '../model/names.ts';

/**
 * A table for the terminal. `printable` escapes every cell, so that a publisher's text cannot move the cursor.
 * @param right indexes of the columns whose cells are numbers.
 */
export function tableText(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  right: readonly number[] = [],
  maxCellLength = 120,
): string {
  const cell = (text: string): string => cut(printable(text), maxCellLength);
  const table = new Table({
    head: head.map(cell),
    colAligns: head.map((_, index) => (right.includes(index) ? 'right' : 'left')),
    // The table has no colours, because the user may write it to a file.
    style: { head: [], border: [], compact: true },
  });
  for (const row of rows) table.push(row.map(cell));
  return table.toString();
}

const GAP = '  ';
/** Share of the terminal's width. Longer cells are cut, so that the last one has room. */
const MAX_CELL_SHARE = 0.35;

/** Indented rows without borders, cut at the terminal's width. `printable` escapes every cell. */
export function sideBySide(rows: readonly (readonly string[])[], width: number): string[] {
  const maxLength = Math.floor(width * MAX_CELL_SHARE);
  const cells = rows
    .map((row) => row.map(printable))
    .map((row) => ({
      firsts: row.slice(0, -1).map((cell) => cut(cell, maxLength)),
      last: row.at(-1) ?? '',
    }));
  const widthOf = (index: number): number =>
    Math.max(...cells.map(({ firsts }) => firsts[index]?.length ?? 0));
  const widths = (rows[0] ?? []).map((_, index) => widthOf(index));
  return cells.map(({ firsts, last }) => {
    const line = [...firsts.map((cell, index) => cell.padEnd(widths[index] ?? 0)), last];
    return cut(GAP + line.join(GAP), width).trimEnd();
  });
}

/** A name and its text. A fact without a text is left out. */
export type Fact = readonly [name: string, text: string | false | undefined];

/** One fact below the other, each wrapped at the terminal's width. */
export function factLines(facts: readonly Fact[], width: number): string[] {
  const said = facts.flatMap(([name, text]) => (typeof text === 'string' ? [{ name, text }] : []));
  const indent = Math.max(...said.map(({ name }) => name.length)) + 2 * GAP.length;
  return said.flatMap(({ name, text }) => {
    const [first = '', ...others] = wrapped(printable(text), width - indent);
    const head = `${GAP}${name}`.padEnd(indent) + first;
    return [head, ...others.map((line) => ' '.repeat(indent) + line)];
  });
}

/** Wraps a text at blanks. A word longer than the line stays whole, so that the user can copy an address. */
export function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

/** @param length characters, including the `…` of a cut text. */
export function cut(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, Math.max(0, length - 1))}…` : text;
}

/** For example `2026-11-23` or `2026-11-23 r2`. */
export function snapshotText(last: RevisionAt | undefined): string {
  return last ? revisionText(last) : 'not published yet';
}

/** Says why readers do not see a revision. */
export function unpublishedText(
  of: Pick<Tombstone, 'unpublishedAt' | 'by' | 'reason' | 'because'>,
  timeZone: string,
): string {
  const when = momentText(new Date(of.unpublishedAt), timeZone);
  const withWhich = of.because ? `, with ${revisionText(of.because)}, which it carries` : '';
  return printable(`Unpublished ${when} by ${of.by}${withWhich}: ${of.reason}`);
}

/** Three cells of a table: the counts of a ledger, a source or a recount. */
export function countsText(of?: { records: number; rows: number; rejected: number }): string[] {
  return of ? [of.records, of.rows, of.rejected].map((count) => countText(count)) : ['', '', ''];
}

/** For example `0.4s`, `12s`, `2m 05s`, `3h 07m`. */
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

/** Longer durations do not need tenths of a second. */
const TENTHS_BELOW_MS = 10_000;
/** Users count in hours up to two days. */
const DAYS_FROM_HOURS = 48;

/** For example `2026-11-23 04:05:06 -07:00`: the local time of a zone to the second, and its offset. */
export function momentText(moment: Date, timeZone: string): string {
  // The Swedish locale writes dates and times as ISO 8601 does.
  const clock = new Intl.DateTimeFormat('sv-SE', {
    ...{ timeZone, dateStyle: 'short', timeStyle: 'medium' },
  });
  const zone = new Intl.DateTimeFormat('en', { timeZone, timeZoneName: 'longOffset' });
  const [, offset = '+00:00'] = /GMT([+-]\d\d:\d\d)/.exec(zone.format(moment)) ?? [];
  return `${clock.format(moment)} ${offset}`;
}

/** Quotes any text as one word of a shell's command line. */
export function quotedWord(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

/** A path as the user sees it: relative if it is inside the current folder. */
export function nearPath(path: string, cwd: string): string {
  const near = relative(cwd, path);
  return printable(near.startsWith('..') ? path : near);
}

/** This machine's time zone. A dataset that the user names only by a URL or a path has it too. */
export function localZone(): string {
  return new Intl.DateTimeFormat().resolvedOptions().timeZone;
}
