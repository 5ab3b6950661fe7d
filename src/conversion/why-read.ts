import { countText } from '../model/texts.ts';
import { firstRecordOffset, type CsvReading, type CsvScan, type Dialect } from '../model/scan.ts';
import { DELIMITERS } from '../csv/delimiter.ts';
import { recordsOfHead } from '../csv/head-records.ts';

/**
 * What each delimiter makes of the file's first records.
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
