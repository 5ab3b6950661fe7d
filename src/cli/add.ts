import { existsSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { checkedDataset, scheduleIn, withDataset, type NewDataset } from '../config/add-dataset.ts';
import { parseNewDatasetName } from '../config/dataset-specs.ts';
import type { Config } from '../config/load-config.ts';
import type { FileReport } from '../conversion/file-report.ts';
import type { Choice, Description } from '../landing/portals/description.ts';
import { exitCodeOf, LonghaulError } from '../model/errors.ts';
import { printable, viewNameOf } from '../model/names.ts';
import { replaceFile } from '../storage/replace-file.ts';
import { addedText, choicesText } from './add-text.ts';
import type { AddFlags } from './commands/add.ts';
import { interruptible, print, type CliContext } from './command.ts';
import { errorObject } from './errors.ts';
import { reportJson } from './inspect-text.ts';
import { describeAsked, reportAsked, type Asked } from './publisher.ts';
import { addressOf, nameFrom, nameFromText } from './targets.ts';
import { localZone } from './text.ts';

/** A file is shown by so much of its start: one short request, as a run's probe. */
const HEAD_BYTES = 1024 * 1024;

/** What is known of an address before anything is written. */
export interface Look {
  description?: Description;
  /** Of a file's head, where no portal names the columns. */
  csv?: FileReport;
  /** Why the file could not be looked at, where it is added nevertheless. */
  unread?: LonghaulError;
}

/** Looks at the address, and writes the dataset, unless the address leads to several tables. */
export async function addDataset(
  context: CliContext,
  place: string,
  flags: AddFlags,
): Promise<void> {
  const config = context.loadConfig();
  const dataset = newDataset(addressOf(place, config, true), flags);
  const given = flags.name === undefined ? undefined : freeName(config, flags.name);
  const { source } = checkedDataset(given ?? 'new', dataset);
  const timeZone = dataset.time_zone;
  const look = await interruptible(
    async (signal) => await lookAt({ config, source, isNamed: false, timeZone, signal }),
    'Looking at the address',
  );
  if (Array.isArray(look)) {
    await listChoices(context, flags, look);
    return;
  }
  const { description } = look;
  if (flags.geometry !== undefined && description?.kind !== 'arcgis') {
    throw new LonghaulError('USAGE', '--geometry is for layers of ArcGIS, and this is none.');
  }
  const name = given ?? freeName(config, defaultName(description, source.address));
  const file = await write(config, name, dataset, description);
  const added = { name, view: viewNameOf(name), file, dataset };
  const { csv, unread } = look;
  const report = {
    ...added,
    ...(description && { description }),
    ...(csv && { csv: reportJson(csv) }),
    ...(unread && { unread: errorObject(unread) }),
  };
  await print(context, flags, report, () => addedText({ ...added, ...look }, config.cwd, context));
}

function newDataset(address: string, flags: AddFlags): NewDataset {
  const { id, geometry, schedule, header = [] } = flags;
  const headers = headersIn(header);
  return {
    time_zone: localZone(),
    ...(schedule !== undefined && { schedule: scheduleIn(schedule) }),
    sources: [{ id, address, ...(headers && { headers }), ...(geometry && { geometry }) }],
  };
}

function headersIn(lines: readonly string[]): Record<string, string> | undefined {
  if (lines.length === 0) return undefined;
  const pairs = lines.map((line): [string, string] => {
    const [, name, value] = /^([^:\s]+):\s*(.*)$/s.exec(line) ?? [];
    if (name !== undefined && value !== undefined) return [name, value];
    const hint = "It is written --header 'Name: value'.";
    throw new LonghaulError('USAGE', `${JSON.stringify(printable(line))} is no header.`, { hint });
  });
  return Object.fromEntries(pairs);
}

/** @throws LonghaulError NAME_INVALID; USAGE where the name is taken. */
function freeName({ datasets, settings }: Config, wanted: string): string {
  const name = parseNewDatasetName(wanted);
  const isTaken = (each: string): boolean => datasets.some((dataset) => dataset.name === each);
  if (!isTaken(name)) return name;
  let number = 2;
  while (isTaken(`${name}-${number}`)) number += 1;
  const what = `${name} is a dataset of ${printable(settings.datasetsFile)} already.`;
  throw new LonghaulError('USAGE', what, {
    hint: `Give this one another name: --name ${name}-${number}.`,
  });
}

function defaultName(description: Description | undefined, address: string): string {
  const ofTitle = nameFromText(description?.title ?? '');
  return ofTitle === '' ? nameFrom(address) : ofTitle;
}

async function lookAt(asked: Asked): Promise<Look | Choice[]> {
  const description = await describeAsked(asked);
  if (Array.isArray(description)) return description;
  if (description?.columns) return { description };
  try {
    return { ...(description && { description }), csv: await reportAsked(asked, HEAD_BYTES) };
  } catch (error) {
    if (!(error instanceof LonghaulError) || asked.signal.aborted) throw error;
    if (description) return { description, unread: error };
    // A key of the source settles it, which needs its place in datasets.yaml.
    if (error.code === 'SOURCE_DELIMITER_UNCLEAR') return { unread: error };
    throw error;
  }
}

async function listChoices(context: CliContext, flags: AddFlags, choices: Choice[]): Promise<void> {
  const message = `The address leads to ${choices.length} tables.`;
  const hint = 'Add the address of one of them.';
  const error = errorObject(new LonghaulError('ADDRESS_AMBIGUOUS', message, { hint }));
  context.setExitCode(exitCodeOf('ADDRESS_AMBIGUOUS'));
  await print(context, flags, { error, choices }, () => choicesText(choices, context));
}

/** A line of comment: what the table is, and the licence to be kept to. */
const MAX_REMARK_CHARACTERS = 160;

/** @returns the path of datasets.yaml. */
async function write(
  { settings: { datasetsFile } }: Config,
  name: string,
  dataset: NewDataset,
  description: Description | undefined,
): Promise<string> {
  const { title, publisher, licence } = description ?? {};
  const known = [title, publisher, licence].filter((each) => each !== undefined);
  const remark = printable(known.join(', ')).slice(0, MAX_REMARK_CHARACTERS);
  const isThere = existsSync(datasetsFile);
  // A link to the file stays one.
  const path = isThere ? realpathSync(datasetsFile) : datasetsFile;
  const text = isThere ? readFileSync(path, 'utf8') : '';
  const changed = withDataset(text, name, dataset, remark === '' ? undefined : remark);
  await replaceFile(path, changed, isThere ? statSync(path).mode & 0o777 : 0o666);
  return datasetsFile;
}
