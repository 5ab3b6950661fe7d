import { countText } from '../model/texts.ts';
import type { DeclaredType, Encoding } from '../model/dataset.ts';
import { printable } from '../model/names.ts';
import { firstRecordOffset, type CsvReading, type CsvScan, type Dialect } from '../model/scan.ts';
import type { Column } from '../model/schema.ts';
import { DELIMITERS } from '../csv/delimiter.ts';
import { recordsOfHead } from '../csv/head-records.ts';
import { valueText, type ColumnEvidence, type SeenValue } from '../csv/profile.ts';
import { DECIMAL, INTEGER, NUMBERS, SHAPES } from '../csv/shapes.ts';
import { shapesOfType } from './column-types.ts';

/**
 * Explains the delimiter: what each delimiter makes of the file's first records.
 * @param head the file's first bytes.
 */
export function whyDelimiter(dialect: Dialect, head: Buffer, isComplete: boolean): string {
  const { delimiter, delimiterFrom } = dialect;
  const text = head.toString('latin1', firstRecordOffset(dialect));
  const made = (each: string): string => {
    const records = recordsOfHead({ text, complete: isComplete }, each);
    const fields = records[0]?.fields.length ?? 0;
    const alike = records.filter((record) => record.fields.length === fields).length;
    return `${fields} fields in ${countText(alike)} of the first ${countText(records.length)} records`;
  };
  const others = DELIMITERS.filter((each) => each !== delimiter);
  const from =
    delimiterFrom === undefined
      ? 'declared; '
      : delimiterFrom === 'sep='
        ? 'the line sep= says so; '
        : '';
  const rivals = others.map((each) => {
    const { fields = [] } = recordsOfHead({ text, complete: isComplete }, each)[0] ?? {};
    return `${JSON.stringify(each)} ${fields.length}`;
  });
  return `${from}${made(delimiter)}; fields of the first record with ${rivals.join(', ')}`;
}

export function whyEncoding(
  { encoding: evidence, dialect }: Pick<CsvScan, 'encoding' | 'dialect'>,
  { encoding, encodingFrom }: Pick<CsvReading, 'encoding' | 'encodingFrom'>,
): string {
  const { ascii, firstInvalidUtf8, firstMultibyteUtf8 } = evidence;
  const beyondAscii =
    firstMultibyteUtf8 === undefined
      ? ''
      : `; the first character beyond ASCII is at byte ${countText(firstMultibyteUtf8)}`;
  if (encodingFrom === 'declared') {
    const invalid =
      firstInvalidUtf8 === undefined
        ? ''
        : `; byte ${countText(firstInvalidUtf8)} is not valid UTF-8`;
    return `declared${invalid}`;
  }
  if (dialect.bomBytes > 0) return `byte order mark, and every byte is valid UTF-8${beyondAscii}`;
  if (ascii) return 'every byte is ASCII';
  if (encoding === 'utf-8') return `every byte is valid UTF-8${beyondAscii}`;
  return `byte ${countText(firstInvalidUtf8 ?? 0)} is not valid UTF-8, and every byte stands where a character of Windows-1252 may`;
}

/** The evidence for a column's type. */
interface Reason {
  evidence: ColumnEvidence;
  encoding: Encoding;
}

/** Number of a column's values that have a shape, and the first value that does not. */
interface Fit {
  shape: number;
  format?: string;
  values: number;
  misfit?: SeenValue;
}

/** Names the values that decide a column's type: a sentence without its full stop. Publisher's text is printable. */
export function whyType(
  column: Pick<Column, 'type' | 'format'>,
  declared: DeclaredType | undefined,
  reason: Reason,
): string {
  const { evidence } = reason;
  if (evidence.values === 0)
    return declared ? 'declared; no record has a value' : 'no record has a value';
  if (declared) return `declared; ${declaredText(declared, reason)}`;
  const all = (one: string, many: string): string =>
    evidence.values === 1
      ? `its one value is ${one}`
      : `all ${countText(evidence.values)} values are ${many}`;
  const ofFormat = `of the format ${column.format ?? ''}`;
  switch (column.type) {
    case 'BIGINT':
      return `${all('an integer', 'integers')}; the longest has ${evidence.maxDigits} ${evidence.maxDigits === 1 ? 'digit' : 'digits'}`;
    case 'DOUBLE':
      return `${all('a decimal', 'decimals')}; ${misfitText(fitOf(evidence, INTEGER), reason, 'no integer')}`;
    case 'DATE':
    case 'TIMESTAMP':
      return `${all(ofFormat, ofFormat)}${otherFormats(column, evidence)}`;
    case 'VARCHAR':
      return whyText(reason);
  }
}

/** If month first and day first both fit, Longhaul takes the first format of the list. The user should know this. */
function otherFormats({ format }: Pick<Column, 'format'>, evidence: ColumnEvidence): string {
  const others = SHAPES.filter(
    (each) =>
      each.format !== undefined &&
      each.format !== format &&
      fitOf(evidence, each.shape).values === evidence.values,
  );
  return others.length === 0 ? '' : `; ${others.map((each) => each.format).join(', ')} fits too`;
}

/** Explains a text column by the type that would fit most of its values. */
function whyText(reason: Reason): string {
  const { evidence } = reason;
  const best = bestFit(evidence, -1);
  if (!best || best.values === 0) {
    const [first] = evidence.groups.values();
    return `no value is a plain number, a date or a timestamp${zeroText(first?.first)}`;
  }
  return misfitText(best, reason, kindText(best)) + zeroText(best.misfit);
}

/** The usual reason why a value that looks like a number stays text. */
function zeroText(value: SeenValue | undefined): string {
  return /^-?0\d/.test(value?.text ?? '') ? '; a number would lose the leading zero' : '';
}

function declaredText(declared: DeclaredType, reason: Reason): string {
  const { evidence } = reason;
  if (declared.type === 'VARCHAR') return 'text holds every value';
  const best = bestFit(evidence, shapesOfType(declared));
  if (best?.values === evidence.values) return `all ${countText(evidence.values)} values fit`;
  return best ? misfitText(best, reason, `no ${declared.type}`) : 'no value fits';
}

function bestFit(evidence: ColumnEvidence, wanted: number): Fit | undefined {
  return SHAPES.filter(({ shape }) => (shape & wanted) !== 0)
    .map(({ shape, format }) => ({
      ...fitOf(evidence, shape),
      ...(format !== undefined && { format }),
    }))
    .toSorted((a, b) => b.values - a.values)[0];
}

function fitOf({ groups }: ColumnEvidence, shape: number): Fit {
  const fit: Fit = { shape, values: 0 };
  for (const group of groups.values()) {
    if ((group.shapes & shape) !== 0) fit.values += group.values;
    else if (!fit.misfit || group.first.record < fit.misfit.record) fit.misfit = group.first;
  }
  return fit;
}

function kindText({ shape, format }: Fit): string {
  if (format !== undefined) return `not of the format ${format}`;
  return (shape & NUMBERS) === DECIMAL ? 'no plain number' : 'no plain integer';
}

function misfitText({ values, misfit }: Fit, { evidence, encoding }: Reason, what: string): string {
  if (!misfit) return `none is ${what}`;
  const shown = JSON.stringify(printable(valueText(misfit.text, encoding)));
  const misfits = evidence.values - values;
  const which = `${countText(misfits)} of ${countText(evidence.values)} values ${misfits === 1 ? 'is' : 'are'} ${what}`;
  return `${which}, ${misfits === 1 ? '' : 'first '}${shown} in record ${countText(misfit.record)}`;
}
