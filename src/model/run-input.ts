import { parseIngestDate } from './dates.ts';
import { ENGINES } from './dataset.ts';
import { LonghaulError } from './errors.ts';
import { parseDatasetName, parseSourceId, printable } from './names.ts';
import type { IngestInput } from './run.ts';

/** What a person types in the Web UI to start `ingestDataset`; the worker's datasets.yaml and settings say the rest. */
export interface HandInput {
  /** A name of datasets.yaml. */
  dataset: string;
  /** Default: today in the dataset's time zone. */
  ingestDate?: string;
  mode?: IngestInput['mode'];
  engine?: IngestInput['engine'];
  again?: boolean;
  accept?: boolean;
  retry?: boolean;
  asIf?: boolean;
}

const MODES = ['ingest', 'land', 'convert'] as const;
const FLAGS = ['again', 'accept', 'retry', 'asIf'] as const;
const HAND_KEYS = ['dataset', 'ingestDate', 'mode', 'engine', ...FLAGS];
const EXAMPLE = 'Write {"dataset":"denver-311"}, a name of datasets.yaml';

/**
 * The input of `ingestDataset`, whoever typed it: by hand, or the whole of it as the CLI starts it.
 * @throws LonghaulError RUN_INPUT_INVALID saying which key is wrong, and what it may be.
 */
export function checkRunInput(input: unknown): HandInput | IngestInput {
  const value = object(input, 'The input');
  const { dataset } = value;
  if (typeof dataset === 'string') return checkHand(value);
  if (dataset === undefined) throw invalid(`"dataset" is missing. ${EXAMPLE}.`);
  return checkWhole(value);
}

export function isHandInput(input: HandInput | IngestInput): input is HandInput {
  return typeof input.dataset === 'string';
}

function checkHand(value: Record<string, unknown>): HandInput {
  const unknown = Object.keys(value).find((key) => !HAND_KEYS.includes(key));
  if (unknown !== undefined) {
    throw invalid(`${quoted(unknown)} is not known; there are ${HAND_KEYS.join(', ')}.`);
  }
  named(() => parseDatasetName(String(value['dataset'])));
  if (value['ingestDate'] !== undefined) checkDate(value['ingestDate']);
  checkChoices(value);
  return value as unknown as HandInput;
}

/** What would otherwise break the workflow, or lead out of the lake; the rest is for the activities. */
function checkWhole(value: Record<string, unknown>): IngestInput {
  const dataset = object(value['dataset'], '"dataset"');
  named(() => parseDatasetName(textOf(dataset['name'], '"dataset.name"')));
  const { sources } = dataset;
  if (!Array.isArray(sources) || sources.length === 0) {
    throw invalid('"dataset.sources" must be a list of sources.');
  }
  for (const each of sources as unknown[]) {
    const source = object(each, 'Every one of "dataset.sources"');
    named(() => parseSourceId(textOf(source['id'], '"id" of a source')));
    textOf(source['address'], `"address" of the source ${quoted(String(source['id']))}`);
    object(source['overrides'], `"overrides" of the source ${quoted(String(source['id']))}`);
  }
  checkDate(value['ingestDate']);
  checkChoices(value);
  for (const key of ['mode', 'engine']) {
    if (value[key] === undefined) throw invalid(`"${key}" is missing.`);
  }
  for (const key of ['sourceConcurrency', 'heartbeatTimeoutMs']) {
    if (Number.isInteger(value[key]) && Number(value[key]) > 0) continue;
    throw invalid(`"${key}" must be a whole number over 0.`);
  }
  return value as unknown as IngestInput;
}

function checkChoices(value: Record<string, unknown>): void {
  const choices: [string, readonly unknown[]][] = [
    ['mode', MODES],
    ['engine', ENGINES],
    ...FLAGS.map((flag): [string, readonly unknown[]] => [flag, [true, false]]),
  ];
  for (const [key, allowed] of choices) {
    const given = value[key];
    if (given === undefined || allowed.includes(given)) continue;
    throw invalid(`"${key}" must be one of ${allowed.join(', ')}, not ${quoted(given)}.`);
  }
}

function checkDate(value: unknown): void {
  named(() => parseIngestDate(textOf(value, '"ingestDate"')));
}

function object(value: unknown, what: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  const found = value === undefined ? 'is missing' : `must be a JSON object, not ${quoted(value)}`;
  throw invalid(`${what} ${found}. ${EXAMPLE}.`);
}

function textOf(value: unknown, what: string): string {
  if (typeof value === 'string' && value !== '') return value;
  throw invalid(`${what} ${value === undefined ? 'is missing' : 'must be text'}.`);
}

function named(check: () => unknown): void {
  try {
    check();
  } catch (error) {
    throw invalid((error as Error).message);
  }
}

function invalid(message: string): LonghaulError {
  return new LonghaulError('RUN_INPUT_INVALID', message);
}

/** Long enough to be recognised. */
const MAX_QUOTED_LENGTH = 60;

function quoted(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return printable(text.slice(0, MAX_QUOTED_LENGTH));
}
