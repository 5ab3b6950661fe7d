import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { DatasetSpec } from '../../src/model/dataset.ts';
import { ingestDateAt } from '../../src/model/dates.ts';
import { assertDayHasCome, assertVersionOfDay } from '../../src/model/ingest-day.ts';

const TODAY_ONLY = 'http://h/all.csv';
const EACH_DAY = 'http://h/{date}.csv';
const NOW = new Date('2026-11-25T05:30:00Z');

function dataset(address: string, timeZone = 'America/Denver'): DatasetSpec {
  return { name: 'd', timeZone, sources: [{ id: 'a', address, optional: false, overrides: {} }] };
}

function codeOf(act: () => void): string {
  try {
    act();
    return 'taken';
  } catch (error) {
    return (error as { code: string }).code;
  }
}

describe('the day of a run', () => {
  it('is not one that has not begun in the time zone of the dataset', () => {
    const at = (date: string, timeZone: string): string =>
      codeOf(() => assertDayHasCome({ timeZone }, date, NOW));
    // 22:30 of the 24th in Denver, 14:30 of the 25th in Tokyo.
    assert.equal(at('2026-11-24', 'America/Denver'), 'taken');
    assert.equal(at('2026-11-25', 'America/Denver'), 'DATE_IN_FUTURE');
    assert.equal(at('2026-11-25', 'Asia/Tokyo'), 'taken');
    assert.equal(at('2026-11-26', 'Asia/Tokyo'), 'DATE_IN_FUTURE');
    assert.throws(
      () => assertDayHasCome({ timeZone: 'America/Denver' }, '2027-01-01', NOW),
      /2027-01-01 is still to come: in America\/Denver it is 2026-11-24/,
    );
  });

  it('is never refused where it comes from a clock, in any zone and second', () => {
    fc.assert(
      fc.property(
        fc.date({ min: new Date('2020-01-01'), max: new Date('2040-01-01'), noInvalidDate: true }),
        fc.constantFrom('America/Denver', 'Asia/Tokyo', 'UTC', 'Pacific/Kiritimati'),
        // The worker opens the day somewhat later, or its clock is somewhat behind.
        fc.integer({ min: -290_000, max: 3_500_000 }),
        (asked, timeZone, laterMs) => {
          const ingestDate = ingestDateAt(asked, timeZone);
          const now = new Date(asked.getTime() + laterMs);
          assertDayHasCome({ timeZone }, ingestDate, now);
          const run = { dataset: dataset(TODAY_ONLY, timeZone), ingestDate };
          assertVersionOfDay({ ...run, mode: 'ingest' }, now);
        },
      ),
    );
  });

  it('in the past is refused to a source that has its version of today only, unless it is meant', () => {
    const code = (address: string, choices: object = {}): string =>
      codeOf(() => {
        const run = {
          dataset: dataset(address),
          ingestDate: '2026-11-23',
          mode: 'ingest' as const,
        };
        assertVersionOfDay({ ...run, ...choices }, NOW);
      });
    assert.equal(code(TODAY_ONLY), 'BACKFILL_REFUSED');
    assert.equal(code(TODAY_ONLY, { mode: 'land' }), 'BACKFILL_REFUSED');
    assert.equal(code(TODAY_ONLY, { asIf: true }), 'taken');
    // What was landed on that day is converted; the publisher is not asked.
    assert.equal(code(TODAY_ONLY, { mode: 'convert' }), 'taken');
    assert.equal(code(EACH_DAY), 'taken');
    assert.equal(code(TODAY_ONLY, { ingestDate: '2026-11-24' }), 'taken');
  });
});
