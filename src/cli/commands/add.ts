import { existsSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { Command, Option } from 'commander';
import { stringify } from 'yaml';
import { checkedDataset, scheduleIn, withDataset } from '../../config/add-dataset.ts';
import type { NewDataset } from '../../config/add-dataset.ts';
import { parseNewDatasetName } from '../../config/dataset-specs.ts';
import type { Config } from '../../config/load-config.ts';
import type { FileReport } from '../../conversion/file-report.ts';
import type { Choice, Description } from '../../landing/portals/portal.ts';
import { shownAddress } from '../../model/addresses.ts';
import { GEOMETRIES, type Geometry } from '../../model/dataset.ts';
import { exitCodeOf, LonghaulError } from '../../model/errors.ts';
import { printable, viewNameOf } from '../../model/names.ts';
import { csvReadingText } from '../../model/scan.ts';
import { countText } from '../../model/texts.ts';
import { replaceFile } from '../../storage/replace-file.ts';
import { examples, interruptible, print, type CliContext, type Flags } from '../command.ts';
import { errorObject } from '../errors.ts';
import type { Asked } from '../publisher.ts';
import { addressOf, nameFrom, nameFromText } from '../targets.ts';
import {
  factLines,
  localZone,
  momentText,
  nearPath,
  quotedWord,
  sideBySide,
  type Fact,
} from '../text.ts';
import { problemLines, reportJson, typeText } from './inspect.ts';

/** `add` reads only this much from the start of a file, so that one short request is enough. */
const HEAD_BYTES = 1024 * 1024;

interface AddFlags extends Flags {
  id: string;
  schedule?: string;
  geometry?: Geometry;
  header?: string[];
}

export function addCommand(context: CliContext): Command {
  const command = new Command('add')
    .summary("add a portal's page, a CSV file's address or a CSV file to datasets.yaml")
    .description(
      'Looks at the address: what a portal says of the table (title, licence, columns), or what the first MiB of a CSV ' +
        'file shows. Then writes a dataset of this one source into datasets.yaml, and leaves all else in the file as it ' +
        'is. Where the address leads to several tables, it lists their addresses and writes nothing.',
    )
    .argument('<address>', "the address of a portal's page or of a CSV file, or a path")
    .option(
      '--name <name>',
      "name of the dataset (default: from the portal's title, or the address)",
    )
    .option('--id <id>', 'id of the source: its name in the lake', 'all')
    .option(
      '--schedule <yaml>',
      'when it runs, as datasets.yaml writes it: true, "every: 6h", "cron: 30 5 * * *"',
    )
    .addOption(
      new Option(
        '--geometry <form>',
        'how the geometry of an ArcGIS layer becomes columns',
      ).choices(GEOMETRIES),
    )
    .option(
      '--header <line>',
      "a header of each request, 'X-App-Token: ${NAME}', NAME from the environment or .env; repeatable",
      (line: string, lines: string[] | undefined) => [...(lines ?? []), line],
    )
    .action(async (address: string, flags: AddFlags) => await add(context, address, flags));
  return examples(command, [
    'add https://data.example.org/trees.csv --name trees',
    'add https://data.example.org/d/ab12-cd34 --schedule "every: 6h"',
    "add https://data.example.org/d/ab12-cd34 --header 'X-App-Token: ${APP_TOKEN}'",
    'add ./trees.csv --json',
  ]);
}

/** What the CLI knows of an address before it writes datasets.yaml. */
interface Look {
  description?: Description;
  /** Report on the start of the file. Absent if a portal names the columns. */
  csv?: FileReport;
  /** Why the CLI could not read the file. It adds the file nevertheless. */
  unread?: LonghaulError;
}

/** Looks at the address and writes the dataset. If the address leads to several tables, lists them instead. */
async function add(context: CliContext, place: string, flags: AddFlags): Promise<void> {
  const config = context.loadConfig();
  const dataset = newDataset(addressOf(place, config, true), flags);
  const given = flags.name === undefined ? undefined : freeName(config, flags.name);
  const { source } = checkedDataset(given ?? 'new', dataset);
  const timeZone = dataset.time_zone;
  const look = await interruptible(
    async (signal) => await lookAt({ config, source, isNamed: false, timeZone, signal }),
    'Looking at the address',
  );
  if (Array.isArray(look)) return await listChoices(context, flags, look);
  const { description, csv, unread } = look;
  if (flags.geometry !== undefined && description?.kind !== 'arcgis') {
    throw new LonghaulError(
      'USAGE',
      '--geometry is for layers of ArcGIS, and this address is not one.',
    );
  }
  const ofTitle = nameFromText(description?.title ?? '');
  const name = given ?? freeName(config, ofTitle === '' ? nameFrom(source.address) : ofTitle);
  const file = config.settings.datasetsFile;
  await write(file, name, dataset, description);
  const report = {
    ...{ name, view: viewNameOf(name), file, dataset, description },
    ...(csv && { csv: reportJson(csv) }),
    ...(unread && { unread: errorObject(unread) }),
  };
  await print(context, flags, report, () =>
    [
      ...lookLines(look, dataset, context.width),
      '',
      `Added to ${nearPath(file, config.cwd)}:`,
      '',
      ...stringify({ [name]: dataset }, { schema: 'failsafe', lineWidth: 0 })
        .trimEnd()
        .split('\n')
        .map((line) => `  ${line}`),
      '',
      `Next: longhaul ingest ${name}${context.lakeFlag}`,
    ].join('\n'),
  );
}

function newDataset(address: string, flags: AddFlags): NewDataset {
  const { id, geometry, schedule, header } = flags;
  const headers = header && Object.fromEntries(header.map(headerIn));
  return {
    time_zone: localZone(),
    ...(schedule !== undefined && { schedule: scheduleIn(schedule) }),
    sources: [{ id, address, ...(headers && { headers }), ...(geometry && { geometry }) }],
  };
}

function headerIn(line: string): [string, string] {
  const [, name, value] = /^([^:\s]+):\s*(.*)$/s.exec(line) ?? [];
  if (name !== undefined && value !== undefined) return [name, value];
  const hint = "It is written --header 'Name: value'.";
  throw new LonghaulError('USAGE', `${JSON.stringify(printable(line))} is no header.`, { hint });
}

/** @throws LonghaulError USAGE if a dataset already has the wanted name. The hint proposes a free one. */
function freeName({ datasets, settings }: Config, wanted: string): string {
  const name = parseNewDatasetName(wanted);
  const isTaken = (each: string): boolean => datasets.some((dataset) => dataset.name === each);
  if (!isTaken(name)) return name;
  let number = 2;
  while (isTaken(`${name}-${number}`)) number += 1;
  const what = `${name} is a dataset of ${printable(settings.datasetsFile)} already.`;
  const hint = `Give this one another name: --name ${name}-${number}.`;
  throw new LonghaulError('USAGE', what, { hint });
}

async function lookAt(asked: Asked): Promise<Look | Choice[]> {
  const { describeAsked, reportAsked } = await import('../publisher.ts');
  const description = await describeAsked(asked);
  if (Array.isArray(description)) return description;
  const look = description ? { description } : {};
  if (description?.columns) return look;
  try {
    return { ...look, csv: await reportAsked(asked, HEAD_BYTES) };
  } catch (error) {
    if (!(error instanceof LonghaulError) || asked.signal.aborted) throw error;
    // The user can fix this error with a key of the source, so the source must be in datasets.yaml first.
    if (description || error.code === 'SOURCE_DELIMITER_UNCLEAR') return { ...look, unread: error };
    throw error;
  }
}

async function listChoices(context: CliContext, flags: AddFlags, choices: Choice[]): Promise<void> {
  const message = `The address leads to ${choices.length} tables.`;
  const hint = 'Add the address of one of them.';
  const error = errorObject(new LonghaulError('ADDRESS_AMBIGUOUS', message, { hint }));
  context.setExitCode(exitCodeOf('ADDRESS_AMBIGUOUS'));
  await print(context, flags, { error, choices }, () =>
    [
      `The address leads to ${choices.length} tables; add one of them:`,
      ...choices.flatMap(({ title, address }) => [
        ...sideBySide([[title]], context.width),
        `    longhaul add ${/^[\w.:/=%~@+-]+$/.test(address) ? address : quotedWord(printable(address))}`,
      ]),
    ].join('\n'),
  );
}

/** The title, the publisher and the licence fit into one line of comment in datasets.yaml. */
const MAX_REMARK_CHARACTERS = 160;

async function write(
  datasetsFile: string,
  name: string,
  dataset: NewDataset,
  { title, publisher, licence }: Partial<Description> = {},
): Promise<void> {
  const known = [title, publisher, licence].filter((each) => each !== undefined);
  const remark = printable(known.join(', ')).slice(0, MAX_REMARK_CHARACTERS);
  const isThere = existsSync(datasetsFile);
  // If datasets.yaml is a symlink, it stays one.
  const path = isThere ? realpathSync(datasetsFile) : datasetsFile;
  const text = isThere ? readFileSync(path, 'utf8') : '';
  const changed = withDataset(text, name, dataset, remark === '' ? undefined : remark);
  await replaceFile(path, changed, isThere ? statSync(path).mode & 0o777 : 0o666);
}

/** The user recognises a wide table by its first columns. `inspect` shows all. */
const MAX_COLUMNS_SHOWN = 20;

/** Some portals give the whole text of a licence. */
const MAX_FACT_CHARACTERS = 400;

function lookLines(look: Look, { sources, time_zone: zone }: NewDataset, width: number): string[] {
  const { description, csv, unread } = look;
  const facts: Fact[] = [
    ...(description ? ofPortal(description, zone) : []),
    ['address', !description && shownAddress(sources[0].address)],
    ['read as', csv && csvReadingText(csv.reading)],
  ];
  const short = facts.map(([name, text]): Fact => [
    name,
    text && text.slice(0, MAX_FACT_CHARACTERS),
  ]);
  return [
    ...(description?.title === undefined ? [] : [printable(description.title)]),
    ...factLines(short, width),
    ...columnLines(look, width),
    ...problemLines([...(csv?.problems ?? []), ...(unread ? [unread] : [])]),
  ];
}

function ofPortal(description: Description, timeZone: string): Fact[] {
  const { kind, service, publisher, licence, records, changedAt, reads } = description;
  const changed = new Date(changedAt ?? '');
  const isMoment = !Number.isNaN(changed.getTime());
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
      const values = description.examples?.map((record) => record[index]) ?? [];
      return [name, type, values.find(Boolean) ?? ''];
    }) ??
    csv?.columns.map((column) => [column.name, typeText(column), column.examples[0] ?? '']) ??
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
