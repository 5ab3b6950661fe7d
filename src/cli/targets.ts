import type { Config } from '../config/load-config.ts';
import { parseNewDatasetName } from '../config/dataset-specs.ts';
import { whyNotAnAddress } from '../config/source-templates.ts';
import { shownAddress } from '../model/addresses.ts';
import type { DatasetSpec } from '../model/dataset.ts';
import { ingestDateAt, parseIngestDate } from '../model/dates.ts';
import { LonghaulError } from '../model/errors.ts';
import { assertDayHasCome } from '../model/ingest-day.ts';
import { fileNameOf, parseDatasetName, printable } from '../model/names.ts';

/**
 * What the command line names: datasets of datasets.yaml, or one URL.
 * @throws LonghaulError DATASET_UNKNOWN, NAME_INVALID, USAGE.
 */
export function targetsOf(
  { datasets, settings }: Pick<Config, 'datasets' | 'settings'>,
  names: readonly string[],
  givenName: string | undefined,
  all = false,
): DatasetSpec[] {
  if (all) return allOf(datasets, names, settings.datasetsFile);
  if (names.length === 0) {
    throw new LonghaulError('USAGE', 'Name a dataset or a URL, or all of them with --all.', {
      hint: 'longhaul ingest --help has examples.',
    });
  }
  const url = names.find((name) => isUrl(name));
  if (url === undefined) {
    if (givenName !== undefined) throw usage('--name goes with a URL; a dataset has its name.');
    return [...new Set(names)].map((name) => datasetNamed(name, datasets, settings.datasetsFile));
  }
  if (names.length > 1)
    throw usage('One URL at a time: several sources make a dataset of datasets.yaml.');
  return [ofUrl(url, givenName, datasets)];
}

function allOf(
  datasets: readonly DatasetSpec[],
  names: readonly string[],
  datasetsFile: string,
): DatasetSpec[] {
  if (names.length > 0) throw usage('--all names every dataset already.');
  if (datasets.length > 0) return [...datasets];
  throw new LonghaulError('DATASET_UNKNOWN', `No dataset is in ${printable(datasetsFile)}.`);
}

function datasetNamed(
  name: string,
  datasets: readonly DatasetSpec[],
  datasetsFile: string,
): DatasetSpec {
  parseDatasetName(name);
  const dataset = datasets.find((each) => each.name === name);
  if (dataset) return dataset;
  const known = datasets.map((each) => each.name).join(', ') || 'none';
  throw new LonghaulError(
    'DATASET_UNKNOWN',
    `No dataset ${name} is in ${printable(datasetsFile)}; there: ${known}.`,
  );
}

/**
 * The given day, else today in the dataset's time zone.
 * @throws LonghaulError NAME_INVALID; DATE_IN_FUTURE, before anything starts: the worker looks too.
 */
export function ingestDateOf(dataset: DatasetSpec, date: string | undefined, now: Date): string {
  if (date === undefined) return ingestDateAt(now, dataset.timeZone);
  const ingestDate = parseIngestDate(date);
  assertDayHasCome(dataset, ingestDate, now);
  return ingestDate;
}

function isUrl(text: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(text) || /^file:/i.test(text);
}

function ofUrl(
  address: string,
  givenName: string | undefined,
  datasets: readonly DatasetSpec[],
): DatasetSpec {
  const problem = whyNotAnAddress(address);
  if (problem !== undefined) throw new LonghaulError('ADDRESS_REFUSED', `${problem}.`);
  const name = parseNewDatasetName(givenName ?? nameFrom(address));
  if (datasets.some((each) => each.name === name)) {
    throw usage(`${name} is a dataset of datasets.yaml already: give the URL another --name.`);
  }
  const timeZone = new Intl.DateTimeFormat().resolvedOptions().timeZone;
  return { name, timeZone, sources: [{ id: name, address, optional: false, overrides: {} }] };
}

/** `Traffic_2014.csv` → `traffic-2014`. */
function nameFrom(address: string): string {
  const name = fileNameOf(address, '')
    .replace(/\.[^.]*$/, '')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-|-$/g, '');
  if (name !== '') return name;
  throw usage(`${shownAddress(address)} does not tell a name: add --name.`);
}

function usage(message: string): LonghaulError {
  return new LonghaulError('USAGE', message);
}
