import type { core } from 'zod';
import type { DatasetSpec, SourceSpec } from '../model/dataset.ts';
import { LonghaulError } from '../model/errors.ts';
import type { KeepRule } from '../model/sweep.ts';
import { nameColumns, parseDatasetName } from '../model/names.ts';
import { SCHEDULE_DEFAULTS, type Recurrence, type ScheduleSpec } from '../model/schedule.ts';
import { DATASETS_KEYS, DATASETS_SHAPE } from './dataset-shape.ts';
import type { ScheduleSettings, ScheduleShape, SourceShape } from './dataset-shape.ts';
import { messageOf, nearest, shown } from './problems.ts';
import { sourcesOf, type NoteAt } from './source-templates.ts';

/** A problem at a path inside the file, which becomes its line. */
export interface PathProblem {
  path: PropertyKey[];
  message: string;
  /** Whether the key is wrong, and not its value. */
  atKey?: boolean;
}

export interface Datasets {
  datasets: DatasetSpec[];
  /** The schedules by dataset, without the datasets with `schedule: false`. */
  schedules: ReadonlyMap<string, ScheduleSpec>;
  /** How long datasets keep their days, for those with `keep`. */
  keep: KeepRule[];
}

export const NO_DATASETS: Datasets = { datasets: [], schedules: new Map(), keep: [] };

/** Checks the content of datasets.yaml and expands its templates: names, addresses, ids, types, schedules. */
export function datasetsOf(content: unknown): Datasets & { problems: PathProblem[] } {
  const parsed = DATASETS_SHAPE.safeParse(content);
  if (!parsed.success) {
    const problems = parsed.error.issues.flatMap((issue) => ofIssue(issue, content));
    return { ...NO_DATASETS, problems };
  }
  const problems: PathProblem[] = [];
  const schedules = new Map<string, ScheduleSpec>();
  const keep: KeepRule[] = [];
  const datasets = Object.entries(parsed.data.datasets).map(([name, dataset]) => {
    const { time_zone: timeZone, schema, sources } = dataset;
    const path = ['datasets', name];
    const message = messageOf(() => parseNewDatasetName(name));
    if (message !== undefined) problems.push({ path, message, atKey: true });
    const schedule = scheduleOf(dataset.schedule, parsed.data.schedule, timeZone);
    if (schedule) schedules.set(name, schedule);
    if (dataset.keep) {
      const { days, raw: rawDays } = dataset.keep;
      keep.push({
        ...{ dataset: name, timeZone },
        ...(days !== undefined && { days }),
        ...(rawDays !== undefined && { rawDays }),
      });
    }
    return {
      ...{ name, timeZone },
      ...(schema !== 'evolve' && { schema }),
      sources: specsOf(sources, [...path, 'sources'], problems),
    };
  });
  return { datasets, schedules, keep, problems };
}

/** Suffixes that a dataset's name must not have, because another dataset's view or table would have the same name. */
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

/**
 * Returns the schedule of a dataset: its own keys, else the file's top keys, else the defaults. Returns undefined if
 * the dataset says `false`, or if it says nothing and the top says `false`.
 */
function scheduleOf(
  own: ScheduleShape | undefined,
  top: ScheduleShape | undefined,
  datasetTimeZone: string,
): ScheduleSpec | undefined {
  if (own === false || (own === undefined && top === false)) return undefined;
  const given = merged(top === false ? {} : (top ?? {}), own ?? {});
  return {
    recurrence: recurrenceOf(given, datasetTimeZone),
    jitterMs: given.jitter ?? SCHEDULE_DEFAULTS.jitterMs,
    overlap: given.overlap ?? SCHEDULE_DEFAULTS.overlap,
    catchupMs: given.catchup ?? SCHEDULE_DEFAULTS.catchupMs,
    paused: given.paused ?? SCHEDULE_DEFAULTS.paused,
    pauseAfterFailures: given.pause_after_failures ?? SCHEDULE_DEFAULTS.pauseAfterFailures,
  };
}

/** `cron` and `every` exclude each other. So a dataset that sets one does not inherit the other from the top. */
function merged(top: ScheduleSettings, own: ScheduleSettings): ScheduleSettings {
  const { cron, every, ...rest } = top;
  const when = own.cron === undefined && own.every === undefined ? { cron, every } : {};
  return { ...rest, ...when, ...own };
}

function recurrenceOf({ cron, every, timezone }: ScheduleSettings, zone: string): Recurrence {
  if (every !== undefined) return { kind: 'every', everyMs: every };
  return { kind: 'cron', text: cron ?? SCHEDULE_DEFAULTS.cron, timeZone: timezone ?? zone };
}

function specsOf(
  shapes: readonly SourceShape[],
  path: readonly PropertyKey[],
  problems: PathProblem[],
): SourceSpec[] {
  const taken = new Set<string>();
  return shapes.flatMap((shape, index) => {
    const noting = (atKey: boolean): NoteAt => {
      return (message, ...inside) => {
        if (message === undefined) return false;
        problems.push({ path: [...path, index, ...inside], message, atKey });
        return true;
      };
    };
    const [note, noteKey] = [noting(false), noting(true)];
    for (const column of Object.keys(shape.types ?? {})) {
      noteKey(whyNotAColumn(column), 'types', column);
    }
    for (const [column, name] of Object.entries(shape.aliases ?? {})) {
      noteKey(whyNotAColumn(column), 'aliases', column);
      note(whyNotAColumn(name), 'aliases', column);
    }
    const sources = sourcesOf(shape, note);
    for (const { id } of sources) {
      // Ids become folders, and some file systems do not distinguish `Q1` from `q1`.
      if (taken.has(id.toLowerCase())) note(`the source id ${shown(id)} is there already`, 'id');
      taken.add(id.toLowerCase());
    }
    return sources;
  });
}

function whyNotAColumn(column: string): string | undefined {
  const name = nameColumns([column])[0]?.name;
  return name === column
    ? undefined
    : `${shown(column)} is not a normalised column name; write ${name}`;
}

function ofIssue(issue: core.$ZodIssue, content: unknown): PathProblem[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => {
      const meant = nearest(key, DATASETS_KEYS);
      const message = `${shown(key)} is not known here${meant ? `; did you mean ${meant}?` : ''}`;
      return { path: [...issue.path, key], message, atKey: true };
    });
  }
  const inside = issue.code === 'invalid_union' ? nearestForm(issue, content) : undefined;
  if (inside) return inside;
  const name = String(issue.path.at(-1) ?? 'the file');
  const message = holds(content, issue.path) ? issue.message : 'is missing';
  return [{ path: [...issue.path], message: `${shown(name)} ${message}` }];
}

function holds(content: unknown, path: readonly PropertyKey[]): boolean {
  let value = content;
  for (const step of path) value = (value as Record<PropertyKey, unknown> | undefined)?.[step];
  return value !== undefined;
}

/** Returns the problems of the form whose checks got deepest into the content, if one got into it at all. */
function nearestForm(
  issue: core.$ZodIssueInvalidUnion,
  content: unknown,
): PathProblem[] | undefined {
  const depth = (problems: PathProblem[]): number =>
    Math.max(0, ...problems.map(({ path }) => path.length));
  return issue.errors
    .map((errors) =>
      errors.flatMap((each) => ofIssue({ ...each, path: [...issue.path, ...each.path] }, content)),
    )
    .filter((problems) => depth(problems) > issue.path.length)
    .toSorted((a, b) => depth(b) - depth(a))[0];
}
