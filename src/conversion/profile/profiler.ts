import { endOfPlain, endOfQuoted, INCOMPLETE, LF, QUOTE, startOfNext } from '../csv/fields.ts';
import type { Block } from '../csv/fields.ts';
import { ALL_SHAPES, BEYOND_DOUBLE, shapesOf } from './shapes.ts';

/** What some of the records say of the columns: plain data, merged in any order. */
export interface Profile {
  /** Shapes of each column's values: ALL_SHAPES where it has none. */
  shapes: Int32Array;
  /** 1 where an integer beyond 2^53 occurs. */
  beyondDouble: Uint8Array;
}

export function emptyProfile(columns: number): Profile {
  return {
    shapes: new Int32Array(columns).fill(ALL_SHAPES),
    beyondDouble: new Uint8Array(columns),
  };
}

export function mergeProfiles(into: Profile, other: Profile): void {
  for (let column = 0; column < into.shapes.length; column += 1) {
    into.shapes[column] = at(into.shapes, column) & at(other.shapes, column);
    into.beyondDouble[column] = at(into.beyondDouble, column) | at(other.beyondDouble, column);
  }
}

function at(list: Int32Array | Uint8Array, index: number): number {
  return list[index] as number;
}

/**
 * Narrows a profile by the whole records of a block. `bytes[limit]` must exist: it is overwritten by a
 * sentinel, so that the inner loop needs no bound. A record that goes on behind the limit is left for the next
 * block: narrowing by the same values twice changes nothing.
 * @returns where the record that was left starts.
 */
export function profileRecords(
  profile: Profile,
  bytes: Uint8Array,
  block: Block,
  delimiter: number,
): number {
  bytes[block.limit] = LF;
  let record = block.start;
  while (record < block.limit) {
    const next = profileRecord(profile, bytes, record, block, delimiter);
    if (next === INCOMPLETE) return record;
    record = next;
  }
  return block.limit;
}

/** @returns where the next record starts. */
function profileRecord(
  profile: Profile,
  bytes: Uint8Array,
  start: number,
  block: Block,
  delimiter: number,
): number {
  const { shapes } = profile;
  const { limit, end } = block;
  let from = start;
  for (let column = 0; ; column += 1) {
    const quoted = bytes[from] === QUOTE;
    const to = quoted ? endOfQuoted(bytes, from, limit) : endOfPlain(bytes, from, delimiter);
    if (to >= limit && !end) return INCOMPLETE;
    if (shapes[column]) {
      // A quote inside the quotes is part of no number and no date: it needs no unescaping.
      if (quoted) narrow(profile, column, bytes, from + 1, to - 1);
      else narrow(profile, column, bytes, from, to);
    }
    if (bytes[to] !== delimiter) return startOfNext(bytes, to, block);
    from = to + 1;
  }
}

/** A header's fields past the known columns do not exist: ragged files never get here. */
function narrow(
  profile: Profile,
  column: number,
  bytes: Uint8Array,
  from: number,
  to: number,
): void {
  if (from >= to) return;
  const wanted = profile.shapes[column] as number;
  const found = shapesOf(bytes, from, to, wanted);
  profile.shapes[column] = found & wanted;
  if ((found & BEYOND_DOUBLE) !== 0) profile.beyondDouble[column] = 1;
}
