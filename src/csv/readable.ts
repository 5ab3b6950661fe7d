import { LonghaulError, type ErrorCode } from '../model/errors.ts';
import { printable } from '../model/names.ts';
import type { CsvScan, Dialect, Position, ScanProblem } from '../model/scan.ts';

type Kind = ScanProblem['kind'];

/** The likelier cause comes first: an unclosed quote makes a record too long, and NULs can make records ragged. */
const PROBLEMS: readonly { kind: Kind; code: ErrorCode; what: string }[] = [
  { kind: 'nul', code: 'SOURCE_HAS_NUL', what: 'NUL bytes' },
  { kind: 'unclosed-quote', code: 'SOURCE_QUOTING', what: 'quotes that never close' },
  {
    kind: 'quoting',
    code: 'SOURCE_QUOTING',
    what: 'fields whose quotes do not stand at their first and last byte',
  },
  {
    kind: 'record-too-long',
    code: 'SOURCE_RECORD_TOO_LONG',
    what: 'records that are too long',
  },
  { kind: 'ragged', code: 'SOURCE_RAGGED', what: "records whose fields are not the header's" },
];

/** Characters of a header that a message shows. */
const MAX_HEADER_CHARACTERS = 100;

/**
 * Throws if a conversion would have to guess.
 * @param source the source's id, for the message.
 * @throws LonghaulError SOURCE_EMPTY, SOURCE_HAS_NUL, SOURCE_QUOTING, SOURCE_RECORD_TOO_LONG, SOURCE_RAGGED, with the
 * first five positions.
 */
export function assertReadable(scan: CsvScan, source: string): void {
  if (scan.header.length === 0) {
    throw new LonghaulError('SOURCE_EMPTY', `Source ${source} has no header.`, { source });
  }
  for (const { kind, code, what } of PROBLEMS) {
    const problem = scan.problems.find((each) => each.kind === kind);
    if (!problem) continue;
    const positions = problem.examples
      .map((each) => positionText(each, scan.header.length))
      .join('; ');
    const more = problem.count > problem.examples.length ? '; …' : '';
    throw new LonghaulError(
      code,
      `Source ${source} has ${problem.count} ${what}: ${positions}${more}. ${howItWasRead(scan)}`,
      { source, ...hintFor(code, scan) },
    );
  }
}

function positionText({ record, line, byteOffset, fields }: Position, columns: number): string {
  const where = record === 0 ? 'the header' : `record ${record}`;
  const found = fields === undefined ? '' : ` has ${fields} fields where the header has ${columns}`;
  return `${where} (line ${line}, byte ${byteOffset})${found}`;
}

/** If the delimiter or the header is wrong, every count of records and fields is wrong too. */
function howItWasRead({ dialect, header, headerLine }: CsvScan): string {
  const delimiter = delimiterText(dialect);
  if (headerLine === undefined) return `It was read with ${delimiter}, and without a header.`;
  const names = printable(header.join(dialect.delimiter));
  const shown =
    names.length > MAX_HEADER_CHARACTERS ? `${names.slice(0, MAX_HEADER_CHARACTERS)}…` : names;
  return `It was read with ${delimiter}, and line ${headerLine} as its header: ${shown}`;
}

function delimiterText({ delimiter, delimiterFrom }: Dialect): string {
  const reasons = { 'sep=': 'from the line sep=', head: "found in the file's start" };
  const reason = delimiterFrom === undefined ? 'declared' : reasons[delimiterFrom];
  return `the delimiter ${JSON.stringify(delimiter)} (${reason})`;
}

function hintFor(code: ErrorCode, { dialect }: CsvScan): { hint?: string } {
  if (code !== 'SOURCE_RAGGED' && code !== 'SOURCE_QUOTING') return {};
  const settings = [
    ...(dialect.delimiterFrom === 'head' ? ['if the delimiter is another one, `delimiter`'] : []),
    ...(dialect.header === false ? [] : ['if its first line is data, `header: false`']),
  ];
  const inYaml =
    settings.length > 0 ? ` Set for the source in datasets.yaml, ${settings.join('; ')}.` : '';
  return {
    hint: `Nothing is published; look at the lines that the message names.${inYaml} Otherwise the file is damaged: ask its publisher.`,
  };
}
