import { fieldOf, JsonNumber, listOf, type ExactJson } from '../json.ts';
import { isNotNumber, type JsonRecord, type Row } from '../records.ts';
import { invalid } from './answers.ts';
import type { GeometryType, Layer } from './layer.ts';
import type { Feature } from './queries.ts';

/** Returns the columns of a layer's records: the fields, then the geometry. */
export function columnsOf({ fields, geometry }: Layer): string[] {
  const names = fields.map(({ name }) => name);
  return [...names, ...GEOMETRY_COLUMNS[geometry].map(freeName(names))];
}

const GEOMETRY_COLUMNS = { none: [], xy: ['x', 'y'], wkt: ['wkt'] };

/** Finds a free name for a geometry's column. Names that differ only in case would be the same column in the lake. */
function freeName(names: string[]): (wanted: string) => string {
  const taken = new Set(names.map((name) => name.toLowerCase()));
  return (wanted) => {
    let name = wanted;
    for (let n = 1; taken.has(name); n += 1) name = `${wanted}_${n}`;
    return name;
  };
}

/** Returns a function that reads a record's values. They depend on the record alone. */
export function rowReader(layer: Layer): (feature: Feature) => Row {
  const { url, fields } = layer;
  const known = new Set(fields.map(({ name }) => name));
  return ({ id, attributes, geometry }) => {
    const odd = (what: string): Error => invalid(url, `sent record ${id} with ${what}`);
    const unknown = Object.keys(attributes as JsonRecord).find((name) => !known.has(name));
    // An unknown or a missing field means another version of the layer or a server's fault, not an empty column.
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
    // Points without coordinates have null, or NaN as a number or a text.
    return value instanceof JsonNumber && !isNotNumber(value) ? value : null;
  });
}

const MIN_DATE_MS = Date.parse('0001-01-01T00:00:00Z');
const MAX_DATE_MS = Date.parse('9999-12-31T23:59:59.999Z');

/**
 * Returns milliseconds since 1970 as date and time in UTC, without a zone, because a zone would make the column text. A
 * time with a fraction of a millisecond, or with a year that does not have four digits, stays a number.
 */
function dateOf(value: JsonNumber): ExactJson {
  const ms = /^-?\d{1,15}$/.test(value.digits) ? Number(value.digits) : NaN;
  if (!(ms >= MIN_DATE_MS && ms <= MAX_DATE_MS)) return value;
  return new Date(ms).toISOString().replace(/(?:\.000)?Z$/, '');
}

/** A position as its digits, and as numbers for comparisons. */
interface Position {
  text: string;
  x: number;
  y: number;
}
type Ring = Position[];

/** Returns Esri's geometry as two-dimensional well-known text with the same digits, or null if there is none. */
function wktOf(type: GeometryType, geometry: ExactJson | undefined): string | null {
  if (type === 'Point') {
    const point = positionOf([fieldOf(geometry, 'x'), fieldOf(geometry, 'y')]);
    return point ? `POINT (${point.text})` : null;
  }
  const parts = fieldOf(geometry, LISTS[type]);
  if (!Array.isArray(parts)) return null;
  if (type === 'Multipoint') {
    return textOf(
      'MULTIPOINT',
      positionsOf(parts).map(({ text }) => `(${text})`),
    );
  }
  const lines = parts.map((part) => positionsOf(part)).filter(({ length }) => length > 0);
  return type === 'Polyline'
    ? oneOrMany('LINESTRING', lines.map(lineText))
    : oneOrMany(
        'POLYGON',
        polygonsOf(lines).map((rings) => `(${rings.map(lineText).join(', ')})`),
      );
}

const LISTS = { Multipoint: 'points', Polyline: 'paths', Polygon: 'rings' } as const;

function oneOrMany(name: string, items: string[]): string {
  return items.length > 1 ? textOf(`MULTI${name}`, items) : `${name} ${items[0] ?? 'EMPTY'}`;
}

function textOf(name: string, items: string[]): string {
  return items.length === 0 ? `${name} EMPTY` : `${name} (${items.join(', ')})`;
}

function lineText(positions: Position[]): string {
  return `(${positions.map(({ text }) => text).join(', ')})`;
}

function positionsOf(list: unknown): Position[] {
  return listOf({ list }, 'list').flatMap((each) => positionOf(each) ?? []);
}

/** Returns undefined if a coordinate is NaN or null. */
function positionOf(value: unknown): Position | undefined {
  const [x, y] = Array.isArray(value) ? (value as unknown[]) : [];
  if (!(x instanceof JsonNumber) || !(y instanceof JsonNumber)) return undefined;
  const position = { text: `${x.digits} ${y.digits}`, x: Number(x.digits), y: Number(y.digits) };
  return Number.isFinite(position.x) && Number.isFinite(position.y) ? position : undefined;
}

/**
 * Esri puts the rings of all polygons in one list: outlines are clockwise, holes are not. A hole belongs to the
 * smallest outline around it. A hole without an outline around it is an outline in the wrong direction.
 */
function polygonsOf(rings: Ring[]): Ring[][] {
  const polygons: Ring[][] = rings.filter((ring) => areaOf(ring) <= 0).map((ring) => [ring]);
  const outlines = polygons.map(([outline = []]) => outline);
  for (const hole of rings.filter((ring) => areaOf(ring) > 0)) {
    const around = outlines
      .map((outline, index) => ({ outline, index }))
      .filter(({ outline }) => contains(outline, hole))
      .toSorted((a, b) => Math.abs(areaOf(a.outline)) - Math.abs(areaOf(b.outline)))[0];
    if (around) polygons[around.index]?.push(hole);
    else polygons.push([hole]);
  }
  return polygons;
}

/** Returns twice the area, negative if the ring is clockwise. */
function areaOf(ring: Ring): number {
  let area = 0;
  for (const [index, { x, y }] of ring.entries()) {
    const next = ring[(index + 1) % ring.length];
    if (next) area += x * next.y - next.x * y;
  }
  return area;
}

/** Tests a point of the hole that is not a corner of the outline, if there is one. */
function contains(outline: Ring, hole: Ring): boolean {
  const corners = new Set(outline.map(({ text }) => text));
  const probe = hole.find(({ text }) => !corners.has(text)) ?? hole[0];
  if (!probe) return false;
  let isInside = false;
  for (const [index, a] of outline.entries()) {
    const b = outline[(index + 1) % outline.length];
    if (!b || a.y > probe.y === b.y > probe.y) continue;
    if (probe.x < ((b.x - a.x) * (probe.y - a.y)) / (b.y - a.y) + a.x) isInside = !isInside;
  }
  return isInside;
}
