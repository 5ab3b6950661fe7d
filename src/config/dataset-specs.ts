import type { core } from 'zod';
import type { DatasetSpec, SourceSpec } from '../model/dataset.ts';
import { LonghaulError } from '../model/errors.ts';
import type { KeepRule } from '../model/sweep.ts';
import { nameColumns, parseDatasetName } from '../model/names.ts';
import { DATASETS_SHAPE, type KeepShape, type SourceShape } from './dataset-shape.ts';
import type { ScheduleSpec } from '../model/schedule.ts';
import { nearest, shown } from './problems.ts';
import { SCHEDULE_KEYS } from './schedule-shape.ts';
import { scheduleOf } from './schedule-specs.ts';
import { sourcesOf } from './source-templates.ts';

/** A problem at a path inside the file, which becomes its line. */
export interface PathProblem {
  path: PropertyKey[];
  message: string;
  /** The key is to blame, not what it holds. */
  atKey?: boolean;
}

/** By dataset; a dataset that is not here has none. */
export type Schedules = ReadonlyMap<string, ScheduleSpec>;

/** Checks what datasets.yaml holds, and writes its templates out: names, addresses, ids, types, schedules. */
export function datasetsOf(content: unknown): {
  datasets: DatasetSpec[];
  schedules: Schedules;
  keep: KeepRule[];
  problems: PathProblem[];
} {
  const parsed = DATASETS_SHAPE.safeParse(content);
  if (!parsed.success) {
    return {
      datasets: [],
      schedules: new Map(),
      keep: [],
      problems: parsed.error.issues.flatMap((issue) => ofIssue(issue, content)),
    };
  }
  const problems: PathProblem[] = [];
  const schedules = new Map<string, ScheduleSpec>();
  const keep: KeepRule[] = [];
  const { schedule: top } = parsed.data;
  const datasets = Object.entries(parsed.data.datasets).map(([name, dataset]) => {
    const { time_zone, schema, sources } = dataset;
    const path = ['datasets', name];
    const problem = problemOfName(name);
    if (problem) problems.push({ path, message: problem, atKey: true });
    const timeZone = time_zone ?? 'UTC';
    const schedule = scheduleOf(dataset.schedule, top, timeZone);
    if (schedule) schedules.set(name, schedule);
    if (dataset.keep) keep.push(ruleOf(name, timeZone, dataset.keep));
    return {
      name,
      timeZone,
      ...(schema === 'evolve' ? {} : { schema }),
      sources: specsOf(sources, [...path, 'sources'], problems),
    };
  });
  return { datasets, schedules, keep, problems };
}

function ruleOf(dataset: string, timeZone: string, { raw, days }: KeepShape): KeepRule {
  return {
    ...{ dataset, timeZone },
    ...(days === undefined ? {} : { days }),
    ...(raw === undefined ? {} : { rawDays: raw }),
  };
}

/** Its view's or table's name would be one of another dataset's. */
const RESERVED_SUFFIXES = {
  '-history': 'names the view of every snapshot of a dataset',
  '-versions': 'names the Iceberg table of the versions of a dataset',
  '-days': 'names the Iceberg table of the days of a dataset',
};

/** @throws LonghaulError NAME_INVALID. */
export function parseNewDatasetName(name: string): string {
  for (const [suffix, use] of Object.entries(RESERVED_SUFFIXES)) {
    if (!name.endsWith(suffix)) continue;
    throw new LonghaulError('NAME_INVALID', `${shown(name)} ends in ${suffix}, which ${use}.`);
  }
  return parseDatasetName(name);
}

function problemOfName(name: string): string | undefined {
  try {
    parseNewDatasetName(name);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

function specsOf(
  shapes: readonly SourceShape[],
  path: readonly PropertyKey[],
  problems: PathProblem[],
): SourceSpec[] {
  const specs: SourceSpec[] = [];
  const taken = new Set<string>();
  for (const [index, shape] of shapes.entries()) {
    const here = [...path, index];
    for (const column of Object.keys(shape.types ?? {})) {
      problems.push(...problemsOfColumn(column, [...here, 'types', column], true));
    }
    for (const [column, name] of Object.entries(shape.aliases ?? {})) {
      const path = [...here, 'aliases', column];
      problems.push(...problemsOfColumn(column, path, true), ...problemsOfColumn(name, path));
    }
    const { sources, problems: found } = sourcesOf(shape);
    for (const each of found) problems.push({ ...each, path: [...here, ...each.path] });
    for (const source of sources) {
      // Ids become folders, and some file systems take `Q1` and `q1` for the same.
      const folder = source.id.toLowerCase();
      if (taken.has(folder)) {
        const message = `the source id ${shown(source.id)} is there already`;
        problems.push({ path: [...here, 'id'], message });
      }
      taken.add(folder);
      specs.push(source);
    }
  }
  return specs;
}

function problemsOfColumn(
  column: string,
  path: readonly PropertyKey[],
  atKey = false,
): PathProblem[] {
  const name = nameColumns([column])[0]?.name;
  if (name === column) return [];
  const message = `${shown(column)} is not a normalised column name; write ${name}`;
  return [{ path: [...path], message, ...(atKey ? { atKey } : {}) }];
}

const KNOWN_KEYS =
  'datasets time_zone schema keep raw days sources id address years headers geometry optional encoding delimiter header aliases types type format'
    .split(' ')
    .concat(SCHEDULE_KEYS);

function ofIssue(issue: core.$ZodIssue, content: unknown): PathProblem[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => {
      const meant = nearest(key, KNOWN_KEYS);
      const message = `${shown(key)} is not known here${meant ? `; did you mean ${meant}?` : ''}`;
      return { path: [...issue.path, key], message, atKey: true };
    });
  }
  if (issue.code === 'invalid_union') return ofUnion(issue, content);
  const name = String(issue.path.at(-1) ?? 'the file');
  const message = holds(content, issue.path) ? issue.message : 'is missing';
  return [{ path: [...issue.path], message: `${shown(name)} ${message}` }];
}

function holds(content: unknown, path: readonly PropertyKey[]): boolean {
  let value = content;
  for (const step of path) value = (value as Record<PropertyKey, unknown> | undefined)?.[step];
  return value !== undefined;
}

/** The problems of that branch of a union that got furthest. */
function ofUnion(issue: core.$ZodIssueInvalidUnion, content: unknown): PathProblem[] {
  const branches = issue.errors.map((errors) =>
    errors.flatMap((each) => ofIssue({ ...each, path: [...issue.path, ...each.path] }, content)),
  );
  const depth = (problems: PathProblem[]): number =>
    Math.max(0, ...problems.map(({ path }) => path.length));
  const best = branches.toSorted((a, b) => depth(b) - depth(a))[0];
  return best && best.length > 0 ? best : [{ path: [...issue.path], message: issue.message }];
}
