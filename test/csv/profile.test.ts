import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { emptyProfile, profileRecords, type Profile } from '../../src/csv/profile.ts';
import { typedValue } from './csv-files.ts';

test('the file may be cut anywhere, into shards and blocks: the profile is the same', () => {
  const rows = fc.array(fc.array(typedValue(), { minLength: 3, maxLength: 3 }), {
    minLength: 1,
    maxLength: 8,
  });
  fc.assert(
    fc.property(
      rows,
      fc.array(fc.nat()),
      fc.constantFrom('\n', '\r\n', '\r'),
      (records, cutSizes, lineEnd) => {
        const text = records.map((record) => record.join(',') + lineEnd).join('');
        const whole = profileOf(Buffer.from(text), []);
        assert.deepEqual(profileOf(Buffer.from(text), cutSizes), whole);
        const each = records.map((record) => profileOf(Buffer.from(record.join(',')), []));
        const merged = each.reduce((one, other) => one.map((all, at) => all & (other[at] ?? 0)));
        assert.deepEqual(merged, whole);
      },
    ),
  );
});

/** Does the work of `readBlocks` with blocks of any size. */
function profileOf(text: Buffer, blockSizes: number[]): Profile {
  const profile = emptyProfile(3);
  let start = 0;
  for (const size of [...blockSizes, text.length]) {
    const limit = Math.min(start + (size % 40), text.length);
    const isLast = size === text.length;
    const bytes = Buffer.concat([
      text.subarray(start, isLast ? text.length : limit),
      Buffer.alloc(1),
    ]);
    const block = { start: 0, limit: bytes.length - 1, end: isLast };
    start += profileRecords(profile, bytes, block, 0x2c);
  }
  return profile;
}
