import { shownAddress } from '../model/addresses.ts';
import { DATE_PLACEHOLDERS, datedAddress } from '../model/dated-address.ts';
import type { SourceOverrides, SourceSpec } from '../model/dataset.ts';
import { parseSourceId } from '../model/names.ts';
import type { SourceShape } from './dataset-shape.ts';
import type { PathProblem } from './dataset-specs.ts';
import { shown } from './problems.ts';

/**
 * One entry of `sources`: a single source, or, with `years`, one source a year. `{year}` and, where `years` is a
 * map, `{item}` (the year's value) stand in `address` and `id`; the id is `{year}` where none is given. In `address`
 * the ingest date may stand too: `{date}`, or `{yyyy}`, `{mm}` and `{dd}`.
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
    // The ingest date is filled in when a run starts.
    const address = filled(shape.address, { ...values, ...DATES }, ['address'], problems);
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

/** Each stands for itself until there is a day. */
const DATES: Values = Object.fromEntries(DATE_PLACEHOLDERS.map((name) => [name, `{${name}}`]));

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
  const known = Object.keys(values).flatMap((name) => (name in DATES ? [] : `{${name}}`));
  const here =
    known.length > 0 ? `here is ${known.join(' and ')}` : 'only a source with years has others';
  const dates =
    path[0] === 'address' ? `; ${Object.values(DATES).join(', ')} are the ingest date` : '';
  problems.push({
    path,
    message: `the placeholder ${shown(unknown[0] ?? '')} stands for nothing: ${here}${dates}`,
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
export function whyNotAnAddress(template: string): string | undefined {
  const address = datedAddress(template, ANY_DATE);
  const url = URL.canParse(address) ? new URL(address) : undefined;
  const known = url && ['http:', 'https:', 'file:'].includes(url.protocol);
  if (!known) return `${shown(shownAddress(address))} is not an http(s) address`;
  if (url.username || url.password) {
    return `${shown(shownAddress(address))} holds a user or password: they would end in the history of every run`;
  }
  return undefined;
}

const ANY_DATE = '2026-01-31';

function overridesOf({ encoding, delimiter, header, types }: SourceShape): SourceOverrides {
  return {
    ...(encoding && { encoding }),
    ...(delimiter && { delimiter }),
    ...(header !== undefined && { header }),
    ...(types && { types }),
  };
}
