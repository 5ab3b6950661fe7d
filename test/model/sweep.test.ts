import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseAge } from '../../src/model/sweep.ts';

const HOUR_MS = 3_600_000;

test('an age is minutes, hours or days', () => {
  assert.equal(parseAge('90m'), 1.5 * HOUR_MS);
  assert.equal(parseAge('24h'), 24 * HOUR_MS);
  assert.equal(parseAge('7d'), 7 * 24 * HOUR_MS);
  assert.equal(parseAge('0'), 0);
});

test('every age reads as what it says, and is exact', () => {
  const units = { m: HOUR_MS / 60, h: HOUR_MS, d: 24 * HOUR_MS };
  const unit = fc.constantFrom('m' as const, 'h' as const, 'd' as const);
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 99_999 }), unit, (count, unit) => {
      assert.equal(parseAge(`${count}${unit}`), count * units[unit]);
      assert.ok(Number.isSafeInteger(count * units[unit]));
    }),
  );
});

test('no other text is an age: an unclear one must not shorten the time that things are safe', () => {
  for (const text of [
    '',
    '0m',
    '0h',
    '-1h',
    '1',
    '1.5h',
    '1s',
    '24 h',
    '24H',
    '1h30m',
    '1e3h',
    '٣h',
  ])
    assert.equal(parseAge(text), undefined, text);
  fc.assert(
    fc.property(fc.string(), (text) => {
      const ageMs = parseAge(text);
      assert.ok(ageMs === undefined || text === '0' || ageMs >= HOUR_MS / 60);
    }),
  );
});
