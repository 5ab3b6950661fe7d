import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { parse } from 'csv-parse/sync';
import fc from 'fast-check';
import { CsvScanner, SPLIT_SPACING_BYTES } from '../../src/csv/scanner.ts';
import { MAX_RECORD_BYTES } from '../../src/csv/scanner-state.ts';
import type { ScannerState } from '../../src/csv/scanner-state.ts';
import type { CsvScan, Dialect } from '../../src/model/scan.ts';
import { cut, csvFile, cuts, roughText } from './generators.ts';

/** Bytes between splits. So small a number gives a few splits in the shortest text. */
const SPACING_BYTES = 8;

const COMMA: Dialect = { delimiter: ',', quote: '"', bomBytes: 0 };

function scan(text: string | Uint8Array, dialect: Dialect = COMMA, spacing?: number): CsvScan {
  const scanner = new CsvScanner(dialect, undefined, spacing);
  scanner.push(typeof text === 'string' ? Buffer.from(text) : text);
  return scanner.finish();
}

function dialectOf(bytes: Buffer, delimiter = ','): Dialect {
  const bom = bytes.subarray(0, 3).equals(Buffer.from([0xef, 0xbb, 0xbf]));
  return { delimiter, quote: '"', bomBytes: bom ? 3 : 0 };
}

describe('counting records', () => {
  const cases: [string, string, number][] = [
    ['a line end after the last record', 'a,b\n1,2\n3,4\n', 2],
    ['none after the last record', 'a,b\n1,2\n3,4', 2],
    ['CRLF', 'a,b\r\n1,2\r\n3,4\r\n', 2],
    ['CR alone', 'a,b\r1,2\r3,4', 2],
    ['line breaks in quotes', 'a,b\r\n"x\ny\r\nz",2\r\n3,4\r\n', 2],
    ['escaped quotes', 'a,b\n"x""\n""",2\n', 1],
    ['a quote inside an unquoted field', 'a,b\n5" pipe,2\n6" pipe,3\n', 2],
    ['a header without rows', 'a,b\n', 0],
    ['blank lines', '\n\na,b\n\n1,2\n\r\n\n', 1],
    ['a last field that is empty and has no line end', 'a,b\n1,', 1],
    ['nothing', '', 0],
    ['one column, where a blank line is an empty field', 'a\n1\n\n2\n', 3],
    ['one column, where a trailing line end is none', 'a\r\n1\r\n', 1],
    ['an empty quoted field as a record', 'a\n""\n', 1],
  ];
  for (const [name, text, records] of cases) {
    it(name, () => assert.equal(scan(text).records, records));
  }

  it('declares blank lines, line ends and what quotes hold', () => {
    const seen = scan('\na,b\r\n"x\ny",5" pipe\r\n\n1,2\r3,4');
    assert.equal(seen.blankLines, 2);
    assert.deepEqual(seen.lineEnds, { crlf: 2, lf: 2, cr: 1 });
    assert.equal(seen.quotedBreaks, 1);
    assert.deepEqual(seen.bareQuotes, {
      count: 1,
      examples: [{ record: 1, line: 4, byteOffset: 13 }],
    });
    assert.equal(seen.maxRecordBytes, Buffer.byteLength('"x\ny",5" pipe'));
    assert.deepEqual(seen.problems, []);
  });

  it('skips a byte order mark, and the first quote after it opens', () => {
    const bytes = Buffer.from('\ufeff"a","b"\n1,2\n');
    const seen = scan(bytes, dialectOf(bytes));
    assert.deepEqual(seen.header, ['a', 'b']);
    assert.equal(seen.records, 1);
    assert.equal(seen.splits[0], bytes.indexOf('1,2'));
  });
});

describe('header', () => {
  it('keeps names as published, quotes undone', () => {
    const seen = scan('"x""); DROP TABLE t; --",\u001b[31mred,,"a\nb"\n1,2,3,4\n');
    assert.deepEqual(seen.header, ['x"); DROP TABLE t; --', '\u001b[31mred', '', 'a\nb']);
  });

  it('is decoded as the whole file decides, in all of Windows-1252', () => {
    assert.deepEqual(scan(Buffer.from('naïve,ü\n1,2\n')).header, ['naïve', 'ü']);
    assert.deepEqual(scan(Buffer.from('a,b\u0080\u0092\u00c6\n1,\u00e9\n', 'latin1')).header, [
      'a',
      'b€’Æ',
    ]);
    const late = Buffer.concat([Buffer.from('caf\u00c3\u00a9\n', 'latin1'), Buffer.from([0xe9])]);
    assert.deepEqual(scan(late).header, ['cafÃ©']);
  });
});

describe('problems', () => {
  it('ragged records: number, offset, fields; the first five of all', () => {
    const seen = scan(`a,b\n1,2\n${'x\n'.repeat(7)}1,2,3\n`);
    assert.equal(seen.problems.length, 1);
    assert.equal(seen.problems[0]?.kind, 'ragged');
    assert.equal(seen.problems[0]?.count, 8);
    assert.deepEqual(seen.problems[0]?.examples.slice(0, 2), [
      { record: 2, line: 3, byteOffset: 8, fields: 1 },
      { record: 3, line: 4, byteOffset: 10, fields: 1 },
    ]);
    assert.equal(seen.problems[0]?.examples.length, 5);
  });

  it('text after a closing quote', () => {
    assert.deepEqual(scan('a,b\n"x"y,2\n').problems, [
      { kind: 'quoting', count: 1, examples: [{ record: 1, line: 2, byteOffset: 7 }] },
    ]);
  });

  it('a quote that never closes, at the offset where it opened', () => {
    assert.deepEqual(scan('a,b\n1,2\n3,"x\n4,5\n').problems, [
      { kind: 'unclosed-quote', count: 1, examples: [{ record: 2, line: 3, byteOffset: 10 }] },
    ]);
  });

  it('NUL bytes, quoted or not', () => {
    assert.deepEqual(scan('a,b\n1,\0\n"\0",2\n').problems, [
      {
        kind: 'nul',
        count: 2,
        examples: [
          { record: 1, line: 2, byteOffset: 6 },
          { record: 2, line: 3, byteOffset: 9 },
        ],
      },
    ]);
  });

  it('a record longer than any real one', () => {
    const scanner = new CsvScanner(COMMA);
    scanner.push(Buffer.from('a,b\n"'));
    const block = Buffer.alloc(8 * 1024 * 1024, 'x');
    for (let bytes = 0; bytes <= MAX_RECORD_BYTES; bytes += block.length) scanner.push(block);
    scanner.push(Buffer.from('",2\n'));
    assert.deepEqual(scanner.finish().problems, [
      { kind: 'record-too-long', count: 1, examples: [{ record: 1, line: 2, byteOffset: 4 }] },
    ]);
  });
});

it('splits are record starts, about every 16 MiB, from the first data record on', () => {
  const rows = Buffer.from('"one\ntwo",2\r\n'.repeat(1_000_000));
  const scanner = new CsvScanner(COMMA);
  scanner.push(Buffer.from('a,b\r\n'));
  for (let n = 0; n < 3; n += 1) scanner.push(rows);
  const { splits, splitRecords } = scanner.finish();
  assert.equal(splits.length, Math.ceil((3 * rows.length) / SPLIT_SPACING_BYTES));
  assert.equal(splits[0], 5);
  for (const [index, split] of splits.entries()) {
    assert.equal((split - 5) % 13, 0, 'at the start of a record');
    assert.equal(splitRecords[index], (split - 5) / 13, 'with the records before it');
    if (index > 0) assert.ok(split - (splits[index - 1] ?? 0) >= SPLIT_SPACING_BYTES);
  }
});

describe('whatever the bytes', () => {
  it('each split has before it the records that a scan up to there counts', () => {
    fc.assert(
      fc.property(roughText(), fc.integer({ min: 1, max: 40 }), (bytes, spacing) => {
        const dialect = dialectOf(bytes);
        const { splits, splitRecords } = scan(bytes, dialect, spacing);
        const counted = splits.map((split) => scan(bytes.subarray(0, split), dialect).records);
        assert.deepEqual(splitRecords, counted);
      }),
      { numRuns: 500 },
    );
  });

  it('the scan does not depend on how they were cut into chunks', () => {
    fc.assert(
      fc.property(roughText(), cuts(), (bytes, at) => {
        const scanner = new CsvScanner(dialectOf(bytes), undefined, SPACING_BYTES);
        for (const piece of cut(bytes, at)) scanner.push(piece);
        assert.deepEqual(scanner.finish(), scan(bytes, dialectOf(bytes), SPACING_BYTES));
      }),
      { numRuns: 500 },
    );
  });

  it('a scanner goes on from its state as JSON as if nothing had happened', () => {
    fc.assert(
      fc.property(roughText(), cuts(), (bytes, at) => {
        let scanner = new CsvScanner(dialectOf(bytes), undefined, SPACING_BYTES);
        for (const piece of cut(bytes, at)) {
          scanner.push(piece);
          const state = JSON.parse(JSON.stringify(scanner.state())) as ScannerState;
          scanner = new CsvScanner(dialectOf(bytes), state, SPACING_BYTES);
        }
        assert.deepEqual(scanner.finish(), scan(bytes, dialectOf(bytes), SPACING_BYTES));
      }),
      { numRuns: 500 },
    );
  });
});

describe('against csv-parse', () => {
  it('the same header, records and fields for every file that it accepts', () => {
    fc.assert(
      fc.property(csvFile(), ({ bytes, delimiter }) => {
        const seen = scan(bytes, dialectOf(bytes, delimiter));
        const oneColumn = seen.header.length === 1;
        // csv-parse would take blank lines before a one-column header as the header.
        const leading = oneColumn ? seen.blankLines : 0;
        const parsed = parseWithCsvParse(bytes, delimiter, !oneColumn).slice(leading);
        const [header = [], ...records] = parsed;
        assert.deepEqual(seen.header, header);
        assert.equal(seen.records, records.length);
        const ragged = records.filter((each) => each.length !== header.length).length;
        assert.equal(seen.problems.find((each) => each.kind === 'ragged')?.count ?? 0, ragged);
      }),
      { numRuns: 1000 },
    );
  });

  const samples = {
    '311_service_data_2015.csv': 47_170,
    'traffic_accidents_2014.csv': 4_171,
    'crime.csv': 49_089,
  };
  for (const [name, records] of Object.entries(samples)) {
    const file = `../shared/data/${name}`;
    const skip = existsSync(file) ? false : 'the real samples are not beside this checkout';
    it(`${name} has ${records} records`, { skip }, () => {
      const bytes = readFileSync(file);
      const seen = scan(bytes, dialectOf(bytes));
      assert.equal(seen.records, records);
      assert.deepEqual(seen.problems, []);
      const [header, ...parsed] = parseWithCsvParse(bytes, ',', true, 'latin1');
      assert.deepEqual(seen.header, header);
      assert.equal(parsed.length, records);
    });
  }
});

function parseWithCsvParse(
  bytes: Buffer,
  delimiter: string,
  skipEmptyLines: boolean,
  encoding: BufferEncoding = 'utf8',
): string[][] {
  const options = {
    bom: true,
    delimiter,
    encoding,
    record_delimiter: ['\r\n', '\n', '\r'],
    relax_column_count: true,
    skip_empty_lines: skipEmptyLines,
  };
  return parse(bytes, options);
}

describe('bare quotes', () => {
  const places = (text: string): string[] =>
    scan(text).problems.flatMap(({ kind, examples }) =>
      examples.map(({ record, line, byteOffset }) => `${kind} ${record} ${line} ${byteOffset}`),
    );
  const moved: [string, string, string[]][] = [
    [
      'a lost delimiter before a quoted field with one in it',
      'id,price,name,text\n1,$5.00,"Ann","x"\n2,$6.10"Bob, Jr","z"\n',
      ['quoting 2 3 44'],
    ],
    ['a blank before the quote', 'a,b,c\n1, "Bob, Jr"\n', ['quoting 1 2 9']],
    ['over several fields, at the end of the file', 'a,b,c\nx"1,2,3"', ['quoting 1 2 7']],
    ['in the header', 'a,b"c,d"\n1,2,3\n', ['quoting 0 1 3']],
    ['with escaped quotes in it', 'a,b,c\n1,$6"Bob ""Ace"", Jr"\n', ['quoting 1 2 10']],
  ];
  for (const [name, text, expected] of moved) {
    it(`${name}: a problem`, () => assert.deepEqual(places(text), expected));
  }

  const kept: [string, string][] = [
    ['inches before a word', 'a,b\n5" pipe,6" pipe\n'],
    ['inches at the end of fields', 'a,b\n5",6"\n'],
    ['inches in a text, and at the end of the next field', 'a,b\n5" pipe,6"\n'],
    ['three of them in one field', 'a,b\n12" x 5" x 7",8"\n'],
    ['a pair in a field', 'a,b\nthe "Ace",the "King"\n'],
    ['one in each of two records', 'a,b\n1,an "odd one\n2,another"\n'],
  ];
  for (const [name, text] of kept) {
    it(`${name}: text, counted`, () => {
      assert.deepEqual(places(text), []);
      assert.equal(scan(text).bareQuotes.count, text.split('"').length - 1);
    });
  }
});

describe('a file without a header', () => {
  const dialect: Dialect = { ...COMMA, header: false };

  it('has its first record as data, and numbered columns', () => {
    const seen = scan('\n1,2,3\n4,5\n', dialect);
    assert.deepEqual(seen.header, ['column_1', 'column_2', 'column_3']);
    assert.equal('headerLine' in seen, false);
    assert.equal(seen.records, 2);
    assert.deepEqual([seen.splits, seen.splitRecords], [[1], [0]]);
    assert.deepEqual(seen.problems, [
      { kind: 'ragged', count: 1, examples: [{ record: 2, line: 3, byteOffset: 7, fields: 2 }] },
    ]);
  });

  it('of which nothing is there has no columns', () => {
    assert.deepEqual(scan('\n\n', dialect).header, []);
    assert.equal(scan('1', dialect).records, 1);
  });
});

it('the line sep= is none of the file, but a line', () => {
  const seen = scan('sep=;\r\na;b\r\n1;2\r\n3\r\n', { ...COMMA, delimiter: ';', sepLineBytes: 7 });
  assert.deepEqual([seen.header, seen.headerLine, seen.records], [['a', 'b'], 2, 2]);
  assert.equal(seen.splits[0], 12);
  assert.deepEqual(seen.problems[0]?.examples, [{ record: 2, line: 4, byteOffset: 17, fields: 1 }]);
});

it('every place has the line that an editor shows', () => {
  fc.assert(
    fc.property(roughText(), cuts(), (bytes, at) => {
      const dialect = dialectOf(bytes);
      const scanner = new CsvScanner(dialect, undefined, SPACING_BYTES);
      for (const piece of cut(bytes, at)) scanner.push(piece);
      const { problems, bareQuotes } = scanner.finish();
      for (const { line, byteOffset } of [...problems, bareQuotes].flatMap((p) => p.examples)) {
        const before = bytes.subarray(0, byteOffset).toString('latin1');
        assert.equal(line, before.split(/\r\n|\r|\n/).length);
      }
    }),
    { numRuns: 1000 },
  );
});
