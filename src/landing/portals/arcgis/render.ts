import { canonicalRecord } from '../canonical-csv.ts';
import { JsonNumber, type ExactJson } from '../exact-json.ts';
import { fieldOf } from '../json-fields.ts';
import { increment, type Tally } from '../records.ts';
import { invalid } from './answers.ts';
import type { Layer } from './layer.ts';
import type { Feature } from './queries.ts';
import { wktOf } from './wkt.ts';

/** Records as the fields of canonical CSV: what follows from a record alone. */
export class Rendering {
  readonly columns: readonly string[];
  readonly #layer: Layer;
  readonly #names: ReadonlySet<string>;

  constructor(layer: Layer) {
    this.#layer = layer;
    const names = layer.fields.map(({ name }) => name);
    this.#names = new Set(names);
    this.columns = [...names, ...GEOMETRY_COLUMNS[layer.geometry].map(freeName(names))];
  }

  /** @throws LonghaulError PORTAL_ANSWER_INVALID where a record does not have the layer's fields. */
  text(features: Feature[], before: Tally): { text: string; counts: Tally } {
    const counts = { emptyTexts: { ...before.emptyTexts }, notNumbers: { ...before.notNumbers } };
    const lines = features.map((feature) => canonicalRecord(this.fields(feature, counts)));
    return { text: lines.join(''), counts };
  }

  fields(
    { id, attributes, geometry }: Feature,
    { emptyTexts, notNumbers }: Record<keyof Tally, Record<string, number>>,
  ): (string | null)[] {
    this.#assertKnown(id, attributes);
    const values = this.#layer.fields.map(({ name, type }) => {
      const value = fieldOf(attributes, name);
      if (value === null) return null;
      if (typeof value === 'string') {
        if (value === '') increment(emptyTexts, name);
        return value;
      }
      if (value === undefined) throw this.#odd(id, `no field ${name}`);
      if (!(value instanceof JsonNumber)) throw this.#odd(id, `neither text nor number in ${name}`);
      if (isFiniteNumber(value)) {
        return type === 'esriFieldTypeDate' ? dateText(value.digits) : value.digits;
      }
      increment(notNumbers, name);
      return null;
    });
    return [...values, ...this.#geometry(geometry)];
  }

  /** A missing field is another version of the layer, or a server's fault: never an empty column. */
  #assertKnown(id: bigint, attributes: ExactJson): void {
    const names = Object.keys(attributes as Record<string, ExactJson>);
    const unknown = names.find((name) => !this.#names.has(name));
    if (unknown !== undefined) throw this.#odd(id, `the unknown field ${unknown}`);
  }

  #geometry(geometry: ExactJson | undefined): (string | null)[] {
    const { geometryType, geometry: wanted } = this.#layer;
    if (wanted === 'none' || geometryType === undefined) return [];
    if (wanted === 'wkt') return [wktOf(geometryType, geometry)];
    return ['x', 'y'].map((axis) => {
      const value = fieldOf(geometry, axis);
      // Points without a place have null, or NaN as a number or a text.
      return value instanceof JsonNumber && isFiniteNumber(value) ? value.digits : null;
    });
  }

  #odd(id: bigint, what: string): Error {
    return invalid(this.#layer.url, `sent record ${id} with ${what}`);
  }
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

function isFiniteNumber({ digits }: JsonNumber): boolean {
  return !/[aI]/.test(digits);
}

const MIN_DATE_MS = Date.parse('0001-01-01T00:00:00Z');
const MAX_DATE_MS = Date.parse('9999-12-31T23:59:59.999Z');

/**
 * Milliseconds since 1970 as the day and time in UTC. Without a zone, which would make the column text. A year that has
 * no four digits, or a part of a millisecond, stays the number that it is.
 */
function dateText(digits: string): string {
  const ms = /^-?\d{1,15}$/.test(digits) ? Number(digits) : NaN;
  if (!(ms >= MIN_DATE_MS && ms <= MAX_DATE_MS)) return digits;
  return new Date(ms).toISOString().replace(/(?:\.000)?Z$/, '');
}
