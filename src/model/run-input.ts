import { parseIngestDate } from './dates.ts';
import { ENGINES } from './dataset.ts';
import { LonghaulError } from './errors.ts';
import { parseDatasetName, parseSourceId, printable } from './names.ts';
import { ingestWorkflowId, type DayInput, type IngestInput } from './run.ts';

const FLAGS = ['again', 'accept', 'retry', 'asIf', 'followed', 'backfill'] as const;
const COUNTS = ['sourceConcurrency', 'heartbeatTimeoutMs'] as const;
const CHOICES: Partial<Record<keyof IngestInput, readonly unknown[]>> = {
  mode: ['ingest', 'land', 'convert'],
  engine: ENGINES,
  ...Object.fromEntries(FLAGS.map((flag) => [flag, [true, false]])),
};
const KEYS = ['dataset', 'ingestDate', 'mode', 'engine', ...FLAGS, 'spec', ...COUNTS];
const EXAMPLE = 'Write {"dataset":"denver-311"}, a name of datasets.yaml';

/**
 * Checks the input of `ingestDataset` from a command, a schedule, the Web UI or another client.
 * @throws LonghaulError RUN_INPUT_INVALID with the wrong key and its permitted values.
 */
export function checkRunInput(input: unknown): IngestInput {
  const value = object(input, 'The input');
  if (value['dataset'] === undefined) throw invalid(`"dataset" is missing. ${EXAMPLE}.`);
  const unknown = Object.keys(value).find((key) => !KEYS.includes(key));
  // Without `spec`, a user typed the input. With it, a command of a later release may know more keys than this worker.
  if (unknown !== undefined && value['spec'] === undefined) {
    throw invalid(`${quoted(unknown)} is not known; there are ${KEYS.join(', ')}.`);
  }
  const dataset = named(() => parseDatasetName(textOf(value['dataset'], '"dataset"')));
  if (value['ingestDate'] !== undefined) {
    named(() => parseIngestDate(textOf(value['ingestDate'], '"ingestDate"')));
  }
  for (const [key, allowed = []] of Object.entries(CHOICES)) {
    const given = value[key];
    if (given === undefined || allowed.includes(given)) continue;
    throw invalid(`"${key}" must be one of ${allowed.join(', ')}, not ${quoted(given)}.`);
  }
  for (const key of COUNTS) {
    const given = value[key];
    if (given === undefined || (Number.isInteger(given) && Number(given) > 0)) continue;
    throw invalid(`"${key}" must be a whole number over 0.`);
  }
  if (value['spec'] !== undefined) checkSpec(object(value['spec'], '"spec"'), dataset);
  return value as unknown as IngestInput;
}

/** Checks what could break the workflow or lead out of the lake. The activities check the rest. */
function checkSpec({ name, sources }: Record<string, unknown>, dataset: string): void {
  if (name !== dataset) throw invalid(`"spec" is of ${quoted(name)}, "dataset" is ${dataset}.`);
  if (!Array.isArray(sources) || sources.length === 0) {
    throw invalid('"spec.sources" must be a list of sources.');
  }
  for (const each of sources as unknown[]) {
    const source = object(each, 'Each of "spec.sources"');
    named(() => parseSourceId(textOf(source['id'], '"id" of a source')));
    textOf(source['address'], `"address" of the source ${quoted(source['id'])}`);
    object(source['overrides'], `"overrides" of the source ${quoted(source['id'])}`);
  }
}

/**
 * The input with the day of the workflow's id. Because of the id, one dataset and day have one run at a time.
 * @param today example for the error if neither the input nor the id has a day.
 * @throws LonghaulError RUN_INPUT_INVALID with the right id if the workflow has another id.
 */
export function inputOfDay(input: IngestInput, workflowId: string, today: string): DayInput {
  const { dataset, ingestDate = dayIn(workflowId) ?? today } = input;
  const id = ingestWorkflowId(dataset, ingestDate);
  if (id === workflowId) return { ...input, ingestDate };
  throw invalid(
    `The run of ${dataset} on ${ingestDate} has the workflow id ${id}, not ${quoted(workflowId)}: start it under that one.`,
  );
}

function dayIn(workflowId: string): string | undefined {
  try {
    return parseIngestDate(workflowId.slice(workflowId.lastIndexOf('/') + 1));
  } catch {
    return undefined;
  }
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

function named<T>(check: () => T): T {
  try {
    return check();
  } catch (error) {
    throw invalid((error as Error).message);
  }
}

function invalid(message: string): LonghaulError {
  return new LonghaulError('RUN_INPUT_INVALID', message);
}

/** Characters that are enough for the user to recognise the value. */
const MAX_QUOTED_LENGTH = 60;

function quoted(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return printable(text.slice(0, MAX_QUOTED_LENGTH));
}
