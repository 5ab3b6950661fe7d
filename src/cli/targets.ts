import { accessSync, constants, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Config } from '../config/load-config.ts';
import type { Settings } from '../config/settings.ts';
import { parseNewDatasetName } from '../config/dataset-specs.ts';
import { whyNotAnAddress } from '../config/source-templates.ts';
import {
  isFileAddress,
  NO_FILES_HINT,
  SECRET_HINT,
  secretIn,
  shownAddress,
  variablesIn,
} from '../model/addresses.ts';
import { isDated, ingestDateAt, parseIngestDate, assertDayHasCome } from '../model/dates.ts';
import type { DatasetSpec } from '../model/dataset.ts';
import { LonghaulError } from '../model/errors.ts';
import { fileNameOf, MAX_NAME_LENGTH, parseDatasetName, printable } from '../model/names.ts';
import { nameInPortalAddress, portalAddressOf } from '../landing/portals/recognise.ts';
import { markFile } from '../storage/file-marks.ts';
import { localZone } from './text.ts';

/**
 * Finds what the command line names: datasets of datasets.yaml, or one URL or path.
 * @param isRead if true, the file of a path must exist and be readable.
 */
export function targetsOf(
  config: Config,
  names: readonly string[],
  { name, all }: { name?: string; all?: boolean },
  isRead: boolean,
): DatasetSpec[] {
  const { datasets } = config;
  const file = printable(config.settings.datasetsFile);
  if (all) {
    if (names.length > 0) throw usage('--all names every dataset already.');
    if (datasets.length > 0) return [...datasets];
    throw new LonghaulError('DATASET_UNKNOWN', `No dataset is in ${file}.`);
  }
  if (names.length === 0) {
    const hint = 'longhaul ingest --help has examples.';
    throw usage('Name a dataset, a URL or a file, or all datasets with --all.', hint);
  }
  const place = names.find(isPlace);
  if (place !== undefined) {
    if (names.length === 1) return [ofPlace(place, name, config, isRead)];
    throw usage('One URL or file at a time: several sources make a dataset of datasets.yaml.');
  }
  if (name !== undefined) throw usage('--name goes with a URL or a file; a dataset has its name.');
  return [...new Set(names)].map((given) => {
    parseDatasetName(given);
    const dataset = datasets.find((each) => each.name === given);
    if (dataset) return dataset;
    const known = datasets.map((each) => each.name).join(', ') || 'none';
    const message = `No dataset ${given} is in ${file}; there: ${known}.`;
    throw new LonghaulError('DATASET_UNKNOWN', message);
  });
}

/** The given day, else today in the dataset's time zone. */
export function ingestDateOf(dataset: DatasetSpec, date: string | undefined, now: Date): string {
  if (date === undefined) return ingestDateAt(now, dataset.timeZone);
  const ingestDate = parseIngestDate(date);
  assertDayHasCome(dataset, ingestDate, now);
  return ingestDate;
}

/** True for a URL or a path, false for a dataset's name. */
export function isPlace(text: string): boolean {
  return isUrl(text) || isPath(text);
}

/** URL parsers accept one slash instead of two, and `file:` needs none. */
function isUrl(text: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\//i.test(text) || isFileAddress(text);
}

/** The name of a dataset has no dot and no slash. */
function isPath(text: string): boolean {
  return /[./\\]/.test(text);
}

function ofPlace(
  place: string,
  givenName: string | undefined,
  config: Config,
  isRead: boolean,
): DatasetSpec {
  const address = addressOf(place, config, isRead);
  const [variable] = variablesIn(address);
  if (variable !== undefined) {
    const what = `\${${variable}} stands for something in the addresses of datasets.yaml only`;
    throw new LonghaulError('ADDRESS_REFUSED', `${what}.`, { hint: SECRET_HINT });
  }
  const name = parseNewDatasetName(givenName ?? nameFrom(address));
  if (config.datasets.some((each) => each.name === name)) {
    throw usage(`${name} is a dataset of datasets.yaml already: add another --name.`);
  }
  return {
    name,
    timeZone: localZone(),
    sources: [{ id: name, address, optional: false, overrides: {} }],
  };
}

/** The address of the URL or path that the user typed. Variables stay in it. @param isRead see `targetsOf`. */
export function addressOf(place: string, config: Config, isRead: boolean): string {
  const isFile = isUrl(place) ? isFileAddress(place) && !isDated({ address: place }) : true;
  const address = isFile ? addressOfPath(place, config, isRead) : place;
  const problem = whyNotAnAddress(address);
  if (problem === undefined) return address;
  const hint = secretIn(address) === undefined ? hintOfScheme(address) : SECRET_HINT;
  throw new LonghaulError('ADDRESS_REFUSED', `${problem}.`, { hint });
}

function hintOfScheme(address: string): string | undefined {
  const [, scheme = '', rest = ''] = /^([^:]+):\/*(.*)$/s.exec(address) ?? [];
  if (/^(?:https?|file)$/i.test(scheme)) return undefined;
  // The scheme looks like a misspelled "https".
  if (/^[htps]+$/i.test(scheme)) {
    return `Did you mean ${shownAddress(`http${/s$/i.test(scheme) ? 's' : ''}://${rest}`)}?`;
  }
  return `${scheme}: is not read, only http:, https: and files of this machine: download it, then give its path.`;
}

/** Makes a dataset's name from an address: `Traffic_2014.csv` becomes `traffic-2014`. */
export function nameFrom(address: string): string {
  const portal = portalAddressOf(new URL(address));
  const text = portal
    ? nameInPortalAddress(portal)
    : fileNameOf(address, '').replace(/\.[^.]*$/, '');
  const name = nameFromText(text);
  if (name !== '') return name;
  throw usage(`${shownAddress(address)} does not give a name: add --name.`);
}

/** Makes a dataset's name from any text. Empty if the text has no letter or digit that a name may have. */
export function nameFromText(text: string): string {
  return text
    .normalize('NFKD')
    .replaceAll(/\p{M}/gu, '')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replace(/^-/, '')
    .slice(0, MAX_NAME_LENGTH)
    .replace(/-$/, '');
}

function usage(message: string, hint?: string): LonghaulError {
  return new LonghaulError('USAGE', message, { hint });
}

function addressOfPath(typed: string, { settings, cwd }: Config, isRead: boolean): string {
  const path = isFileAddress(typed) ? pathOf(typed) : resolve(cwd, typed);
  if (settings.addresses.fileMarks === undefined) {
    const where = settings.temporal.address ?? 'elsewhere';
    const message = `${printable(path)} is a file of this machine, which the workers of the Temporal at ${where} do not read.`;
    throw new LonghaulError('ADDRESS_REFUSED', message, { hint: NO_FILES_HINT });
  }
  if (isRead) assertReadable(path, typed);
  return pathToFileURL(path).href;
}

function assertReadable(path: string, typed: string): void {
  const shown = printable(path);
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found) {
    const www = /^www\./i.test(typed) || /^https?\/\//i.test(typed);
    const hint = www
      ? 'An address starts with https:// or http://.'
      : 'Look at the path; a dataset of datasets.yaml is named without dots and slashes.';
    throw new LonghaulError('SOURCE_NOT_FOUND', `There is no file ${shown}.`, { hint });
  }
  if (!found.isFile()) {
    const what = found.isDirectory() ? 'a folder' : 'no regular file';
    const hint = 'Name one CSV file; several sources make a dataset of datasets.yaml.';
    throw usage(`${shown} is ${what}.`, hint);
  }
  try {
    accessSync(path, constants.R_OK);
  } catch {
    const hint = 'Give yourself the permission to read it (chmod u+r).';
    throw new LonghaulError('SOURCE_FORBIDDEN', `You may not read ${shown}.`, { hint });
  }
}

/**
 * Lets the embedded worker read the files that this user named on the command line or in datasets.yaml. It must never
 * be called for the addresses in a run's history, because another user may have started that run.
 */
export async function nameFiles(
  { addresses: { fileMarks } }: Pick<Settings, 'addresses'>,
  datasets: readonly DatasetSpec[],
): Promise<void> {
  if (fileMarks === undefined) return;
  for (const { sources } of datasets) {
    for (const source of sources) {
      const { address } = source;
      if (!isFileAddress(address)) continue;
      await markFile(fileMarks, pathOf(address), { dated: isDated(source) });
    }
  }
}

function pathOf(address: string): string {
  try {
    return fileURLToPath(address);
  } catch (error) {
    const message = `${printable(address)} is no file here: ${(error as Error).message}.`;
    const hint = 'A path needs no file: before it, and no host.';
    throw new LonghaulError('ADDRESS_REFUSED', message, { hint }, { cause: error });
  }
}
