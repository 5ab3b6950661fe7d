import assert from 'node:assert/strict';
import { isAscii, isUtf8 } from 'node:buffer';
import { it } from 'node:test';
import fc from 'fast-check';
import { CsvScanner } from '../../src/landing/record-scanner.ts';
import type { EncodingEvidence } from '../../src/model/scan.ts';
import { cut, cuts, roughText } from './generators.ts';

function evidence(pieces: Uint8Array[]): EncodingEvidence {
  const scanner = new CsvScanner({ delimiter: ',', quote: '"', bomBytes: 0 });
  for (const piece of pieces) scanner.push(piece);
  return scanner.finish().encoding;
}

/** The same by definition: at every offset, the shortest slice that is valid UTF-8. */
function evidenceByDefinition(bytes: Buffer): EncodingEvidence {
  const found: EncodingEvidence = { ascii: isAscii(bytes) };
  for (let at = 0; at < bytes.length;) {
    const lengths = [1, 2, 3, 4].filter((each) => at + each <= bytes.length);
    const length = lengths.find((each) => isUtf8(bytes.subarray(at, at + each)));
    if (length === undefined) found.firstInvalidUtf8 ??= at;
    else if (length > 1) found.firstMultibyteUtf8 ??= at;
    at += length ?? 1;
  }
  const lacking = bytes.findIndex((byte) => [0x81, 0x8d, 0x8f, 0x90, 0x9d].includes(byte));
  if (lacking !== -1) found.firstUndefinedWindows1252 = lacking;
  return found;
}

it('the evidence is exact for any bytes in any chunks', () => {
  const wild = fc.oneof(
    roughText(),
    fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
    fc.string({ unit: 'binary', maxLength: 40 }).map((text) => Buffer.from(text)),
  );
  fc.assert(
    fc.property(wild, fc.nat({ max: 9000 }), cuts(), (bytes, padding, at) => {
      // Padding moves sequences across the borders of the detector's own blocks.
      const file = Buffer.concat([
        Buffer.alloc(padding, 'x'),
        bytes,
        Buffer.alloc(padding, 'y'),
        bytes,
      ]);
      assert.deepEqual(evidence(cut(file, at)), evidenceByDefinition(file));
    }),
    { numRuns: 500 },
  );
});

it('a sequence that the end of the file breaks off is invalid where it starts', () => {
  assert.equal(evidence([Buffer.from('abc\u00e2\u0080', 'latin1')]).firstInvalidUtf8, 3);
});
