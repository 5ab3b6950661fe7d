import { readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { isMap, isNode, isScalar, isSeq, LineCounter, parseDocument, type Document } from 'yaml';
import type { DatasetSpec } from '../model/dataset.ts';
import { datasetsOf, NO_DATASETS, type Datasets, type PathProblem } from './dataset-specs.ts';
import { assertNoProblems, type Problem } from './problems.ts';

/**
 * Reads datasets.yaml, checks it and expands its templates. docs/configuration.md describes the form of the file.
 * @throws LonghaulError CONFIG_INVALID with all problems, each with file and line.
 */
export function loadDatasets(path: string): DatasetSpec[] {
  const { datasets, problems } = readDatasets(path);
  assertNoProblems(problems);
  return datasets;
}

export interface DatasetsFile extends Datasets {
  problems: Problem[];
}

/** Does the same as `loadDatasets`, but returns the problems. Messages show the path relative to `cwd`. */
export function readDatasets(path: string, cwd?: string): DatasetsFile {
  const label = labelOf(path, cwd);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const message = `cannot be read: ${(error as Error).message}`;
    return { ...NO_DATASETS, problems: [{ where: label, message }] };
  }
  return parseDatasets(text, label);
}

/** A user needs only a few aliases. Many nested aliases would expand to more than the memory holds. */
const MAX_ALIASES = 100;

/** @param label the name of the file in messages. */
export function parseDatasets(text: string, label: string): DatasetsFile {
  const lines = new LineCounter();
  // The failsafe schema keeps each scalar as text: `2015` is an id, and an item id such as `12e45` is not a number.
  const document = parseDocument(text, {
    lineCounter: lines,
    schema: 'failsafe',
    prettyErrors: false,
  });
  if (document.errors.length > 0) {
    const problems = document.errors.map((error) => ({
      where: `${label}:${lines.linePos(error.pos[0]).line}`,
      message: error.message,
    }));
    return { ...NO_DATASETS, problems };
  }
  let content: unknown;
  try {
    content = document.toJS({ maxAliasCount: MAX_ALIASES });
  } catch (error) {
    const message = (error as Error).message;
    return { ...NO_DATASETS, problems: [{ where: `${label}:1`, message }] };
  }
  const { problems, ...datasets } = datasetsOf(content);
  return {
    ...datasets,
    problems: problems.map((problem) => ({
      where: `${label}:${lineOf(document, lines, problem)}`,
      message: problem.message,
    })),
  };
}

/** Returns the line of the deepest part of the path that the file has: of its value, else of its key. */
function lineOf(document: Document, lines: LineCounter, { path, atKey }: PathProblem): number {
  let [node, offset]: [unknown, number] = [document.contents, 0];
  for (const [index, step] of path.entries()) {
    const pair = isMap(node)
      ? node.items.find(({ key }) => isScalar(key) && key.value === step)
      : undefined;
    node = pair
      ? pair.value
      : isSeq(node) && typeof step === 'number'
        ? node.items[step]
        : undefined;
    const isValue = index === path.length - 1 && !atKey && isNode(node);
    const found = isValue || !pair ? node : pair.key;
    if (!isNode(found)) break;
    offset = found.range?.[0] ?? offset;
  }
  return lines.linePos(offset).line;
}

function labelOf(path: string, cwd: string | undefined): string {
  const near = cwd === undefined ? path : relative(cwd, path);
  return near.startsWith('..') ? path : near;
}
