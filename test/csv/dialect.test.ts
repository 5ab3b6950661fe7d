import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { sniffHead } from '../../src/csv/dialect.ts';
import type { SourceOverrides } from '../../src/model/dataset.ts';
import { hintOf, LonghaulError, type ErrorCode } from '../../src/model/errors.ts';
import { roughText } from './generators.ts';

const DELIMITERS = [',', ';', '\t', '|'];

describe('the delimiter', () => {
  const cases: [string, string, string][] = [
    ['commas', 'a,b\n1,2\n', ','],
    ['semicolons with decimal commas', 'a;b\n1,5;2,5\n', ';'],
    ['tabs', 'a\tb\n1,x\t2,y\n', '\t'],
    ['bars', 'a|b\n1|2\n', '|'],
    ['commas although a name has a bar', 'a|b,c\n1,2\n3,4\n', ','],
    ['commas although values have semicolons', 'a,b\n1;1,2;2\n3;3,4;4\n', ','],
    ['none in a one-column file', 'name\nx\ny\n', ','],
    ['none in a header without rows', 'a\n', ','],
    ['one header line decides by its columns', 'a;b;c,d\n', ';'],
    ['delimiters in quotes do not count', '"a;b";"c"\n"1,2,3";"4"\n', ';'],
  ];
  for (const [name, text, delimiter] of cases) {
    it(name, () => assert.equal(sniffHead(Buffer.from(text), true, {}).delimiter, delimiter));
  }

  it('declared wins', () => {
    assert.equal(sniffHead(Buffer.from('a,b\n1,2\n'), true, { delimiter: '^' }).delimiter, '^');
  });

  it('is found for any rectangular file, cut off anywhere', () => {
    const word = fc.string({ unit: fc.constantFrom('a', 'b', '1', '.', ' '), maxLength: 6 });
    const shape = fc.record({
      delimiter: fc.constantFrom(...DELIMITERS),
      columns: fc.integer({ min: 2, max: 8 }),
      rows: fc.integer({ min: 3, max: 30 }),
      bom: fc.boolean(),
      lost: fc.nat({ max: 5 }),
    });
    fc.assert(
      fc.property(
        shape,
        fc.infiniteStream(word),
        ({ delimiter, columns, rows, bom, lost }, words) => {
          const lines = Array.from({ length: rows }, (_, row) =>
            Array.from({ length: columns }, (_, column) =>
              row === 0 ? `name ${column}` : `x${words.next().value}`,
            ).join(delimiter),
          );
          const text = `${bom ? '\ufeff' : ''}${lines.join('\r\n')}`;
          const head = Buffer.from(text.slice(0, text.length - lost));
          const dialect = sniffHead(head, false, {});
          const bomBytes = bom ? 3 : 0;
          assert.deepEqual(dialect, { delimiter, delimiterFrom: 'head', quote: '"', bomBytes });
        },
      ),
    );
  });
});

describe('a file that could be another table', () => {
  const long = 'x'.repeat(1024 * 1024);
  const refused: [string, string, ErrorCode, RegExp][] = [
    [
      'a title line above semicolons',
      'Report 2019\nid;name\n1;Ann\n2;Bob\n',
      'SOURCE_DELIMITER_UNCLEAR',
      /`delimiter: ";"`/,
    ],
    ['one column and a tab in its name', 'a\tb\n12\n', 'SOURCE_DELIMITER_UNCLEAR', /"\\t"/],
    [
      'two delimiters alike',
      'city, state;zip\nDenver, CO;80202\n',
      'SOURCE_DELIMITER_UNCLEAR',
      /`delimiter: ","` or `delimiter: ";"`/,
    ],
    ['blanks as delimiters', 'a b c d\n1 2 3 4\n5 6 7 8\n', 'SOURCE_DELIMITER_UNCLEAR', /" "/],
    ['numbers and dates only', '1,2020-01-31,\n2,2020-02-01,x\n', 'SOURCE_HEADER_UNCLEAR', /false/],
    ['a record of data first', '1,Ann,5.00\n2,Bob,6.10\n', 'SOURCE_HEADER_UNCLEAR', /false/],
    ['dates over dates', 'Ann,1/2/2020\nBob,3/4/2020\n', 'SOURCE_HEADER_UNCLEAR', /false/],
    ['zip codes over zip codes', 'CO,80202\nNY,10001\n', 'SOURCE_HEADER_UNCLEAR', /false/],
    [
      'the header once more below',
      'city,state\nDenver,CO\ncity,state\nReno,NV\n',
      'SOURCE_HEADER_UNCLEAR',
      /true/,
    ],
    [
      'a title padded with delimiters',
      'Report,,\nid,a,b\n1,2,3\n',
      'SOURCE_HEADER_UNCLEAR',
      /title/,
    ],
  ];
  for (const [name, text, code, hint] of refused) {
    it(`${name}: ${code}`, () => {
      assert.throws(
        () => sniffHead(Buffer.from(text), true, {}),
        (error) =>
          error instanceof LonghaulError &&
          error.code === code &&
          hint.test(hintOf(code, error.details)),
      );
    });
  }

  const read: [string, string, string][] = [
    ['a comma in a tab file', 'name\tcity, state\nAnn\tDenver, CO\n', '\t'],
    ['one delimiter too many in every record', 'id;name;amount\n1;Ann;5.00;\n2;Bob;6.10;\n', ';'],
    ['the same in quotes', '"id";"name"\n"1";"Ann";\n"2";"Bob";\n', ';'],
    ['a first record longer than the head', `a;b\n1;${long}`, ';'],
    ['a tab file of which only the header is whole', `a\tb\n1,${long}`, '\t'],
    ['years as names', 'country,2019,2020,2021\nUSA,1,2,3\n', ','],
    ['a cross table', ',1940,1945,1950\nFood,22.2,44.5,59.6\n', ','],
    ['doses as names', 'sample,0.1,0.5,1.0\nA,3.2,4.1,5.5\n', ','],
    ['days as names', 'region,1/22/20,1/23/20\nA,5,6\n', ','],
    ['ticked boxes', 'id,Pool,Garage\n1,Pool,\n2,,Garage\n', ','],
    ['an index without a name', ',name\n0,Ann\n1,Bob\n', ','],
    ['one column of texts with semicolons', 'note\na; b\nplain\nplain too\n', ','],
    ['one column of times', 'Created Date\n01/02/2020 10:00:00 AM\n', ','],
    ['a bar within every value of a column', 'id,a|b,c\n1,x|y,2\n2,z|w,3\n', ','],
  ];
  for (const [name, text, delimiter] of read) {
    it(`${name} is read`, () => {
      const head = Buffer.from(text).subarray(0, 1024 * 1024);
      const complete = head.length === Buffer.byteLength(text);
      assert.equal(sniffHead(head, complete, {}).delimiter, delimiter);
    });
  }

  it('is read as datasets.yaml says', () => {
    const sniffed = (text: string, overrides: SourceOverrides) =>
      sniffHead(Buffer.from(text), true, overrides);
    const bare = { quote: '"', bomBytes: 0 };
    assert.deepEqual(sniffed('1,x\n2,y\n', { header: false }), {
      ...{ ...bare, delimiter: ',', delimiterFrom: 'head' },
      header: false,
    });
    assert.deepEqual(sniffed('1,2\n3,4\n', { header: true, delimiter: ',' }), {
      ...bare,
      delimiter: ',',
    });
    assert.deepEqual(sniffed('tags\na;b\nc;d\n', { delimiter: ',' }), { ...bare, delimiter: ',' });
  });

  it('understands the line sep=', () => {
    const dialect = { delimiterFrom: 'sep=', quote: '"', bomBytes: 0 };
    const cases: [string, string, number][] = [
      ['sep=;\r\na;b\r\n1,5;2\r\n', ';', 7],
      ['"sep=\t"\na\tb\n', '\t', 8],
      ['SEP=|||\ra|b|c\r', '|', 8],
    ];
    for (const [text, delimiter, sepLineBytes] of cases) {
      const expected = { ...dialect, delimiter, sepLineBytes };
      assert.deepEqual(sniffHead(Buffer.from(text), true, {}), expected);
    }
  });
});

describe('a file without a record', () => {
  for (const text of ['', '\ufeff', '\n\r\n\n']) {
    it(`${JSON.stringify(text)} is empty`, () => {
      assert.throws(() => sniffHead(Buffer.from(text), true, {}), { code: 'SOURCE_EMPTY' });
    });
  }
});

it('any bytes give a dialect or an error of the catalogue', () => {
  const any = fc.oneof(
    roughText(),
    fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
  );
  fc.assert(
    fc.property(any, fc.boolean(), (head, complete) => {
      try {
        assert.ok(DELIMITERS.includes(sniffHead(head, complete, {}).delimiter));
      } catch (error) {
        if (!(error instanceof LonghaulError)) throw error;
      }
    }),
  );
});
