import { relative } from 'node:path';
import Table from 'cli-table3';
import { countText } from '../model/texts.ts';
import { revisionText, type RevisionAt, type Tombstone } from '../model/manifest.ts';
import { printable } from '../model/names.ts';

/**
 * A table for the terminal. Every cell is made safe: what publishers wrote cannot move the cursor.
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
    // Without colours of its own: the text may end in a file.
    style: { head: [], border: [], compact: true },
  });
  for (const row of rows) table.push(row.map(cell));
  return table.toString();
}

const GAP = '  ';
/** Of the terminal's width: longer cells are cut, so that the last one has room. */
const MAX_CELL_SHARE = 0.35;

/** Rows of cells without lines around them, indented, each line cut at the terminal's width. Every cell is made safe. */
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

/** A name, and what is said of it; one of which nothing is said is left out. */
export type Fact = readonly [name: string, text: string | false | undefined];

/** A fact below the other, each wrapped at the terminal's width. */
export function factLines(facts: readonly Fact[], width: number): string[] {
  const said = facts.flatMap(([name, text]) => (typeof text === 'string' ? [{ name, text }] : []));
  const indent = Math.max(...said.map(({ name }) => name.length)) + 2 * GAP.length;
  return said.flatMap(({ name, text }) => {
    const [first = '', ...others] = wrapped(printable(text), width - indent);
    const head = `${GAP}${name}`.padEnd(indent) + first;
    return [head, ...others.map((line) => ' '.repeat(indent) + line)];
  });
}

/** At blanks; a word that is longer than the line stays whole, so that an address can be copied. */
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

/** @param length characters, with the mark of what is missing. */
export function cut(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, Math.max(0, length - 1))}…` : text;
}

/** `2026-11-23`, `2026-11-23 r2`. */
export function snapshotText(last: RevisionAt | undefined): string {
  return last ? revisionText(last) : 'not published yet';
}

/** Why readers do not see a revision. */
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

/** From here on, tenths of a second are noise. */
const TENTHS_BELOW_MS = 10_000;
/** Up to two days people count hours. */
const DAYS_FROM_HOURS = 48;

/** `2026-11-23 04:05:06 -07:00`: to the second, as the clocks of a time zone show it, and in no doubt of which. */
export function momentText(moment: Date, timeZone: string): string {
  // Swedes write as ISO 8601 does.
  const clock = new Intl.DateTimeFormat('sv-SE', {
    ...{ timeZone, dateStyle: 'short', timeStyle: 'medium' },
  });
  const zone = new Intl.DateTimeFormat('en', { timeZone, timeZoneName: 'longOffset' });
  const [, offset = '+00:00'] = /GMT([+-]\d\d:\d\d)/.exec(zone.format(moment)) ?? [];
  return `${clock.format(moment)} ${offset}`;
}

/** A word of a shell's command line, whatever is in it. */
export function quotedWord(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
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
