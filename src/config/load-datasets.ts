import { readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { isNode, LineCounter, parseDocument, type Document } from 'yaml';
import type { DatasetSpec } from '../model/dataset.ts';
import { datasetsOf, NO_DATASETS, type Datasets, type PathProblem } from './dataset-specs.ts';
import { assertNoProblems, type Problem } from './problems.ts';

/**
 * What datasets.yaml says, checked and with its templates written out. See docs/configuration.md for its form.
 * @throws LonghaulError CONFIG_INVALID naming every problem with its file and line.
 */
export function loadDatasets(path: string): DatasetSpec[] {
  const { datasets, problems } = readDatasets(path);
  assertNoProblems(problems);
  return datasets;
}

export interface DatasetsFile extends Datasets {
  problems: Problem[];
}

/** As `loadDatasets`, but returns the problems. @param cwd what messages show the path relative to. */
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

/** A few aliases are handy; a bomb of them is not. */
const MAX_ALIASES = 100;

/** @param label how messages name the file. */
export function parseDatasets(text: string, label: string): DatasetsFile {
  const lines = new LineCounter();
  // The failsafe schema leaves every scalar as its text: `2015` is an id, and an item id like `12e45` is no number.
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

/** The line of the deepest part of the path that the file has. */
function lineOf(document: Document, lines: LineCounter, { path, atKey }: PathProblem): number {
  for (let length = path.length; length > 0; length -= 1) {
    const offset =
      length < path.length || atKey
        ? keyOffset(document, path.slice(0, length))
        : valueOffset(document, path.slice(0, length));
    if (offset !== undefined) return lines.linePos(offset).line;
  }
  return 1;
}

function valueOffset(document: Document, path: readonly PropertyKey[]): number | undefined {
  const node = document.getIn(path, true);
  return isNode(node) ? node.range?.[0] : undefined;
}

function keyOffset(document: Document, path: readonly PropertyKey[]): number | undefined {
  const parent = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true);
  const wanted = path.at(-1);
  const items = (parent as { items?: unknown[] } | null | undefined)?.items ?? [];
  for (const item of items) {
    const key = (item as { key?: { value?: unknown; range?: [number, ...number[]] } }).key;
    if (key?.value === wanted) return key?.range?.[0];
  }
  return valueOffset(document, path);
}

function labelOf(path: string, cwd: string | undefined): string {
  const near = cwd === undefined ? path : relative(cwd, path);
  return near.startsWith('..') ? path : near;
}
