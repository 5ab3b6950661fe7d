import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { seal, unseal, type Checkpoint } from '../../src/landing/checkpoint.ts';
import { CsvScanner } from '../../src/csv/scanner.ts';
import type { Dialect } from '../../src/model/scan.ts';
import { initialState, type ScannerState } from '../../src/csv/scanner-state.ts';
import type { IngestStateFields } from '../../src/landing/ingest-state.ts';

const dialect: Dialect = { delimiter: ',', quote: '"', bomBytes: 0 };

const ends = fc
  .record({
    bytes: fc.nat(),
    crc32: fc.integer({ min: 0, max: 0xffffffff }),
    mode: fc.nat({ max: 4 }),
    header: fc.constantFrom('', 'YSxi'),
    splits: fc.array(fc.nat(), { maxLength: 5 }),
    isRagged: fc.boolean(),
    firstInvalidUtf8: fc.option(fc.nat(), { nil: undefined }),
  })
  .map(({ bytes, crc32, mode, header, splits, isRagged, firstInvalidUtf8 }): IngestStateFields => {
    const scanner: ScannerState = {
      ...initialState(dialect),
      ...{ offset: bytes, mode, header, splits, splitRecords: splits.map((each) => each % 7) },
      problems: isRagged ? [{ kind: 'ragged', count: 1, examples: [] }] : [],
    };
    if (firstInvalidUtf8 !== undefined) scanner.encoding.firstInvalidUtf8 = firstInvalidUtf8;
    return { bytes, crc32, dialect, scanner };
  });

const uploads = fc.record(
  { id: fc.string(), partSizeBytes: fc.nat(), completingEtag: fc.string() },
  { noNullPrototype: true, requiredKeys: ['id', 'partSizeBytes'] },
);

const checkpoints = fc.record(
  {
    sourceKey: fc.string(),
    validator: fc.record({ etag: fc.string() }, { noNullPrototype: true }),
    totalBytes: fc.nat(),
    end: ends,
    upload: uploads,
  },
  { noNullPrototype: true, requiredKeys: ['sourceKey', 'validator'] },
);

const roundTrip = (checkpoint: Checkpoint): Checkpoint | undefined =>
  unseal(Buffer.from(seal(checkpoint)));

describe('the checkpoint of a landing', () => {
  it('comes back as it was written, whatever is in it', () => {
    fc.assert(
      fc.property(checkpoints, (checkpoint) => {
        assert.deepEqual(roundTrip(checkpoint), checkpoint);
      }),
    );
  });

  it('has the state of a real scanner, which goes on as the scanner itself', () => {
    const line = Buffer.from('"one\ntwo",3\r\n'.repeat(50));
    const scanner = new CsvScanner(dialect, undefined, 100);
    scanner.push(Buffer.from('a,b\r\n'));
    scanner.push(line);
    const end = { bytes: 1, crc32: 1, dialect, scanner: scanner.state() };
    const back = roundTrip({ sourceKey: '', validator: {}, end });
    const resumed = new CsvScanner(dialect, back?.end?.scanner, 100);
    for (const each of [scanner, resumed]) each.push(line);
    assert.deepEqual(resumed.finish(), scanner.finish());
  });

  it('that is damaged anywhere is none', () => {
    fc.assert(
      fc.property(checkpoints, fc.nat(), fc.nat({ max: 255 }), (checkpoint, seed, byte) => {
        const sealed = Buffer.from(seal(checkpoint));
        const at = seed % sealed.length;
        fc.pre(sealed[at] !== byte);
        sealed[at] = byte;
        const back = unseal(sealed);
        // A blank between the envelope's own words may change without any effect.
        if (back !== undefined) assert.deepEqual(back, checkpoint);
      }),
    );
    assert.equal(unseal(undefined), undefined);
    assert.equal(unseal(Buffer.from('null')), undefined);
  });
});
