import { fieldOf, JsonNumber, type ExactJson } from '../json.ts';
import { isNotNumber, type JsonRecord, type Row } from '../records.ts';
import { invalid } from './answers.ts';
import type { Layer } from './layer.ts';
import type { Feature } from './queries.ts';
import { wktOf } from './wkt.ts';

/** The columns of a layer's records: its fields, then the geometry. */
export function columnsOf({ fields, geometry }: Layer): string[] {
  const names = fields.map(({ name }) => name);
  return [...names, ...GEOMETRY_COLUMNS[geometry].map(freeName(names))];
}

const GEOMETRY_COLUMNS = { none: [], xy: ['x', 'y'], wkt: ['wkt'] };

/** Of a geometry's column: names that differ in case only would be one in the lake. */
function freeName(names: string[]): (wanted: string) => string {
  const taken = new Set(names.map((name) => name.toLowerCase()));
  return (wanted) => {
    let name = wanted;
    for (let n = 1; taken.has(name); n += 1) name = `${wanted}_${n}`;
    return name;
  };
}

/** Reads the values of a record, which follow from it alone. */
export function rowReader(layer: Layer): (feature: Feature) => Row {
  const { url, fields } = layer;
  const known = new Set(fields.map(({ name }) => name));
  return ({ id, attributes, geometry }) => {
    const odd = (what: string): Error => invalid(url, `sent record ${id} with ${what}`);
    const unknown = Object.keys(attributes as JsonRecord).find((name) => !known.has(name));
    // As a missing field, it is another version of the layer, or a server's fault: never an empty column.
    if (unknown !== undefined) throw odd(`the unknown field ${unknown}`);
    const values = fields.map(({ name, type }) => {
      const value = fieldOf(attributes, name) as ExactJson | undefined;
      if (value === undefined) throw odd(`no field ${name}`);
      if (value === null || typeof value === 'string') return value;
      if (!(value instanceof JsonNumber)) throw odd(`neither text nor number in ${name}`);
      return type === 'esriFieldTypeDate' ? dateOf(value) : value;
    });
    return [...values, ...geometryOf(layer, geometry)];
  };
}

function geometryOf(
  { geometryType, geometry: wanted }: Layer,
  geometry: ExactJson | undefined,
): Row {
  if (wanted === 'none' || geometryType === undefined) return [];
  if (wanted === 'wkt') return [wktOf(geometryType, geometry)];
  return ['x', 'y'].map((axis) => {
    const value = fieldOf(geometry, axis);
    // Points without a place have null, or NaN as a number or a text.
    return value instanceof JsonNumber && !isNotNumber(value) ? value : null;
  });
}

const MIN_DATE_MS = Date.parse('0001-01-01T00:00:00Z');
const MAX_DATE_MS = Date.parse('9999-12-31T23:59:59.999Z');

/**
 * Milliseconds since 1970 as the day and time in UTC. Without a zone, which would make the column text. A year that has
 * no four digits, or a part of a millisecond, stays the number that it is.
 */
function dateOf(value: JsonNumber): ExactJson {
  const ms = /^-?\d{1,15}$/.test(value.digits) ? Number(value.digits) : NaN;
  if (!(ms >= MIN_DATE_MS && ms <= MAX_DATE_MS)) return value;
  return new Date(ms).toISOString().replace(/(?:\.000)?Z$/, '');
}
