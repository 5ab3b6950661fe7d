import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lineEndOf, readsExactly } from '../../src/conversion/prepare.ts';
import type { CsvScan } from '../../src/model/scan.ts';
import { scanOf } from './samples.ts';

const EXACT = Buffer.from('a,b\r\n1,"x\r\ny"\r\n');
const DOUBTFUL: Record<string, string> = {
  'one column': 'a\r\nx\r\n',
  'blank lines': 'a,b\r\n\r\n1,2\r\n',
  'bare quotes': 'a,b\r\n5" pipe,1\r\n',
  'CR ends': 'a,b\r1,2\r',
  'line ends of two kinds': 'a,b\r\n1,2\n3,4\r\n',
  'a header with a line break': '"a\r\nx",b\r\n1,2\r\n',
};

test('converters read a plain RFC 4180 file as it is, and nothing that leaves room for judgement', () => {
  const scan = (content: string | Buffer, delimiter = ','): CsvScan =>
    scanOf(Buffer.from(content as string), { delimiter }, 'utf-8');
  assert.ok(readsExactly(scan(EXACT), 'utf-8'));
  assert.ok(readsExactly(scan(EXACT), 'windows-1252'));
  assert.equal(lineEndOf(scan(EXACT)), '\r\n');
  assert.equal(lineEndOf(scan('a,b\n1,2\n')), '\n');
  for (const [what, content] of Object.entries(DOUBTFUL)) {
    assert.ok(!readsExactly(scan(content), 'utf-8'), what);
  }
  assert.ok(!readsExactly(scan('a~b\n1~2\n', '~'), 'utf-8'), 'an unusual delimiter');
  const undefinedByte = scanOf(
    Buffer.from([...EXACT, 0x81, 0x2c, 0x0a]),
    { delimiter: ',' },
    'windows-1252',
  );
  assert.ok(!readsExactly(undefinedByte, 'windows-1252'), 'a byte that is no letter');
});
