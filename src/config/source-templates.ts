import { isSecretHeader, secretIn, shownAddress, variablesIn } from '../model/addresses.ts';
import { DATE_PLACEHOLDERS, datedAddress } from '../model/dates.ts';
import type { SourceSpec } from '../model/dataset.ts';
import { parseSourceId } from '../model/names.ts';
import type { SourceShape } from './dataset-shape.ts';
import { looksLikeSetting } from './env-file.ts';
import { messageOf, shown } from './problems.ts';

/**
 * Expands one entry of `sources` to a single source or, with `years`, to one source for each year. `address` and `id`
 * may hold `{year}` and, if `years` is a map, `{item}` (the year's value). The default id is `{year}`. `address` may
 * also hold the ingest date: `{date}`, or `{yyyy}`, `{mm}` and `{dd}`. `${NAME}` is not a template. It is a variable of
 * the worker, which fills it in when it asks the publisher.
 */
export function sourcesOf(shape: SourceShape, note: NoteAt): SourceSpec[] {
  const sources: SourceSpec[] = [];
  const template = shape.id ?? (shape.years ? '{year}' : undefined);
  if (template === undefined) {
    note('"id" is missing');
    return sources;
  }
  const { id: _id, address: _address, years, headers, geometry, optional, ...overrides } = shape;
  const request = { ...(headers && { headers }), ...(geometry && { geometry }), optional };
  for (const values of valuesOf(shape)) {
    const id = filled(template, values, 'id', note);
    // The start of a run fills in the ingest date.
    const address = filled(shape.address, { ...values, ...DATES }, 'address', note);
    if (id === undefined || address === undefined) break;
    const whyNotAnId = messageOf(() => parseSourceId(id));
    const isWrong =
      note(whyNotAnId, 'id') ||
      note(whyNotAnAddress(address), 'address') ||
      Object.entries(headers ?? {}).some(([name, value]) =>
        note(whyNotAHeader(name, value, shape.address), 'headers', name),
      );
    if (!isWrong) sources.push({ id, address, ...request, overrides });
  }
  if (years && sources.length > 1 && new Set(sources.map((each) => each.address)).size === 1) {
    note('every year has the same address: {year} is missing', 'address');
  }
  return sources;
}

/** Notes a problem of one of a source's keys. @returns false if there is no message, and so no problem. */
export type NoteAt = (message: string | undefined, ...path: PropertyKey[]) => boolean;

type Values = Record<string, string>;

/** The placeholders of the date stay unchanged until a run has a day. */
const DATES: Values = Object.fromEntries(DATE_PLACEHOLDERS.map((name) => [name, `{${name}}`]));

function valuesOf({ years }: SourceShape): Values[] {
  if (years === undefined) return [{}];
  if (Array.isArray(years)) return years.map((year) => ({ year }));
  return Object.entries(years).map(([year, item]) => ({ year, item }));
}

function filled(
  template: string,
  values: Values,
  key: 'id' | 'address',
  note: NoteAt,
): string | undefined {
  const unknown: string[] = [];
  const text = template.replaceAll(
    /(\$?)\{(\w*)\}/g,
    (placeholder, dollar: string, name: string) => {
      // This is a variable of the worker. `whyNotVariables` checks it.
      if (dollar !== '') return placeholder;
      const value = Object.hasOwn(values, name) ? values[name] : undefined;
      if (value === undefined) unknown.push(placeholder);
      return value ?? placeholder;
    },
  );
  if (unknown.length === 0) return text;
  const known = Object.keys(values).flatMap((name) => (name in DATES ? [] : `{${name}}`));
  const here =
    known.length > 0 ? `here is ${known.join(' and ')}` : 'only a source with years has others';
  const dates = key === 'address' ? `; ${Object.values(DATES).join(', ')} are the ingest date` : '';
  note(`the placeholder ${shown(unknown[0] ?? '')} stands for nothing: ${here}${dates}`, key);
  return undefined;
}

/** Longhaul sets these headers itself. Another value would break ranges, lengths or the connection. */
const OWN_HEADERS =
  /^(?:host|connection|keep-alive|te|trailer|upgrade|expect|content-.*|transfer-encoding|accept-encoding|range|if-.*)$/i;

function whyNotAHeader(name: string, value: string, address: string): string | undefined {
  if (OWN_HEADERS.test(name)) return `${shown(name)} is a header that Longhaul sets itself`;
  if (/^file:/i.test(address)) return 'a file has no headers';
  const known = variablesIn(value);
  const wrong = whyNotVariables(value, known);
  if (wrong !== undefined) return wrong;
  if (known.length > 0 || !isSecretHeader(name)) return undefined;
  return `${shown(name)} holds what looks like a secret, ${IN_EVERY_HISTORY}`;
}

const IN_EVERY_HISTORY =
  'which would end in the history of every run: write a variable in its place, such as ${CITY_TOKEN}, and set that for the worker, in its environment or .env';

/** Returns why a text cannot be a source's address, or undefined if it can. */
export function whyNotAnAddress(template: string): string | undefined {
  const address = datedAddress(template, ANY_DATE);
  const url = URL.canParse(address) ? new URL(address) : undefined;
  const known = url && ['http:', 'https:', 'file:'].includes(url.protocol);
  if (!known) return `${shown(shownAddress(address))} is not an http(s) address`;
  if (url.username || url.password) {
    return `${shown(shownAddress(address))} holds a user or password: they would end in the history of every run`;
  }
  const secret = secretIn(address);
  if (secret !== undefined) {
    const what = `${shown(shownAddress(address))} holds what looks like a secret, ${shown(secret)}`;
    return `${what}, ${IN_EVERY_HISTORY}`;
  }
  return whyNotItsVariables(address, url);
}

function whyNotItsVariables(address: string, url: URL): string | undefined {
  const known = variablesIn(address);
  const wrong = whyNotVariables(address, known);
  const [first] = known;
  if (wrong !== undefined || first === undefined) return wrong;
  // The value of a variable must not choose the host that receives it.
  const isBehindHost = /^https?:\/\/[^/?#$]+[/?]/.test(address);
  return isBehindHost && url.protocol !== 'file:'
    ? undefined
    : `\${${first}} may stand in the path and the query of an http(s) address only`;
}

/** @param known the correctly written variables of the text. */
function whyNotVariables(text: string, known: readonly string[]): string | undefined {
  const written = text.match(/\$\{[^}]*\}?/g) ?? [];
  const wrong = written.find((each) => !known.includes(each.slice(2, -1)));
  if (wrong !== undefined) {
    return `${shown(wrong)} is no variable: it is written \${CITY_TOKEN}, in upper case, and a template without the $`;
  }
  const ours = known.find(looksLikeSetting);
  if (ours === undefined) return undefined;
  return `\${${ours}} is, or looks like, a setting of Longhaul or of AWS: give the publisher's secret another name`;
}

const ANY_DATE = '2026-01-31';
