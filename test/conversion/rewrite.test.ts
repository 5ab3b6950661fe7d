import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from 'csv-parse/sync';
import fc from 'fast-check';
import { rewriteRecords } from '../../src/conversion/csv/rewrite.ts';
import { MAX_GROWTH, transcode } from '../../src/conversion/csv/windows-1252.ts';
import { csvFiles } from './csv-files.ts';
import { scanOf } from './samples.ts';

test('a rewritten file has the same values, in plain commas and LF, however it is cut into blocks', () => {
  fc.assert(
    fc.property(csvFiles(), fc.array(fc.nat(60)), ({ content, delimiter }, blockSizes) => {
      const scan = scanOf(content, { delimiter }, 'utf-8');
      const body = content.subarray(scan.splits[0] ?? content.length);
      const source = { delimiter: delimiter.charCodeAt(0), columns: scan.header.length };
      const text = rewritten(body, blockSizes, source).toString('latin1');
      const before = parse(body.toString('latin1'), {
        delimiter,
        record_delimiter: ['\r\n', '\n', '\r'],
        relax_quotes: true,
        skip_empty_lines: source.columns > 1,
      });
      // A reader without any leniency.
      assert.deepEqual(parse(text, { record_delimiter: '\n' }), before);
      assert.equal(before.length, scan.records);
    }),
    { numRuns: 1000 },
  );
});

function rewritten(
  body: Buffer,
  blockSizes: number[],
  source: { delimiter: number; columns: number },
): Buffer {
  const target = { bytes: Buffer.alloc(body.length * 3 + 16), at: 0 };
  let start = 0;
  for (const [index, size] of [...blockSizes, body.length].entries()) {
    const end = index === blockSizes.length;
    const bytes = Buffer.concat([
      body.subarray(start, end ? body.length : start + size),
      Buffer.alloc(1),
    ]);
    start += rewriteRecords(bytes, { start: 0, limit: bytes.length - 1, end }, source, target);
  }
  return target.bytes.subarray(0, target.at);
}

test('every byte of Windows-1252 becomes its character', () => {
  const all = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
  const target = Buffer.alloc(all.length * MAX_GROWTH);
  const end = transcode(all, 0, all.length, target, 0);
  // The streaming decoder, which is right on Node 20 too.
  const decoder = new TextDecoder('windows-1252');
  const expected = decoder.decode(all, { stream: true }) + decoder.decode();
  assert.equal(target.subarray(0, end).toString(), expected);
});
