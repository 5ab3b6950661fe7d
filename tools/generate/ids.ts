import type { RecordPart } from './shape.ts';
import { digitsOf, writeNumber } from './shape.ts';

/** Incident number, offense code (4) and extension (2) have at most 19 digits, so some are beyond 2^53. */
const MAX_INCIDENT_DIGITS = 13;
const FIRST_NUMBER = 1000;

/** The form of the two ids in a record. The next fragment begins with the offense's own digits. */
export interface IdStyle {
  year: number;
  /** Texts before the first id (`open`) and between the ids (`between`). Quoted ids have `"` and `","`. */
  open: string;
  between: string;
}

/** INCIDENT_ID and the start of OFFENSE_ID: the incident number of 8 to 13 digits, twice. */
export function incidentIds({ year, open, between }: IdStyle): RecordPart {
  const prefixes = Array.from({ length: 6 }, (_, zeros) =>
    Buffer.from(zeros === 0 ? String(year) : `${year}8${'0'.repeat(zeros - 1)}`),
  );
  const head = Buffer.from(open);
  const middle = Buffer.from(between);
  return (target, start, { index, random }) => {
    const number = FIRST_NUMBER + index;
    const longest = Math.max(1, MAX_INCIDENT_DIGITS - digitsOf(number) - 3);
    const prefix = prefixes[random.next() % Math.min(prefixes.length, longest)] ?? head;
    let at = start;
    target.set(head, at);
    at = writeIncident(target, at + head.length, prefix, number);
    target.set(middle, at);
    return writeIncident(target, at + middle.length, prefix, number);
  };
}

function writeIncident(target: Buffer, at: number, prefix: Buffer, number: number): number {
  target.set(prefix, at);
  return writeNumber(target, at + prefix.length, number);
}
