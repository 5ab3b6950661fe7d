import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { sniffHead } from '../../src/landing/dialect.ts';
import { LonghaulError, type ErrorCode } from '../../src/model/errors.ts';
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

describe('what is no CSV text', () => {
  const utf16 = Buffer.from('id,name\n1,x\n2,y\n', 'utf16le');
  const cases: [string, Buffer | string, ErrorCode][] = [
    ['no byte', '', 'SOURCE_EMPTY'],
    ['a byte order mark alone', '\ufeff', 'SOURCE_EMPTY'],
    ['blank lines', '\n\r\n\n', 'SOURCE_EMPTY'],
    ['HTML', '<html><head><title>Sign in', 'SOURCE_IS_HTML'],
    ['HTML after a byte order mark and blanks', '\ufeff \n<!doctype HTML>', 'SOURCE_IS_HTML'],
    ['XHTML', '<?xml version="1.0"?>\n<!DOCTYPE html>', 'SOURCE_IS_HTML'],
    ['an error in XML', '<?xml version="1.0"?><Error><Code>NoSuchKey', 'SOURCE_NOT_CSV'],
    ['an error in JSON', '{"error":{"code":500}}', 'SOURCE_NOT_CSV'],
    ['lines of JSON', '{"a":1}\n{"a":2}\n', 'SOURCE_NOT_CSV'],
    ['a JSON list', '[{"a":1}]', 'SOURCE_NOT_CSV'],
    ['Parquet', Buffer.from('5041523115041500', 'hex'), 'SOURCE_NOT_CSV'],
    ['PDF', '%PDF-1.7\n', 'SOURCE_NOT_CSV'],
    ['PNG', Buffer.from('89504e470d0a1a0a0000', 'hex'), 'SOURCE_NOT_CSV'],
    ['JPEG', Buffer.from('ffd8ffe000104a46', 'hex'), 'SOURCE_NOT_CSV'],
    ['zip', Buffer.from('504b03041400', 'hex'), 'SOURCE_COMPRESSED'],
    ['an empty zip', Buffer.from('504b05060000', 'hex'), 'SOURCE_COMPRESSED'],
    ['gzip', Buffer.from('1f8b08000000', 'hex'), 'SOURCE_COMPRESSED'],
    ['zstd', Buffer.from('28b52ffd2400', 'hex'), 'SOURCE_COMPRESSED'],
    ['bzip2', Buffer.from('425a6839314159265359', 'hex'), 'SOURCE_COMPRESSED'],
    ['xz', Buffer.from('fd377a585a0000', 'hex'), 'SOURCE_COMPRESSED'],
    ['7z', Buffer.from('377abcaf271c0004', 'hex'), 'SOURCE_COMPRESSED'],
    ['UTF-16 LE', Buffer.concat([Buffer.from([0xff, 0xfe]), utf16]), 'SOURCE_ENCODING_UNSUPPORTED'],
    ['UTF-16 without a mark', utf16, 'SOURCE_ENCODING_UNSUPPORTED'],
    ['UTF-16 BE without a mark', Buffer.from(utf16).swap16(), 'SOURCE_ENCODING_UNSUPPORTED'],
    ['UTF-32', Buffer.from('fffe000061000000', 'hex'), 'SOURCE_ENCODING_UNSUPPORTED'],
    ['UTF-32 BE', Buffer.from('0000feff00000061', 'hex'), 'SOURCE_ENCODING_UNSUPPORTED'],
  ];
  for (const [name, head, code] of cases) {
    it(`${name}: ${code}`, () => {
      assert.throws(() => sniffHead(Buffer.from(head), true, {}), { code });
    });
  }

  it('but headers that look alike are CSV', () => {
    for (const header of [
      'PAR1,b',
      'PK,b',
      '<id>,b',
      '{id},b',
      '[id],b',
      'BZh9,b',
      'ORC,b',
      'GIF89a,b',
    ]) {
      assert.equal(sniffHead(Buffer.from(`${header}\n1,2\n`), true, {}).delimiter, ',');
    }
  });

  it('NULs without a pattern are left to the scan, which has their offsets', () => {
    const damaged = Buffer.concat([Buffer.from('a,b\n1,2\n'), Buffer.alloc(100)]);
    assert.equal(sniffHead(damaged, true, {}).delimiter, ',');
  });

  it('an error never prints a control character of the stranger', () => {
    assert.throws(
      () => sniffHead(Buffer.from('<html>\u001b[31m\u0007'), true, {}),
      (error: Error) => !/[\u0000-\u001f]/.test(error.message),
    );
  });
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
