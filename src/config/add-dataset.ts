import { isDeepStrictEqual } from 'node:util';
import { isMap, isNode, parseDocument, stringify, type YAMLMap } from 'yaml';
import type { Geometry, SourceSpec } from '../model/dataset.ts';
import type { ScheduleSpec } from '../model/schedule.ts';
import { LonghaulError } from '../model/errors.ts';
import { datasetsOf } from './dataset-specs.ts';
import { parseDatasets } from './load-datasets.ts';

/** A dataset of one source, with the keys of datasets.yaml. */
export interface NewDataset {
  time_zone: string;
  /** The value that `scheduleIn` returns. */
  schedule?: unknown;
  sources: [NewSource];
}

interface NewSource {
  id: string;
  address: string;
  headers?: Record<string, string>;
  geometry?: Geometry;
}

/** Returns the value of `schedule` in datasets.yaml from its text. @throws LonghaulError USAGE if it is not YAML. */
export function scheduleIn(text: string): unknown {
  const document = parseDocument(text, { schema: 'failsafe', prettyErrors: false });
  const [error] = document.errors;
  if (!error) return document.toJS();
  throw new LonghaulError('USAGE', `--schedule is no YAML: ${error.message}.`);
}

/**
 * Returns what datasets.yaml would mean with this dataset alone.
 * @throws LonghaulError for the first problem: NAME_INVALID, USAGE.
 */
export function checkedDataset(
  name: string,
  dataset: NewDataset,
): { source: SourceSpec; schedule: ScheduleSpec | undefined } {
  const { datasets, schedules, problems } = datasetsOf({ datasets: { [name]: dataset } });
  const [problem] = problems;
  if (problem) {
    const code =
      problem.path.length === 2 || problem.path.at(-1) === 'id' ? 'NAME_INVALID' : 'USAGE';
    throw new LonghaulError(code, `${problem.message}.`);
  }
  const source = datasets[0]?.sources[0];
  if (!source) throw new Error('A dataset without problems has its source.');
  return { source, schedule: schedules.get(name) };
}

/**
 * Returns the text of datasets.yaml with one more dataset after the others. All other text stays the same byte for
 * byte. If the form of the file does not allow that (`datasets: {a: …}`), the file is rewritten with its comments.
 * @param text valid; empty if there is no file.
 * @param remark a line of comment above the dataset, already printable.
 */
export function withDataset(
  text: string,
  name: string,
  dataset: NewDataset,
  remark?: string,
): string {
  const before = othersIn(text, name);
  const isRight = (changed: string): boolean => {
    const { datasets, problems } = parseDatasets(changed, '');
    const isAdded = datasets.some((each) => each.name === name);
    return problems.length === 0 && isAdded && isDeepStrictEqual(othersIn(changed, name), before);
  };
  const spliced = splice(text, name, dataset, remark);
  if (isRight(spliced)) return spliced;
  const document = parseDocument(text, { schema: 'failsafe' });
  document.setIn(['datasets', name], document.createNode(dataset));
  const rewritten = document.toString({ lineWidth: 0 });
  if (isRight(rewritten)) return rewritten;
  throw new Error('datasets.yaml with the new dataset does not read as it should.');
}

/** Returns what the text says about other datasets. */
function othersIn(text: string, name: string): unknown {
  const { datasets, schedules, keep } = parseDatasets(text, '');
  return [
    datasets.filter((each) => each.name !== name),
    [...schedules].filter(([dataset]) => dataset !== name),
    keep.filter(({ dataset }) => dataset !== name),
  ];
}

function splice(text: string, name: string, dataset: NewDataset, remark?: string): string {
  const eol = text.includes('\r\n') ? '\r\n' : '\n';
  const { contents } = parseDocument(text, { schema: 'failsafe' });
  const entry = (indent: number): string => {
    const yaml = stringify({ [name]: dataset }, { schema: 'failsafe', lineWidth: 0 }).trimEnd();
    const comment = remark === undefined ? [] : [`# ${remark}`];
    const lines = [...comment, ...yaml.split('\n')];
    return lines.map((line) => ' '.repeat(indent) + line + eol).join('');
  };
  if (!isMap(contents)) return `${text}datasets:${eol}${entry(DEFAULT_INDENT)}`;
  const { at, indent, empty } = placeIn(text, contents);
  const kept = empty
    ? text.slice(0, empty.start).trimEnd() + text.slice(empty.end, at)
    : text.slice(0, at);
  const head = kept.endsWith('\n') ? kept : kept + eol;
  return head + (empty ? '' : eol) + entry(indent) + text.slice(at);
}

interface Place {
  at: number;
  /** The number of spaces before the names of datasets. */
  indent: number;
  /** The range of `{}`, if the file has no dataset. */
  empty?: { start: number; end: number };
}

/** Finds the place after the last dataset and the comments that are indented more than its name. */
function placeIn(text: string, top: YAMLMap): Place {
  const index = top.items.findIndex(({ key }) => String(key) === 'datasets');
  const value = top.items[index]?.value;
  const [start = 0, end = text.length] = rangeOf(value) ?? [];
  const first = isMap(value) ? rangeOf(value.items[0]?.key)?.[0] : undefined;
  const place =
    first === undefined
      ? { indent: DEFAULT_INDENT, empty: { start, end } }
      : { indent: first - (text.lastIndexOf('\n', first) + 1) };
  if (index === top.items.length - 1) return { ...place, at: text.length };
  let at = text[end - 1] === '\n' ? end : nextLine(text, end);
  for (;;) {
    const next = nextLine(text, at);
    const [, blanks = ''] = /^( *)#/.exec(text.slice(at, next)) ?? [];
    if (blanks.length <= place.indent) return { ...place, at };
    at = next;
  }
}

const DEFAULT_INDENT = 2;

function rangeOf(node: unknown): readonly number[] | undefined {
  return isNode(node) ? (node.range ?? undefined) : undefined;
}

function nextLine(text: string, from: number): number {
  const found = text.indexOf('\n', from);
  return found === -1 ? text.length : found + 1;
}
