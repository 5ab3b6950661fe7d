import { fieldOf, JsonNumber, listOf, type ExactJson } from '../json.ts';
import type { GeometryType } from './layer.ts';

/** A position as its digits, and as numbers to compare. */
interface Position {
  text: string;
  x: number;
  y: number;
}
type Ring = Position[];

/** Esri's geometry as well-known text, in two dimensions, its digits as they came; null where there is none. */
export function wktOf(type: GeometryType, geometry: ExactJson | undefined): string | null {
  if (type === 'point') {
    const point = positionOf([fieldOf(geometry, 'x'), fieldOf(geometry, 'y')]);
    return point ? `POINT (${point.text})` : null;
  }
  const parts = fieldOf(geometry, LISTS[type]);
  if (!Array.isArray(parts)) return null;
  if (type === 'multipoint') {
    return textOf(
      'MULTIPOINT',
      positionsOf(parts).map(({ text }) => `(${text})`),
    );
  }
  const lines = parts.map((part) => positionsOf(part)).filter(({ length }) => length > 0);
  return type === 'polyline'
    ? oneOrMany('LINESTRING', lines.map(lineText))
    : oneOrMany(
        'POLYGON',
        polygonsOf(lines).map((rings) => `(${rings.map(lineText).join(', ')})`),
      );
}

const LISTS = { multipoint: 'points', polyline: 'paths', polygon: 'rings' } as const;

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

/** Undefined where it is no place: NaN, or null. */
function positionOf(value: unknown): Position | undefined {
  const [x, y] = Array.isArray(value) ? (value as unknown[]) : [];
  if (!(x instanceof JsonNumber) || !(y instanceof JsonNumber)) return undefined;
  const position = { text: `${x.digits} ${y.digits}`, x: Number(x.digits), y: Number(y.digits) };
  return Number.isFinite(position.x) && Number.isFinite(position.y) ? position : undefined;
}

/**
 * Esri has the rings of all polygons in one list: clockwise ones are outlines, the others holes. A hole belongs to the
 * smallest outline around it; one without any is an outline that was drawn the other way round.
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

/** Twice the area; negative where the ring runs clockwise. */
function areaOf(ring: Ring): number {
  let area = 0;
  for (const [index, { x, y }] of ring.entries()) {
    const next = ring[(index + 1) % ring.length];
    if (next) area += x * next.y - next.x * y;
  }
  return area;
}

/** By a point of the hole that is not on the outline's corners, if there is one. */
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
