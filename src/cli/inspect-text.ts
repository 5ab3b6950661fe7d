import type { FileReport, ReportedColumn } from '../conversion/file-report.ts';
import { bytesText } from '../model/texts.ts';
import { printable } from '../model/names.ts';
import { errorObject, errorText } from './errors.ts';
import { factLines, sideBySide, wrapped } from './side-by-side.ts';
import { countText } from './text.ts';

/** One file: what was read, how, and each column with the values that decide its type. */
export function fileText(title: string, report: FileReport, width: number): string {
  const { bytes, isWhole, totalBytes, records, problems } = report;
  const of = totalBytes === undefined ? '' : ` of ${bytesText(totalBytes)}`;
  const what = isWhole
    ? `the whole file, ${bytesText(bytes)}`
    : `the first ${bytesText(bytes)}${of}`;
  return [
    printable(title),
    `${what}: ${countText(records)} records`,
    ...factLines(factsOf(report), width),
    '',
    ...columnLines(report, width),
    ...(problems.length === 0
      ? []
      : ['', 'As it is now, a run would stop:', ...problems.map(errorText)]),
  ].join('\n');
}

export function typeText({ type, format }: Pick<ReportedColumn, 'type' | 'format'>): string {
  return format === undefined ? type : `${type} ${format}`;
}

function factsOf({ isCanonical, reading, why, scan, columns }: FileReport): [string, string][] {
  const { delimiter, encoding, header, headerLine, bareQuotes } = reading;
  const { lineEnds, quotedBreaks, blankLines, maxRecordBytes, bomBytes } = scan;
  const ends = (['crlf', 'lf', 'cr'] as const).filter((name) => lineEnds[name] > 0);
  return [
    ...(isCanonical ? [WRITTEN_BY_LONGHAUL] : []),
    ['delimiter', `${JSON.stringify(delimiter)}: ${why.delimiter}`],
    ['encoding', `${encoding}: ${why.encoding}`],
    ['byte order mark', bomBytes > 0 ? `${bomBytes} bytes` : 'none'],
    [
      'header',
      header
        ? `line ${headerLine ?? '?'}, ${countText(columns.length)} columns`
        : `none: the first record is data, of ${countText(columns.length)} columns`,
    ],
    [
      'line ends',
      ends.map((name) => `${countText(lineEnds[name])} ${name.toUpperCase()}`).join(', ') || 'none',
    ],
    ...counted('blank lines', blankLines),
    ...counted('quoted breaks', quotedBreaks),
    ...(bareQuotes.count === 0
      ? []
      : ([['bare quotes', bareQuotesText(bareQuotes)]] as [string, string][])),
    ['longest record', bytesText(maxRecordBytes)],
  ];
}

const WRITTEN_BY_LONGHAUL: [string, string] = [
  'written by',
  "Longhaul, of the portal's records: its form is not the publisher's",
];

function counted(name: string, number: number): [string, string][] {
  return number === 0 ? [] : [[name, countText(number)]];
}

function bareQuotesText({ count, examples }: FileReport['reading']['bareQuotes']): string {
  const [first] = examples;
  const where = first ? `; the first in line ${first.line}, byte ${first.byteOffset}` : '';
  return `${countText(count)} inside unquoted fields, kept as text${where}`;
}

/** Two lines a column: what it is, and why. */
function columnLines({ columns, records }: FileReport, width: number): string[] {
  const heads = sideBySide(
    columns.map((column) => [
      column.name,
      typeText(column),
      `${shareText(column.emptyRecords, records)} empty`,
      column.examples.map((each) => JSON.stringify(each)).join(', '),
    ]),
    width,
  );
  return columns.flatMap(({ why }, index) => [
    heads[index] ?? '',
    ...wrapped(printable(why), width - WHY_INDENT.length).map((line) => WHY_INDENT + line),
  ]);
}

const WHY_INDENT = ' '.repeat(6);

/** Rounded, but never to 0% or 100% where it is not. */
function shareText(part: number, all: number): string {
  if (part === 0 || all === 0) return '0%';
  if (part === all) return '100%';
  const percent = (part / all) * 100;
  return `${Math.min(Math.max(percent, 0.1), 99.9).toFixed(1)}%`;
}

/** As the JSON of `inspect` and `add` has it. */
export function reportJson(report: FileReport): object {
  return { ...report, problems: report.problems.map(errorObject) };
}
