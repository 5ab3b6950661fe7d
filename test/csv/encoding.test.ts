import assert from 'node:assert/strict';
import { isAscii, isUtf8 } from 'node:buffer';
import { describe, it, test } from 'node:test';
import { windows1252ToUtf8 } from '../../src/csv/encoding.ts';
import fc from 'fast-check';
import { CsvScanner } from '../../src/csv/scanner.ts';
import type { EncodingEvidence } from '../../src/model/scan.ts';
import { cut, cuts, roughText } from './generators.ts';
import { asJson } from '../helpers/as-json.ts';

test('every byte of Windows-1252 becomes its character', () => {
  const all = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
  // Without `stream`, Node 20 takes Windows-1252 for Latin-1.
  const decoder = new TextDecoder('windows-1252');
  const expected = decoder.decode(all, { stream: true }) + decoder.decode();
  assert.equal(Buffer.from(windows1252ToUtf8(all)).toString(), expected);
});

function evidence(pieces: Uint8Array[]): EncodingEvidence {
  const scanner = new CsvScanner({ delimiter: ',', quote: '"', bomBytes: 0 });
  for (const piece of pieces) scanner.push(piece);
  return scanner.finish().encoding;
}

/** The evidence by its definition: at every offset, the shortest slice that is valid UTF-8. */
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
      const found = evidence(cut(file, at));
      assert.deepEqual(found, evidence([file]));
      const { firstUnlikelyWindows1252: _, ...known } = found;
      assert.deepEqual(asJson(known), asJson(evidenceByDefinition(file)));
    }),
    { numRuns: 500 },
  );
});

it('a sequence that the end of the file breaks off is invalid where it starts', () => {
  assert.equal(evidence([Buffer.from('abc\u00e2\u0080', 'latin1')]).firstInvalidUtf8, 3);
});

describe('text that Windows-1252 would make signs inside words of', () => {
  const unlikely: [string, string][] = [
    ['Mac Roman at the end of a word', 'name\nChlo\x91\n'],
    ['Mac Roman: café, Müller, Noël', 'caf\x8e,M\x9fller,No\x91l\n'],
    ['a DOS code page: café, naïve', 'caf\x82,na\x8bve\n'],
  ];
  for (const [name, text] of unlikely) {
    it(`${name}: unlikely as Windows-1252`, () => {
      const bytes = Buffer.from(text, 'latin1');
      const first = bytes.findIndex((byte) => byte >= 0x80);
      assert.equal(evidence([bytes]).firstUnlikelyWindows1252, first);
    });
  }

  const likely: [string, string][] = [
    ['an apostrophe and quotation marks', 'don\x92t say \x93word\x94 or \x91word\x92\n'],
    ['German quotation marks', '\x84Wort\x93 und \x82Wort\x91\n'],
    ['dashes, an ellipsis, a trade mark', 'a\x96b, well\x97no, on\x85 and Word\x99, 5\x80\n'],
    ['letters of it', '\x8akoda, \x9cuvre, Ha\x9aek, caf\xe9, Stra\xdfe\n'],
    ['the ‘okina', 'Hawai\x91i, Kaua\x91i\n'],
    ['a mistake among many right ones', 'it\x92s, don\x92t, won\x92t, word\x93word\n'],
    ['the mojibake of 2015', 'don\xc6t\n'],
    ['valid UTF-8 besides', 'Chlo\x91 \xc3\xa9\n'],
  ];
  for (const [name, text] of likely) {
    it(`${name}: likely as Windows-1252`, () => {
      assert.equal(evidence([Buffer.from(text, 'latin1')]).firstUnlikelyWindows1252, undefined);
    });
  }
});
