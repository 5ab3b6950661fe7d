import { ALL_SHAPES, BEYOND_DOUBLE, shapesOf } from './shapes.ts';
import { INCOMPLETE, QUOTE, Tokenizer, type Block } from './tokenizer.ts';

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
  for (const [column, shapes] of other.shapes.entries()) {
    into.shapes[column] = (into.shapes[column] as number) & shapes;
    into.beyondDouble[column] ||= other.beyondDouble[column] as number;
  }
}

/**
 * Narrows a profile by the whole records of a block. A record that goes on behind the limit is left for the next
 * block: narrowing by the same values twice changes nothing.
 * @returns where the record that was left starts.
 */
export function profileRecords(
  profile: Profile,
  bytes: Uint8Array,
  block: Block,
  delimiter: number,
): number {
  const { shapes } = profile;
  const tokenizer = new Tokenizer(delimiter);
  const { ends } = tokenizer;
  let record = block.start;
  while (record < block.limit) {
    const next = tokenizer.read(bytes, record, block);
    if (next === INCOMPLETE) return record;
    let from = record;
    // A field past the header's columns has no shapes: ragged files never get here.
    for (let column = 0; column < tokenizer.fields; column += 1) {
      const to = ends[column] as number;
      if (shapes[column]) narrow(profile, column, bytes, from, to);
      from = to + 1;
    }
    record = next;
  }
  return block.limit;
}

/** A quote inside the quotes is part of no number and no date: it needs no unescaping. */
function narrow(
  profile: Profile,
  column: number,
  bytes: Uint8Array,
  start: number,
  end: number,
): void {
  const margin = bytes[start] === QUOTE ? 1 : 0;
  if (start + margin >= end - margin) return;
  const wanted = profile.shapes[column] as number;
  const found = shapesOf(bytes, start + margin, end - margin, wanted);
  profile.shapes[column] = found & wanted;
  if ((found & BEYOND_DOUBLE) !== 0) profile.beyondDouble[column] = 1;
}
