import fc from 'fast-check';
import type { Encoding } from '../../src/model/dataset.ts';

export interface CsvFile {
  content: Buffer;
  delimiter: string;
  encoding: Encoding;
}

/** Well-formed files of every dialect: one or several line ends, optional quotes, blank lines, both encodings. */
export function csvFiles(): fc.Arbitrary<CsvFile> {
  return fc
    .record({
      columns: fc.integer({ min: 1, max: 4 }),
      delimiter: fc.constantFrom(',', ',', ';', '\t', '|', '~', ' ', '5'),
      encoding: fc.constantFrom<Encoding>('utf-8', 'windows-1252'),
      bom: fc.boolean(),
      lastLineEnd: fc.boolean(),
      lineEnds: fc.constantFrom(['\r\n'], ['\n'], ['\r'], ['\r\n', '\n'], ['\r\n', '\n', '\r']),
      blankLines: fc.boolean(),
      rows: fc.array(fc.tuple(fc.array(field(), { minLength: 4, maxLength: 4 }), fc.nat(20)), {
        maxLength: 12,
      }),
    })
    .map(({ columns, delimiter, encoding, bom, lastLineEnd, lineEnds, blankLines, rows }) => {
      const header = ['one', 'two', '"t, hree"', 'four'].slice(0, columns).join(delimiter);
      let text = header;
      for (const [fields, chance] of rows) {
        const end = lineEnds[chance % lineEnds.length] ?? '\n';
        const blank = blankLines && chance < 4 ? end : '';
        const record = fields.slice(0, columns).map((each) => written(each, delimiter));
        text += end + blank + record.join(delimiter);
      }
      if (lastLineEnd) text += lineEnds[0];
      const isUtf8 = encoding === 'utf-8';
      const content = isUtf8
        ? Buffer.from((bom ? '\ufeff' : '') + text)
        : Buffer.from(text, 'latin1');
      return { content, delimiter, encoding };
    });
}

interface Field {
  text: string;
  quoted: boolean;
}

function field(): fc.Arbitrary<Field> {
  const pieces = fc.array(
    fc.constantFrom(
      'a',
      'B1',
      ' ',
      ',',
      ';',
      '|',
      '\t',
      '"',
      '\n',
      '\r\n',
      '\r',
      'é',
      '\u0093',
      '7',
    ),
    { maxLength: 5 },
  );
  return fc.record({
    text: fc.oneof(
      { weight: 3, arbitrary: pieces.map((parts) => parts.join('')) },
      {
        weight: 1,
        arbitrary: fc.constantFrom('', '12', '-3', '1.50', '1/2/2019', '2019-01-02 03:04:05.5'),
      },
    ),
    quoted: fc.boolean(),
  });
}

/** Adds quotes if the field needs them. A quote at its end needs them: it may pair with an earlier quote. */
function written({ text, quoted }: Field, delimiter: string): string {
  const must = /[\r\n]|^"|"$/.test(text) || text.includes(delimiter);
  return quoted || must ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Values that look like numbers or dates, or nearly do. */
export function typedValue(): fc.Arbitrary<string> {
  const digits = (max: number): fc.Arbitrary<string> =>
    fc
      .array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: max })
      .map((each) => each.join(''));
  const two = fc
    .tuple(fc.nat(61), fc.boolean())
    .map(([n, pad]) => (pad ? String(n).padStart(2, '0') : String(n)));
  const year = fc.oneof(
    fc.constantFrom('2019', '2020', '1900', '2000', '0001', '0000', '9999'),
    digits(4),
  );
  const separator = fc.constantFrom('/', '-', '.');
  const day = fc.oneof(
    fc.tuple(two, two, year, separator).map(([a, b, c, s]) => [a, b, c].join(s)),
    fc.tuple(year, two, two, separator).map(([a, b, c, s]) => [a, b, c].join(s)),
  );
  const fraction = fc.oneof(
    fc.constant(''),
    digits(7).map((each) => `.${each}`),
  );
  const time = fc
    .tuple(
      two,
      two,
      fc.oneof(
        fc.constant(''),
        two.map((each) => `:${each}`),
      ),
      fraction,
      fc.constantFrom('', ' AM', ' PM', ' am', 'Z'),
    )
    .map(([h, m, s, f, half]) => `${h}:${m}${s}${f}${half}`);
  return fc.oneof(
    digits(20),
    digits(20).map((each) => `-${each}`),
    fc.tuple(digits(18), digits(18)).map(([a, b]) => `${a}.${b}`),
    fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e9, max: 1e9 }).map(String),
    fc.integer().map(String),
    day,
    fc.tuple(day, fc.constantFrom(' ', 'T', '  '), time).map((each) => each.join('')),
    fc.constantFrom(
      '',
      '-',
      '.',
      '5.',
      '.5',
      '+5',
      '-0',
      '-0.0',
      '0.0',
      '1e5',
      ' 5',
      '5 ',
      '-0.5',
      'x',
      '00',
      '1_0',
    ),
  );
}
