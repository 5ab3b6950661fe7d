import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { areCovered, areExactly, partSizeBytesOf } from '../../src/landing/s3-parts.ts';

const MIB = 1024 * 1024;
/** S3's own limits. */
const MAX_PARTS = 10_000;
const MIN_PART_BYTES = 5 * MIB;
const MAX_OBJECT_BYTES = 50_000 * 1e9;
const MAX_PART_BYTES = 5 * 1024 * MIB;

const totals = fc.oneof(
  fc.integer({ min: 1, max: 200 * MIB }),
  fc.maxSafeInteger().map((each) => 1 + (Math.abs(each) % MAX_OBJECT_BYTES)),
  fc.integer({ min: 9_990, max: 10_010 }).map((parts) => parts * 16 * MIB),
);

describe('the plan of parts', () => {
  it('fits every length into 10,000 parts of an allowed size in whole MiB, 16 MiB where that will do', () => {
    fc.assert(
      fc.property(totals, (total) => {
        const size = partSizeBytesOf(total);
        assert.equal(size % MIB, 0);
        assert.ok(size >= MIN_PART_BYTES && size <= MAX_PART_BYTES);
        assert.ok(Math.ceil(total / size) <= MAX_PARTS);
        assert.equal(size === 16 * MIB, total <= MAX_PARTS * 16 * MIB);
      }),
    );
  });

  it('is 64 MiB where the length is not known', () => {
    assert.equal(partSizeBytesOf(undefined), 64 * MIB);
    assert.equal(partSizeBytesOf(undefined, true), 16 * MIB);
  });

  const plans = fc
    .record({
      partSizeBytes: fc.integer({ min: 1, max: 50 }),
      bytes: fc.integer({ min: 1, max: 500 }),
    })
    .map(({ partSizeBytes, bytes }) => {
      const count = Math.ceil(bytes / partSizeBytes);
      const parts = Array.from({ length: count }, (_, index) => ({
        number: index + 1,
        bytes: Math.min(partSizeBytes, bytes - index * partSizeBytes),
      }));
      return { partSizeBytes, bytes, parts };
    });

  it('finds exactly the planned parts right, in any order', () => {
    fc.assert(
      fc.property(plans, ({ bytes, parts, partSizeBytes }) => {
        assert.ok(areExactly(bytes, parts.toReversed(), partSizeBytes));
      }),
    );
  });

  it('finds a missing part, one of another size and one too many', () => {
    fc.assert(
      fc.property(plans, fc.nat(), ({ bytes, parts, partSizeBytes }, seed) => {
        const at = seed % parts.length;
        const without = parts.toSpliced(at, 1);
        const part = parts[at] ?? { number: 0, bytes: 0 };
        const longer = parts.with(at, { ...part, bytes: part.bytes + 1 });
        const more = [...parts, { number: parts.length + 1, bytes: 1 }];
        for (const wrong of [without, longer, more]) {
          assert.ok(!areExactly(bytes, wrong, partSizeBytes));
        }
      }),
    );
  });

  it('covers what lies before the first part that is missing, and no byte more', () => {
    fc.assert(
      fc.property(plans, fc.nat(), ({ bytes, parts, partSizeBytes }, seed) => {
        const at = seed % parts.length;
        const rest = parts.toSpliced(at, 1);
        assert.ok(areCovered(at * partSizeBytes, rest, partSizeBytes));
        const next = Math.min((at + 1) * partSizeBytes, bytes);
        assert.ok(!areCovered(next, rest, partSizeBytes));
      }),
    );
  });
});
