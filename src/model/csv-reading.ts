import type { Encoding, SourceOverrides } from './dataset.ts';
import type { CsvScan, Positions } from './scan.ts';

/** How a source's file was read: what a person checks first where a table looks wrong. */
export interface CsvReading {
  delimiter: string;
  delimiterFrom: 'declared' | 'sep=' | 'found';
  encoding: Encoding;
  encodingFrom: 'declared' | 'byte order mark' | 'found';
  /** False: the columns are `column_1`, …. */
  header: boolean;
  /** Quotes inside unquoted fields: they are text, and the table may be a wrong one where they should not be. */
  bareQuotes: Positions;
}

export function csvReadingOf(
  { dialect, bareQuotes }: Pick<CsvScan, 'dialect' | 'bareQuotes'>,
  encoding: Encoding,
  declared: SourceOverrides,
): CsvReading {
  const { delimiter, delimiterFrom = 'declared', bomBytes } = dialect;
  const mark = bomBytes > 0 && encoding === 'utf-8';
  return {
    delimiter,
    delimiterFrom: delimiterFrom === 'head' ? 'found' : delimiterFrom,
    encoding,
    encodingFrom: declared.encoding ? 'declared' : mark ? 'byte order mark' : 'found',
    header: dialect.header !== false,
    bareQuotes,
  };
}

/** `UTF-8 (found), comma (found)`, and what else a person should know. No text of the publisher's is in it. */
export function csvReadingText(reading: CsvReading): string {
  const { encoding, encodingFrom, delimiter, delimiterFrom, header, bareQuotes } = reading;
  const known = [
    `${encoding} (${encodingFrom})`,
    `${delimiterName(delimiter)} (${delimiterFrom})`,
    ...(header ? [] : ['no header']),
  ];
  return [known.join(', '), ...bareQuoteTexts(bareQuotes)].join('; ');
}

function bareQuoteTexts({ count, examples }: Positions): string[] {
  if (count === 0) return [];
  const positions = examples.map(
    ({ record, line, byteOffset }) =>
      `${record === 0 ? 'header' : `record ${record}`} (line ${line}, byte ${byteOffset})`,
  );
  const more = count > examples.length ? ', …' : '';
  return [`${count} quotes inside unquoted fields, kept as text: ${positions.join(', ')}${more}`];
}

const NAMES: Readonly<Record<string, string>> = {
  ',': 'comma',
  ';': 'semicolon',
  '\t': 'tab',
  '|': 'bar',
  ' ': 'blank',
};

/** For tables and Markdown, where the character itself would be markup. */
function delimiterName(delimiter: string): string {
  const code = delimiter.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0');
  return NAMES[delimiter] ?? `U+${code}`;
}
