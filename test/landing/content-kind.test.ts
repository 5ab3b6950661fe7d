import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { assertPlainText } from '../../src/landing/content-kind.ts';
import type { ErrorCode } from '../../src/model/errors.ts';

describe('what is no CSV text', () => {
  const utf16 = Buffer.from('id,name\n1,x\n2,y\n', 'utf16le');
  const cases: [string, Buffer | string, ErrorCode][] = [
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
      assert.throws(() => assertPlainText(Buffer.from(head)), { code });
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
      assertPlainText(Buffer.from(`${header}\n1,2\n`));
    }
  });

  it('NULs without a pattern are left to the scan, which has their offsets', () => {
    const damaged = Buffer.concat([Buffer.from('a,b\n1,2\n'), Buffer.alloc(100)]);
    assertPlainText(damaged);
  });

  it('an error never prints a control character of the publisher', () => {
    assert.throws(
      () => assertPlainText(Buffer.from('<html>\u001b[31m\u0007')),
      (error: Error) => !/[\u0000-\u001f]/.test(error.message),
    );
  });
});
