import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { ingestDateAt, parseIngestDate } from '../../src/model/dates.ts';

it('accepts every existing day and nothing else', () => {
  for (const text of [
    '../..',
    '2026-02-30',
    '2026-1-1',
    '',
    '2026-13-01',
    '2026-01-01T00:00:00Z',
    '2026-01-01/..',
  ]) {
    assert.throws(() => parseIngestDate(text), { code: 'NAME_INVALID' });
  }
  fc.assert(
    fc.property(
      fc.date({ min: new Date('0001-01-01'), max: new Date('9999-12-31'), noInvalidDate: true }),
      (date) => {
        const text = date.toISOString().slice(0, 10);
        assert.equal(parseIngestDate(text), text);
      },
    ),
  );
});

it("takes the day of the dataset's own time zone", () => {
  const instant = new Date('2026-11-23T05:30:00Z');
  assert.equal(ingestDateAt(instant, 'America/Denver'), '2026-11-22');
  assert.equal(ingestDateAt(instant, 'UTC'), '2026-11-23');
});
