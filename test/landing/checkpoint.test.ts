import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { seal, unseal, type Checkpoint } from '../../src/landing/checkpoint.ts';
import { CsvScanner } from '../../src/csv/scanner.ts';
import type { Dialect } from '../../src/model/scan.ts';
import { initialState, type ScannerState } from '../../src/csv/scanner-state.ts';
import type { IngestStateFields } from '../../src/landing/ingest-state.ts';

const dialect: Dialect = { delimiter: ',', quote: '"', bomBytes: 0 };

/** States of one scanner at several times. Its lists only grow. */
const ends = fc
  .array(
    fc.record({
      bytes: fc.nat(),
      crc32: fc.integer({ min: 0, max: 0xffffffff }),
      mode: fc.nat({ max: 4 }),
      header: fc.constantFrom('', 'YSxi'),
      grown: fc.array(fc.nat(), { maxLength: 5 }),
      isRagged: fc.boolean(),
      firstInvalidUtf8: fc.option(fc.nat(), { nil: undefined }),
    }),
    { minLength: 1, maxLength: 6 },
  )
  .map((steps): IngestStateFields[] => {
    const splits: number[] = [];
    return steps.map(({ bytes, crc32, mode, header, grown, isRagged, firstInvalidUtf8 }) => {
      splits.push(...grown);
      const scanner: ScannerState = {
        ...initialState(dialect),
        ...{ offset: bytes, mode, header, splits: [...splits] },
        splitRecords: splits.map((each) => each % 7),
        problems: isRagged ? [{ kind: 'ragged', count: 1, examples: [] }] : [],
      };
      if (firstInvalidUtf8 !== undefined) scanner.encoding.firstInvalidUtf8 = firstInvalidUtf8;
      return { bytes, crc32, dialect, scanner };
    });
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
    ends,
    upload: uploads,
  },
  { noNullPrototype: true, requiredKeys: ['sourceKey', 'validator', 'ends'] },
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

  it('has the states of a real scanner, and each goes on as the scanner itself', () => {
    const line = '"one\ntwo",3\r\n';
    const scanner = new CsvScanner(dialect, undefined, 100);
    scanner.push(Buffer.from('a,b\r\n'));
    const states: IngestStateFields[] = [];
    for (let step = 1; step <= 4; step += 1) {
      scanner.push(Buffer.from(line.repeat(50)));
      states.push({ bytes: step, crc32: step, dialect, scanner: scanner.state() });
    }
    const back = roundTrip({ sourceKey: '', validator: {}, ends: states });
    const whole = scanner.finish();
    back?.ends.forEach((end, index) => {
      const resumed = new CsvScanner(dialect, end.scanner, 100);
      resumed.push(Buffer.from(line.repeat(50 * (3 - index))));
      assert.deepEqual(resumed.finish(), whole);
    });
    assert.equal(back?.ends.length, 4);
  });

  it('writes the long lists once', () => {
    const splits = Array.from({ length: 60_000 }, (_, index) => index * 17_000_000);
    const scanner = { ...initialState(dialect), splits, splitRecords: splits };
    const end = { bytes: 1, crc32: 1, dialect, scanner };
    const source = { sourceKey: '', validator: {} };
    const one = seal({ ...source, ends: [end] }).length;
    const six = seal({ ...source, ends: Array.from({ length: 6 }, () => end) });
    assert.ok(six.length < one + 10_000);
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
