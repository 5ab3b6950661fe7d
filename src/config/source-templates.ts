import { shownAddress } from '../model/addresses.ts';
import type { SourceOverrides, SourceSpec } from '../model/dataset.ts';
import { parseSourceId } from '../model/names.ts';
import type { SourceShape } from './dataset-shape.ts';
import type { PathProblem } from './dataset-specs.ts';
import { shown } from './problems.ts';

/**
 * One entry of `sources`: a single source, or, with `years`, one source a year. `{year}` and, where `years` is a
 * map, `{item}` (the year's value) stand in `address` and `id`; the id is `{year}` where none is given.
 */
export function sourcesOf(shape: SourceShape): { sources: SourceSpec[]; problems: PathProblem[] } {
  const problems: PathProblem[] = [];
  const sources: SourceSpec[] = [];
  const template = shape.id ?? (shape.years ? '{year}' : undefined);
  if (template === undefined) {
    return { sources, problems: [{ path: [], message: '"id" is missing' }] };
  }
  for (const values of valuesOf(shape)) {
    const id = filled(template, values, ['id'], problems);
    const address = filled(shape.address, values, ['address'], problems);
    if (id === undefined || address === undefined) break;
    const problem = problemOfId(id) ?? problemOfAddress(address);
    if (problem) problems.push(problem);
    else sources.push({ id, address, optional: shape.optional, overrides: overridesOf(shape) });
  }
  if (
    shape.years &&
    sources.length > 1 &&
    new Set(sources.map((each) => each.address)).size === 1
  ) {
    problems.push({
      path: ['address'],
      message: 'every year has the same address: {year} is missing',
    });
  }
  return { sources, problems };
}

type Values = Record<string, string>;

function valuesOf({ years }: SourceShape): Values[] {
  if (years === undefined) return [{}];
  if (Array.isArray(years)) return years.map((year) => ({ year }));
  return Object.entries(years).map(([year, item]) => ({ year, item }));
}

function filled(
  template: string,
  values: Values,
  path: PropertyKey[],
  problems: PathProblem[],
): string | undefined {
  const unknown: string[] = [];
  const text = template.replaceAll(/\{(\w*)\}/g, (placeholder, name: string) => {
    const value = Object.hasOwn(values, name) ? values[name] : undefined;
    if (value === undefined) unknown.push(placeholder);
    return value ?? placeholder;
  });
  if (unknown.length === 0) return text;
  const known = Object.keys(values).map((name) => `{${name}}`);
  const here =
    known.length > 0 ? `here is ${known.join(' and ')}` : 'only a source with years has any';
  problems.push({
    path,
    message: `the placeholder ${shown(unknown[0] ?? '')} stands for nothing: ${here}`,
  });
  return undefined;
}

function problemOfId(id: string): PathProblem | undefined {
  try {
    parseSourceId(id);
    return undefined;
  } catch (error) {
    return { path: ['id'], message: (error as Error).message };
  }
}

function problemOfAddress(address: string): PathProblem | undefined {
  const message = whyNotAnAddress(address);
  return message === undefined ? undefined : { path: ['address'], message };
}

/** Why a text cannot be a source's address; undefined where it can. */
export function whyNotAnAddress(address: string): string | undefined {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  const known = url && ['http:', 'https:', 'file:'].includes(url.protocol);
  if (!known) return `${shown(shownAddress(address))} is not an http(s) address`;
  if (url.username || url.password) {
    return `${shown(shownAddress(address))} holds a user or password: they would end in the history of every run`;
  }
  return undefined;
}

function overridesOf({ encoding, delimiter, types }: SourceShape): SourceOverrides {
  return {
    ...(encoding && { encoding }),
    ...(delimiter && { delimiter }),
    ...(types && { types }),
  };
}
