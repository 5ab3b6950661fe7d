import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from 'csv-parse/sync';
import fc from 'fast-check';
import { rewriteRecords } from '../../src/csv/rewrite.ts';
import { csvFiles } from './csv-files.ts';
import { scanOf } from '../conversion/samples.ts';

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
      // csv-parse has no lenient options here.
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
  const pieces: Uint8Array[] = [];
  let start = 0;
  for (const [index, size] of [...blockSizes, body.length].entries()) {
    const end = index === blockSizes.length;
    const bytes = Buffer.concat([
      body.subarray(start, end ? body.length : start + size),
      Buffer.alloc(1),
    ]);
    const { written, left } = rewriteRecords(
      bytes,
      { start: 0, limit: bytes.length - 1, end },
      source,
    );
    pieces.push(written);
    start += left;
  }
  return Buffer.concat(pieces);
}
