import * as sdk from '@aws-sdk/client-emr';
import { ApiError, validation } from './api-error.ts';

/**
 * A shape as the SDK's own model has it: a number for a simple one (or for a list or map of simple ones), a tuple, or a
 * function that has it.
 */
type Shape = number | ShapeTuple | ShapeGetter;
type ShapeTuple = readonly unknown[];
type ShapeGetter = () => Shape;

/** The input shape of an action: undefined where EMR has no such action. */
export function inputShapeOf(action: string): Shape | undefined {
  const operation = (sdk as unknown as Record<string, unknown>)[`${action}$`];
  const isOperation = Array.isArray(operation) && operation[0] === OPERATION;
  return isOperation ? (operation[INPUT] as Shape) : undefined;
}

/**
 * Checks a request against the SDK's model: no member that EMR does not know, no wrong type, nothing missing.
 * @throws ApiError SerializationException, or ValidationException with all that is missing.
 */
export function checkShape(shape: Shape, value: unknown): void {
  const missing: string[] = [];
  check(shape, value, { path: '', missing });
  if (missing.length === 0) return;
  const details = missing.map(
    (path) => `Value null at '${path}' failed to satisfy constraint: Member must not be null`,
  );
  const count = `${missing.length} validation error${missing.length === 1 ? '' : 's'} detected`;
  throw validation(`${count}: ${details.join('; ')}`);
}

/** Where in a tuple of the model what lies. */
const OPERATION = 9;
const INPUT = 4;
const STRUCTURE = 3;
const LIST = 1;
const MAP = 2;
const SIMPLE = 0;
/** Simple shapes. Lists and maps of them are this with a flag. */
const NAMES: Readonly<Record<number, string>> = {
  0: 'string',
  1: 'number',
  2: 'boolean',
  4: 'timestamp',
};
const LIST_FLAG = 64;
const MAP_FLAG = 128;

interface Place {
  /** As EMR writes it: `steps.1.member.hadoopJarStep.jar`. */
  path: string;
  missing: string[];
}

function check(reference: Shape, value: unknown, place: Place): void {
  const shape = resolved(reference);
  if (typeof shape === 'number') return checkNumbered(shape, value, place);
  const [kind] = shape;
  if (kind === STRUCTURE) return checkStructure(shape, value, place);
  if (kind === LIST) return checkList(shape[INPUT] as Shape, value, place);
  if (kind === MAP) return checkMap(shape[INPUT + 1] as Shape, value, place);
  // A simple shape with a name, or a member with traits: `[shape, traits]`.
  return check((kind === SIMPLE && shape.length > 2 ? shape[INPUT] : kind) as Shape, value, place);
}

function resolved(shape: Shape): number | ShapeTuple {
  return typeof shape === 'function' ? resolved(shape()) : shape;
}

function checkNumbered(shape: number, value: unknown, place: Place): void {
  if (shape >= MAP_FLAG) return checkMap(shape - MAP_FLAG, value, place);
  if (shape >= LIST_FLAG) return checkList(shape - LIST_FLAG, value, place);
  const wanted = NAMES[shape] ?? 'string';
  const type = wanted === 'timestamp' ? 'number' : wanted;
  if (typeof value !== type) throw wrongType(value, wanted, place);
}

function checkStructure(shape: readonly unknown[], value: unknown, place: Place): void {
  if (!isRecord(value)) throw wrongType(value, 'structure', place);
  const names = shape[INPUT] as readonly string[];
  const members = shape[INPUT + 1] as readonly Shape[];
  const required = new Set(names.slice(0, Number(shape[INPUT + 2] ?? 0)));
  const unknown = Object.keys(value).find((name) => !names.includes(name));
  if (unknown !== undefined) {
    throw new ApiError(
      'SerializationException',
      `Unknown member ${JSON.stringify(below(place, unknown))}`,
    );
  }
  for (const [index, name] of names.entries()) {
    const member = value[name];
    const path = below(place, name);
    if (member === undefined || member === null) {
      if (required.has(name)) place.missing.push(path);
    } else {
      check(members[index] as Shape, member, { ...place, path });
    }
  }
}

function checkList(shape: Shape, value: unknown, place: Place): void {
  if (!Array.isArray(value)) throw wrongType(value, 'list', place);
  for (const [index, each] of value.entries()) {
    check(shape, each, { ...place, path: `${place.path}.${index + 1}.member` });
  }
}

function checkMap(shape: Shape, value: unknown, place: Place): void {
  if (!isRecord(value)) throw wrongType(value, 'map', place);
  for (const [key, each] of Object.entries(value)) {
    check(shape, each, { ...place, path: `${place.path}.${key}.member` });
  }
}

function below({ path }: Place, name: string): string {
  const member = name.charAt(0).toLowerCase() + name.slice(1);
  return path === '' ? member : `${path}.${member}`;
}

function wrongType(value: unknown, wanted: string, { path }: Place): ApiError {
  const found = value === null ? 'null' : Array.isArray(value) ? 'list' : typeof value;
  return new ApiError('SerializationException', `Expected ${wanted} at '${path}', found ${found}`);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
