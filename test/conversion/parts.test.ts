import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { nextRange, PART_SIZES, sampleRange, type Converted } from '../../src/conversion/parts.ts';
import { cutRecords, type FileToCut, type RecordRange } from '../../src/conversion/ranges.ts';

const MIB = 1024 * 1024;
const HEADER_BYTES = 100;
const SPACING_BYTES = 16 * MIB;

/** A file that can be cut at the first record start after each `spacingBytes`, as a scan finds the places. */
function fileOf(bytes: number, recordBytes = 200, spacingBytes = SPACING_BYTES): FileToCut {
  const splits: number[] = [];
  const step = Math.ceil(spacingBytes / recordBytes) * recordBytes;
  for (let at = HEADER_BYTES; at < bytes; at += step) splits.push(at);
  const splitRecords = splits.map((split) => (split - HEADER_BYTES) / recordBytes);
  const records = Math.ceil((bytes - HEADER_BYTES) / recordBytes);
  return { bytes, scan: { records, splits, splitRecords } };
}

/** The plan for a file whose ranges have these ratios of CSV bytes to Parquet bytes, in turn. */
function plan(file: FileToCut, ratios: readonly number[]): Planned[] {
  const ranges: Planned[] = [];
  const sample = sampleRange(file);
  const csvBytes = sample ? sample.end - sample.start : 0;
  let done: Converted = { end: undefined, csvBytes, parquetBytes: csvBytes / (ratios[0] ?? 1) };
  for (;;) {
    const range = nextRange(file, done);
    if (!range) return ranges;
    const ratio = ratios[ranges.length % ratios.length] ?? 1;
    const parquetBytes = (range.end - range.start) / ratio;
    ranges.push({ ...range, parquetBytes });
    done = {
      end: range.end,
      csvBytes: done.csvBytes + range.end - range.start,
      parquetBytes: done.parquetBytes + parquetBytes,
    };
  }
}

interface Planned extends RecordRange {
  parquetBytes: number;
}

const sizesOfFiles = fc.oneof(
  fc.integer({ min: 1, max: 40 * 1024 }).map((mebibytes) => mebibytes * MIB),
  fc.integer({ min: HEADER_BYTES, max: 3_000_000_000 }),
);
const ratios = fc.array(fc.double({ min: 1, max: 60, noNaN: true }), { minLength: 1 });

/** Asserts that the ranges have every record once, in order, and begin at record starts. */
function assertComplete({ bytes, scan }: FileToCut, ranges: readonly RecordRange[]): void {
  let at = scan.splits[0] ?? bytes;
  for (const { start, end } of ranges) {
    assert.equal(start, at);
    assert.ok(end > start || ranges.length === 1);
    assert.ok(end === bytes || scan.splits.includes(end));
    at = end;
  }
  assert.equal(at, bytes);
  assert.equal(
    ranges.reduce((sum, range) => sum + range.records, 0),
    scan.records,
  );
  assert.deepEqual(
    ranges.map(({ whole }) => whole),
    ranges.map(() => ranges.length === 1),
  );
}

test('ranges hold every record once, in order, and are cut at record starts', () => {
  fc.assert(
    fc.property(sizesOfFiles, fc.integer({ min: 20, max: 20_000_000 }), ratios, (...args) => {
      const [bytes, recordBytes, each] = args;
      const file = fileOf(bytes, recordBytes);
      assertComplete(file, plan(file, each));
    }),
  );
});

test('so do ranges of about one size, none of them much longer', () => {
  const spacing = fc.integer({ min: 1, max: 40 }).map((n) => n * 2_000_000);
  const size = fc.integer({ min: 1, max: 400 }).map((n) => n * MIB);
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 20_000_000 }), spacing, size, (...args) => {
      const [records, spacingBytes, rangeBytes] = args;
      const file = fileOf(HEADER_BYTES + records * 200, 200, spacingBytes);
      const ranges = cutRecords(file, Math.ceil((records * 200) / rangeBytes));
      assertComplete(file, ranges);
      for (const { start, end, records: held } of ranges) {
        assert.ok(end - start <= rangeBytes + spacingBytes, 'a split more at most');
        assert.equal(held, (end - start) / 200);
      }
      if (records * 200 <= rangeBytes) assert.equal(ranges.length, 1);
    }),
    { numRuns: 200 },
  );
});

test('Parquet files are of 128 to 256 MB, none of them tiny, whatever the file compresses to', () => {
  const ratio = fc.double({ min: 2.5, max: 12, noNaN: true });
  fc.assert(
    fc.property(fc.integer({ min: 3500, max: 40 * 1024 }), ratio, (mebibytes, each) => {
      const parts = plan(fileOf(mebibytes * MIB), [each]);
      // The planner cuts at splits only, and it cuts a rest of one and a half files in two.
      const slackBytes = (2 * SPACING_BYTES) / each;
      for (const { parquetBytes } of parts) {
        assert.ok(parquetBytes <= PART_SIZES.maxPartBytes + slackBytes, String(parquetBytes));
        assert.ok(parquetBytes >= 128_000_000 - slackBytes, String(parquetBytes));
      }
    }),
  );
});

test('a file stays whole where it is short, or where its Parquet is', () => {
  assert.equal(plan(fileOf(768 * MIB), [2]).length, 1);
  assert.equal(plan(fileOf(1000 * MIB), [12]).length, 1);
  const halves = plan(fileOf(1000 * MIB), [3]);
  assert.equal(halves.length, 2);
  for (const { start, end } of halves) assert.ok(end - start > 480 * MIB);
});

test('the sample is whole records from the start, and only of what may be cut', () => {
  assert.equal(sampleRange(fileOf(768 * MIB)), undefined);
  const file = fileOf(1000 * MIB);
  const sample = sampleRange(file);
  assert.equal(sample?.start, HEADER_BYTES);
  assert.ok(file.scan.splits.includes(sample.end) && sample.end > 32 * MIB);
  assert.equal(sample.records, (sample.end - HEADER_BYTES) / 200);
});

test('a file without records is one part, and nothing to share out', () => {
  const empty = { bytes: HEADER_BYTES, scan: { records: 0, splits: [], splitRecords: [] } };
  assert.deepEqual(cutRecords(empty, 3), []);
  assert.deepEqual(plan(empty, [5]), [
    { start: HEADER_BYTES, end: HEADER_BYTES, records: 0, whole: true, parquetBytes: 0 },
  ]);
});

test('a range is bounded however well the file compresses', () => {
  for (const { start, end } of plan(fileOf(40_000 * MIB), [60])) {
    assert.ok(end - start <= PART_SIZES.maxRangeBytes + SPACING_BYTES);
  }
});
