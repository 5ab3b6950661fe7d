import { stringify } from 'yaml';
import type { NewDataset } from '../config/add-dataset.ts';
import type { Choice, Description } from '../landing/portals/description.ts';
import { csvReadingText } from '../model/scan.ts';
import { shownAddress } from '../model/addresses.ts';
import { printable } from '../model/names.ts';
import type { Look } from './add.ts';
import type { CliContext } from './command.ts';
import { errorText } from './errors.ts';
import { typeText } from './inspect-text.ts';
import { factLines, sideBySide } from './side-by-side.ts';
import { countText, momentText, nearPath } from './text.ts';

interface Added extends Look {
  name: string;
  /** The path of datasets.yaml. */
  file: string;
  dataset: NewDataset;
}

/** A wide table is known by its first columns; `inspect` shows all. */
const MAX_COLUMNS_SHOWN = 20;

/** Of a licence some portals have the whole text. */
const MAX_FACT_CHARACTERS = 400;

export function addedText(added: Added, cwd: string, { width, lakeFlag }: CliContext): string {
  const { name, file, dataset, description } = added;
  const entry = stringify({ [name]: dataset }, { schema: 'failsafe', lineWidth: 0 }).trimEnd();
  const title = description?.title;
  return [
    ...(title === undefined ? [] : [printable(title)]),
    ...factLines(factsOf(added), width),
    ...columnLines(added, width),
    ...problemLines(added),
    '',
    `Added to ${nearPath(file, cwd)}:`,
    '',
    ...entry.split('\n').map((line) => `  ${line}`),
    '',
    `Next: longhaul ingest ${name}${lakeFlag}`,
  ].join('\n');
}

function factsOf({ description, csv, dataset }: Added): [string, string][] {
  const facts: [string, string | undefined][] = description
    ? ofPortal(description, dataset.time_zone)
    : [['address', shownAddress(dataset.sources[0].address)]];
  if (csv) facts.push(['read as', csvReadingText(csv.reading)]);
  return facts.flatMap(([name, text]): [string, string][] =>
    text === undefined ? [] : [[name, text.slice(0, MAX_FACT_CHARACTERS)]],
  );
}

function ofPortal(description: Description, timeZone: string): [string, string | undefined][] {
  const { kind, service, publisher, licence, records, changedAt, reads } = description;
  const changed = changedAt === undefined ? undefined : new Date(changedAt);
  const isMoment = changed !== undefined && !Number.isNaN(changed.getTime());
  return [
    [kind, shownAddress(service)],
    ['publisher', publisher],
    ['licence', licence],
    ['records', records === undefined ? undefined : countText(records)],
    ['changed', isMoment ? momentText(changed, timeZone) : changedAt],
    ['a run reads', reads === 'file' ? 'a file' : 'the table page by page'],
  ];
}

function columnLines({ description, csv }: Look, width: number): string[] {
  const rows =
    description?.columns?.map(({ name, type }, index) => {
      const values = description.examples?.map((record) => record[index] ?? null) ?? [];
      return [name, type, values.find((value) => value !== null && value !== '') ?? ''];
    }) ??
    csv?.columns.map((column) => [
      column.name,
      typeText(column),
      column.examples.slice(0, 1).join(''),
    ]) ??
    [];
  if (rows.length === 0) return [];
  const left = rows.length - MAX_COLUMNS_SHOWN;
  const whose = description?.columns
    ? "types in the portal's words; a run finds its own in all values"
    : csv?.isWhole === false
      ? 'types of the first MiB only; a run finds them in the whole file'
      : 'types of the whole file';
  return [
    '',
    `${countText(rows.length)} ${rows.length === 1 ? 'column' : 'columns'} (${whose}):`,
    ...sideBySide(rows.slice(0, MAX_COLUMNS_SHOWN), width),
    ...(left > 0 ? [`  … and ${countText(left)} more`] : []),
  ];
}

function problemLines({ csv, unread }: Look): string[] {
  const problems = [...(csv?.problems ?? []), ...(unread ? [unread] : [])];
  if (problems.length === 0) return [];
  return ['', 'As it is now, a run would stop:', ...problems.map(errorText)];
}

export function choicesText(choices: readonly Choice[], { width }: CliContext): string {
  const lines = choices.flatMap(({ title, address }) => [
    ...sideBySide([[title]], width),
    `    longhaul add ${quoted(printable(address))}`,
  ]);
  return [`The address leads to ${choices.length} tables; add one of them:`, ...lines].join('\n');
}

/** For a shell. */
function quoted(text: string): string {
  return /^[\w.:/=?&%~@+-]+$/.test(text) && !/[?&]/.test(text)
    ? text
    : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
