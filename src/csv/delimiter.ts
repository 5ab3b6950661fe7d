import { LonghaulError } from '../model/errors.ts';
import type { Dialect } from '../model/scan.ts';
import {
  isTyped,
  recordsOfHead,
  type Head,
  type HeadField,
  type HeadRecord,
} from './head-records.ts';

/** The delimiters that people and programs usually write. They are tried first. */
export const DELIMITERS = [',', ';', '\t', '|'];

/**
 * Tried only if those four leave one column. Each is also part of texts and times, so every record must have it equally
 * often, and must have more fields by it than a name or a time of day has.
 */
const RARE_DELIMITERS: readonly { delimiter: string; minFields: number }[] = [
  { delimiter: '^', minFields: 2 },
  { delimiter: '~', minFields: 2 },
  { delimiter: ':', minFields: 4 },
  { delimiter: ' ', minFields: 4 },
];

/** If more than this share of the records differ from the header, the delimiter is not the file's. */
const MAX_BAD_SHARE = 0.5;

/** The head as one delimiter splits it. */
interface Candidate {
  delimiter: string;
  /** Fields of the first record. */
  columns: number;
  /** Share of the data records with another number of fields than the first record, or with odd quotes. */
  badShare: number;
  /** Share of the data records with more than one field. */
  standing: number;
  /** Share of all records that have the commonest number of fields above one. */
  regular: number;
  /** Share of the values that look like one value, and not like several or a part of one. */
  cleanShare: number;
}

/**
 * The delimiter by which the file's records are consistent.
 * @returns a comma if there is no delimiter: the file has one column.
 * @throws LonghaulError SOURCE_DELIMITER_UNCLEAR if several fit, or if the file would have one column and its records
 * look like more.
 */
export function likeliestDelimiter(head: Head, hasHeader: boolean): string {
  const candidateOf = (delimiter: string): Candidate =>
    asCandidate(delimiter, recordsOfHead(head, delimiter), hasHeader);
  const candidates = DELIMITERS.map(candidateOf);
  const consistent = candidates
    .filter(({ columns, badShare }) => columns > 1 && badShare <= MAX_BAD_SHARE)
    .toSorted((a, b) => b.cleanShare - a.cleanShare || a.badShare - b.badShare);
  const [best, second] = consistent;
  if (!best) return ofInconsistent(candidates, candidateOf);
  const isTie = best.cleanShare === second?.cleanShare && best.badShare === second.badShare;
  const rival = isTie ? second : candidates.find((each) => isRival(each, best));
  if (!rival) return best.delimiter;
  throw unclear(
    `The file's records are as regular with the delimiter ${JSON.stringify(best.delimiter)} as with ${JSON.stringify(rival.delimiter)}.`,
    [best, rival],
  );
}

/** Another delimiter that gives values at least as clean, although its records differ in length. */
function isRival(other: Candidate, best: Candidate): boolean {
  return (
    other !== best &&
    other.columns > 1 &&
    other.standing > MAX_BAD_SHARE &&
    other.badShare > MAX_BAD_SHARE &&
    other.cleanShare >= best.cleanShare
  );
}

/** No delimiter fits the first record and most others. The file is damaged, has a title line, or has one column. */
function ofInconsistent(
  candidates: readonly Candidate[],
  candidateOf: (delimiter: string) => Candidate,
): string {
  const [best] = candidates
    .filter(({ columns, standing }) => columns > 1 || standing > MAX_BAD_SHARE)
    .toSorted((a, b) => b.regular - a.regular || b.cleanShare - a.cleanShare);
  const found = best ?? rareDelimiter(candidateOf);
  // If it is a comma, or if the first record has it too, the scan reports the records that differ.
  if (!found || found.delimiter === ',' || (found === best && isInBoth(found))) {
    return found?.delimiter ?? ',';
  }
  throw unclear(
    `Without a delimiter the file has one column, but ${JSON.stringify(found.delimiter)} stands in ${found.columns > 1 ? 'its first record' : 'most of its records'}: it may be the delimiter${found.columns > 1 ? '' : ', below a title line'}.`,
    [found, { delimiter: ',' }],
  );
}

function isInBoth({ columns, standing }: Candidate): boolean {
  return columns > 1 && standing > MAX_BAD_SHARE;
}

function rareDelimiter(candidateOf: (delimiter: string) => Candidate): Candidate | undefined {
  for (const { delimiter, minFields } of RARE_DELIMITERS) {
    const candidate = candidateOf(delimiter);
    const { columns, badShare, standing } = candidate;
    if (columns >= minFields && badShare === 0 && standing === 1) return candidate;
  }
  return undefined;
}

function asCandidate(
  delimiter: string,
  records: readonly HeadRecord[],
  hasHeader: boolean,
): Candidate {
  const data = hasHeader ? records.slice(1) : records;
  const columns = records[0]?.fields.length ?? 0;
  const values = (data.length > 0 ? data : records).flatMap(({ fields }) => fields);
  const filled = values.filter((field) => field.quoted || field.text.trim() !== '');
  const isBad = ({ fields }: HeadRecord): boolean =>
    fields.length !== columns || fields.some(({ quoted, oddQuotes }) => quoted && oddQuotes);
  return {
    delimiter,
    columns,
    badShare: shareOf(data, isBad),
    standing: shareOf(data, ({ fields }) => fields.length > 1),
    regular: regularShare(records),
    cleanShare: shareOf(filled, (field) => isClean(field, delimiter)),
  };
}

function shareOf<T>(items: readonly T[], fits: (item: T) => boolean): number {
  return items.length === 0 ? 0 : items.filter(fits).length / items.length;
}

function regularShare(records: readonly HeadRecord[]): number {
  const counts = new Map<number, number>();
  for (const { fields } of records) {
    if (fields.length > 1) counts.set(fields.length, (counts.get(fields.length) ?? 0) + 1);
  }
  return Math.max(0, ...counts.values()) / Math.max(records.length, 1);
}

/** A wrong delimiter leaves the right one inside values, leaves blanks at their starts, and splits quoted fields. */
function isClean({ text, quoted, oddQuotes }: HeadField, delimiter: string): boolean {
  if (oddQuotes) return false;
  if (quoted || isTyped(text)) return true;
  if (text.startsWith(' ')) return false;
  return !DELIMITERS.some((other) => other !== delimiter && text.includes(other));
}

function unclear(message: string, choices: readonly Pick<Dialect, 'delimiter'>[]): LonghaulError {
  const settings = choices
    .map((each) => `\`delimiter: ${JSON.stringify(each.delimiter)}\``)
    .join(' or ');
  return new LonghaulError('SOURCE_DELIMITER_UNCLEAR', message, {
    hint: `Nothing is published. Look at the file's first lines, then set ${settings} for the source in datasets.yaml.`,
  });
}
