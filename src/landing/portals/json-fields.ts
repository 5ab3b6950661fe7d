import { printable } from '../../model/names.ts';
import { JsonNumber } from './exact-json.ts';

/** A field of a portal's answer; undefined where the answer is no object, or has no such field. */
export function fieldOf(answer: unknown, name: string): unknown {
  if (typeof answer !== 'object' || answer === null || Array.isArray(answer)) return undefined;
  return Object.hasOwn(answer, name) ? (answer as Record<string, unknown>)[name] : undefined;
}

/** Undefined for anything but a text that says something. */
export function textOf(answer: unknown, name: string): string | undefined {
  const value = fieldOf(answer, name);
  return typeof value === 'string' && value.trim() !== '' ? value : undefined;
}

export function numberOf(answer: unknown, name: string): number | undefined {
  const value = fieldOf(answer, name);
  const number = value instanceof JsonNumber ? Number(value.digits) : value;
  return typeof number === 'number' && Number.isFinite(number) ? number : undefined;
}

/** Empty for anything but a list. */
export function listOf(answer: unknown, name: string): unknown[] {
  const value = fieldOf(answer, name);
  return Array.isArray(value) ? value : [];
}

/** A title or a licence is shown in one line. */
const MAX_LINE_LENGTH = 300;

/** A stranger's text, which may be HTML, as one line; undefined where it says nothing. */
export function lineOf(answer: unknown, name: string): string | undefined {
  const plain = (textOf(answer, name) ?? '')
    .slice(0, MAX_LINE_LENGTH * 10)
    .replaceAll(/<[^<>]*>/g, ' ')
    .replaceAll(/&(amp|lt|gt|quot|nbsp|#39);/g, (_, entity: string) => ENTITIES[entity] ?? ' ');
  const line = printable(plain.replaceAll(/\s+/g, ' ').trim()).slice(0, MAX_LINE_LENGTH);
  return line === '' ? undefined : line;
}

const ENTITIES: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  '#39': "'",
};

/** Milliseconds since 1970 as ISO 8601 in UTC; undefined for a moment that no calendar has. */
export function isoTimeOf(epochMs: number | undefined): string | undefined {
  const date = new Date(epochMs ?? NaN);
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString();
}
