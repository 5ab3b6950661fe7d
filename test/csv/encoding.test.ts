import assert from 'node:assert/strict';
import { test } from 'node:test';
import { windows1252ToUtf8 } from '../../src/csv/encoding.ts';

test('every byte of Windows-1252 becomes its character', () => {
  const all = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
  // The streaming decoder, which is right on Node 20 too.
  const decoder = new TextDecoder('windows-1252');
  const expected = decoder.decode(all, { stream: true }) + decoder.decode();
  assert.equal(Buffer.from(windows1252ToUtf8(all)).toString(), expected);
});
