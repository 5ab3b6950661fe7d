import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { lineEndOf, readsExactly, SPARK_SIZES, shardsOf } from '../../src/conversion/spark/job.ts';
import type { CsvScan } from '../../src/model/scan.ts';
import { scanOf } from './samples.ts';

const MIB = 1024 * 1024;
const HEADER_BYTES = 100;
const RECORD_BYTES = 200;

/** A file with a split every so many bytes, as a scan finds them. */
function fileOf(records: number, step: number): Parameters<typeof shardsOf>[0] {
  const bytes = HEADER_BYTES + records * RECORD_BYTES;
  const splits: number[] = [];
  for (let at = HEADER_BYTES; at < bytes; at += step) splits.push(at);
  const splitRecords = splits.map((split) => (split - HEADER_BYTES) / RECORD_BYTES);
  return { bytes, scan: { records, splits, splitRecords } };
}

test('shards hold every record once, in order, cut at record starts and none much too long', () => {
  const files = fc.record({
    records: fc.integer({ min: 1, max: 20_000_000 }),
    step: fc.integer({ min: 1, max: 40 }).map((n) => n * RECORD_BYTES * 10_000),
    shardBytes: fc.integer({ min: 1, max: 400 }).map((n) => n * MIB),
  });
  fc.assert(
    fc.property(files, ({ records, step, shardBytes }) => {
      const file = fileOf(records, step);
      const shards = shardsOf(file, shardBytes);
      let at = HEADER_BYTES;
      let seen = 0;
      for (const shard of shards) {
        assert.equal(shard.start, at);
        assert.ok(file.scan.splits.includes(shard.start));
        assert.equal(shard.records, (shard.end - shard.start) / RECORD_BYTES);
        assert.ok(shard.end - shard.start <= shardBytes + step, 'a split more at most');
        at = shard.end;
        seen += shard.records;
      }
      assert.equal(at, file.bytes);
      assert.equal(seen, records);
    }),
    { numRuns: 200 },
  );
});

test('a long file is several shards, one without records is none, a short one is one', () => {
  const { shardBytes } = SPARK_SIZES;
  assert.ok(shardsOf(fileOf(5_000_000, 16 * MIB), shardBytes).length > 5);
  const none = { bytes: 4, scan: { records: 0, splits: [], splitRecords: [] } };
  assert.deepEqual(shardsOf(none, shardBytes), []);
  const short = fileOf(Math.floor(shardBytes / RECORD_BYTES) - 1, 16 * MIB);
  assert.equal(shardsOf(short, shardBytes).length, 1);
});

const EXACT = Buffer.from('a,b\r\n1,"x\r\ny"\r\n');
const DOUBTFUL: Record<string, string> = {
  'one column': 'a\r\nx\r\n',
  'blank lines': 'a,b\r\n\r\n1,2\r\n',
  'bare quotes': 'a,b\r\n5" pipe,1\r\n',
  'CR ends': 'a,b\r1,2\r',
  'line ends of two kinds': 'a,b\r\n1,2\n3,4\r\n',
};

test('Spark reads a plain RFC 4180 file as it is, and nothing that leaves room for judgement', () => {
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
