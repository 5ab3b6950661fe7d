import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { lastDue, startOfDay } from '../../src/cli/due.ts';
import { ingestDateAt } from '../../src/model/dates.ts';
import type { Recurrence } from '../../src/model/schedule.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
/** Zones of both hemispheres: offsets of half and quarter hours, clock changes of 60 and 30 minutes and at midnight. */
const ZONES = [
  'UTC',
  'America/Denver',
  'Europe/Berlin',
  'Asia/Kathmandu',
  'Australia/Lord_Howe',
  'Africa/Cairo',
  'America/Santiago',
  'Pacific/Kiritimati',
];

function cron(text: string, timeZone: string): Recurrence {
  return { kind: 'cron', text, timeZone };
}

function due(recurrence: Recurrence, now: string): string | undefined {
  return lastDue(recurrence, new Date(now))?.toISOString();
}

describe('lastDue', () => {
  it('is in the zone, to the minute, the moment itself included', () => {
    const daily = cron('0 6 * * *', 'America/Denver');
    assert.equal(due(daily, '2026-11-25T12:59:59Z'), '2026-11-24T13:00:00.000Z');
    assert.equal(due(daily, '2026-11-25T13:00:00Z'), '2026-11-25T13:00:00.000Z');
    const weekly = cron('30 22 * * sun', 'Asia/Kathmandu');
    assert.equal(due(weekly, '2026-11-25T00:00:00Z'), '2026-11-22T16:45:00.000Z');
  });

  it('follows the clocks: in summer an hour earlier', () => {
    const daily = cron('0 6 * * *', 'America/Denver');
    assert.equal(due(daily, '2026-03-07T20:00:00Z'), '2026-03-07T13:00:00.000Z');
    assert.equal(due(daily, '2026-03-08T20:00:00Z'), '2026-03-08T12:00:00.000Z');
  });

  it('leaves out a time that the clocks skip, and takes both of one that they repeat', () => {
    const skipped = cron('30 2 * * *', 'America/Denver');
    assert.equal(due(skipped, '2026-03-08T20:00:00Z'), '2026-03-07T09:30:00.000Z');
    const repeated = cron('30 1 * * *', 'America/Denver');
    assert.equal(due(repeated, '2026-11-01T08:29:59Z'), '2026-11-01T07:30:00.000Z');
    assert.equal(due(repeated, '2026-11-01T20:00:00Z'), '2026-11-01T08:30:00.000Z');
  });

  it('reads `5/25` as `5-59/25`, and limits by every field', () => {
    const now = '2026-11-25T00:00:00Z';
    assert.equal(due(cron('5/25 * * * *', 'UTC'), now), '2026-11-24T23:55:00.000Z');
    assert.equal(due(cron('0 6 1-31 * 1', 'UTC'), now), '2026-11-23T06:00:00.000Z');
  });

  it('finds the last 29 February', () => {
    assert.equal(
      due(cron('0 0 29 2 *', 'UTC'), '2026-11-25T00:00:00Z'),
      '2024-02-29T00:00:00.000Z',
    );
    assert.equal(
      due(cron('0 0 29 2 *', 'UTC'), '1904-02-28T00:00:00Z'),
      '1896-02-29T00:00:00.000Z',
    );
  });

  it('counts intervals from the epoch', () => {
    const every = { kind: 'every', everyMs: 6 * 3_600_000 } as const;
    assert.equal(due(every, '2026-11-25T11:59:59Z'), '2026-11-25T06:00:00.000Z');
  });

  it('is the time that a search minute by minute on the zone’s clock finds', () => {
    const minutes = fc.uniqueArray(fc.integer({ min: 0, max: 59 }), { minLength: 1, maxLength: 3 });
    const hours = fc.uniqueArray(fc.integer({ min: 0, max: 23 }), { minLength: 1, maxLength: 3 });
    const zones = fc.constantFrom(...ZONES);
    fc.assert(
      fc.property(zones, minutes, hours, nearAChange(), (zone, minute, hour, now) => {
        const recurrence = cron(`${minute.join(',')} ${hour.join(',')} * * *`, zone);
        const isDue = (shown: string): boolean => {
          const [, hours = '', minutes = ''] = /(\d\d):(\d\d)$/.exec(shown) ?? [];
          return hour.includes(Number(hours)) && minute.includes(Number(minutes));
        };
        assert.deepEqual(lastDue(recurrence, now), lookedUp(isDue, zone, now));
      }),
      { numRuns: 60 },
    );
  });
});

/** A time in a week in which some of the zones change their clocks. */
function nearAChange(): fc.Arbitrary<Date> {
  const days = ['2026-03-08', '2026-03-29', '2026-04-05', '2026-04-24', '2026-09-06', '2026-10-04'];
  const changes = fc.constantFrom(...days, '2026-10-25', '2026-10-30', '2026-11-01');
  const minutes = fc.integer({ min: -2 * 24 * 60, max: 3 * 24 * 60 });
  return fc
    .tuple(changes, minutes)
    .map(([day, offset]) => new Date(Date.parse(day) + offset * MINUTE_MS));
}

/** Finds the same time in another way: it goes back minute by minute and formats each minute in the zone. */
function lookedUp(
  isDue: (shown: string) => boolean,
  timeZone: string,
  now: Date,
): Date | undefined {
  const clock = new Intl.DateTimeFormat('sv-SE', {
    timeZone,
    dateStyle: 'short',
    timeStyle: 'short',
  });
  const start = Math.floor(now.getTime() / MINUTE_MS) * MINUTE_MS;
  for (let at = start; at > start - 4 * DAY_MS; at -= MINUTE_MS) {
    if (isDue(clock.format(at))) return new Date(at);
  }
  return undefined;
}

describe('startOfDay', () => {
  it('is the first instant of that day in the zone, whatever its clocks do', () => {
    // Cairo's clocks skip midnight.
    assert.equal(
      startOfDay('2026-04-24', 'Africa/Cairo').toISOString(),
      '2026-04-23T22:00:00.000Z',
    );
    fc.assert(
      fc.property(fc.constantFrom(...ZONES), nearAChange(), (zone, instant) => {
        const date = ingestDateAt(instant, zone);
        const start = startOfDay(date, zone);
        assert.equal(ingestDateAt(start, zone), date);
        assert.notEqual(ingestDateAt(new Date(start.getTime() - 1), zone), date);
      }),
      { numRuns: 200 },
    );
  });
});
