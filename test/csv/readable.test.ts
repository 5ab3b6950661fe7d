import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decideEncoding } from '../../src/csv/encoding.ts';
import { assertReadable } from '../../src/csv/readable.ts';
import { CsvScanner } from '../../src/csv/scanner.ts';
import type { LonghaulError } from '../../src/model/errors.ts';
import type { CsvScan } from '../../src/model/scan.ts';

function scan(text: string | Buffer): CsvScan {
  const bytes = Buffer.from(text);
  const bom = bytes.subarray(0, 3).toString('hex') === 'efbbbf';
  const scanner = new CsvScanner({ delimiter: ',', quote: '"', bomBytes: bom ? 3 : 0 });
  scanner.push(bytes);
  return scanner.finish();
}

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1');

describe('what is not converted', () => {
  const cases: [string, string, string, RegExp][] = [
    ['no header', '\n\n', 'SOURCE_EMPTY', /all has no header/],
    [
      'ragged rows',
      'a,b\n1,2\n1,2,3\n',
      'SOURCE_RAGGED',
      /record 2 \(line 3, byte 8\) has 3 fields where the header has 2.*line 1 as its header: a,b/,
    ],
    [
      'text after a closing quote',
      'a,b\n"x"y,2\n',
      'SOURCE_QUOTING',
      /record 1 \(line 2, byte 7\)/,
    ],
    [
      'a quote that never closes',
      'a,b\n1,"2\n',
      'SOURCE_QUOTING',
      /never close: record 1 \(line 2, byte 6\)/,
    ],
    [
      'a quote of the header that never closes',
      '"a,b\n1,2\n',
      'SOURCE_QUOTING',
      /the header \(line 1, byte 0\)/,
    ],
    ['NUL bytes', 'a,b\n1,\0\n', 'SOURCE_HAS_NUL', /1 NUL bytes: record 1 \(line 2, byte 6\)/],
  ];
  for (const [name, text, code, message] of cases) {
    it(name, () => {
      const error = { code, message };
      assert.throws(() => assertReadable(scan(text), 'all'), error);
    });
  }

  it('says how it was read, and what setting helps', () => {
    const scanner = new CsvScanner({
      delimiter: ';',
      delimiterFrom: 'head',
      quote: '"',
      bomBytes: 0,
    });
    scanner.push(Buffer.from('\n"id";"name"\n"1";"Ann";\n'));
    const error = {
      code: 'SOURCE_RAGGED',
      message: /the delimiter ";" \(found.*line 2 as its header: id;name/,
    };
    const scan = scanner.finish();
    assert.throws(() => assertReadable(scan, 'all'), error);
    assert.throws(
      () => assertReadable(scan, 'all'),
      (thrown: LonghaulError) =>
        ['`delimiter`', '`header: false`'].every((each) => thrown.details.hint?.includes(each)),
    );
  });

  it('says how many there are beyond the first five', () => {
    const seen = scan(`a,b\n${'x\n'.repeat(100)}`);
    assert.throws(
      () => assertReadable(seen, 'all'),
      /has 100 records.*record 5 \(line 6, byte 12\).*; …\. It was read/,
    );
  });

  it('everything else is: a header without rows, odd quotes, blank lines', () => {
    for (const text of ['a,b\n', 'a,b\n5" pipe,2\n', '\na,b\n\n1,2\n\n'])
      assertReadable(scan(text), 'all');
  });
});

describe('the encoding', () => {
  it('is what is declared, else what the whole file is', () => {
    assert.equal(decideEncoding(scan('a\nx\n')), 'utf-8');
    assert.equal(decideEncoding(scan('a\né\n')), 'utf-8');
    assert.equal(decideEncoding(scan('\ufeffa\né\n')), 'utf-8');
    assert.equal(decideEncoding(scan(latin1('a\n\u00c6 \u0092\n'))), 'windows-1252');
    assert.equal(decideEncoding(scan('a\né\n'), 'windows-1252'), 'windows-1252');
  });

  const unclear: [string, Buffer, RegExp, 'utf-8' | undefined][] = [
    [
      'both kinds in one file',
      Buffer.concat([Buffer.from('a\né\n'), latin1('\u00e9\n')]),
      /Byte 5 .* byte 2/,
      undefined,
    ],
    ['Mac Roman', latin1('name\nChlo\u0091\n'), /Mac Roman/, undefined],
    ['a byte that Windows-1252 lacks', latin1('a\n\u00e9\u0081\n'), /Byte 2 .* at 3/, undefined],
    [
      'a UTF-8 mark on another encoding',
      Buffer.concat([Buffer.from('\ufeffa\n'), latin1('\u00e9\n')]),
      /byte order mark.* byte 5/,
      undefined,
    ],
    ['declared UTF-8 that is none', latin1('a\n\u00e9\n'), /declared.* byte 2/, 'utf-8'],
  ];
  for (const [name, bytes, message, declared] of unclear) {
    it(`is unclear with ${name}`, () => {
      const error = { code: 'SOURCE_ENCODING_UNCLEAR', message };
      assert.throws(() => decideEncoding(scan(bytes), declared), error);
    });
  }
});
