import assert from 'node:assert/strict';
import fc from 'fast-check';
import { it, describe } from 'node:test';
import {
  ingestDateAt,
  parseIngestDate,
  datedAddress,
  datedDataset,
  isDated,
  undatedSources,
  assertDayHasCome,
  assertVersionOfDay,
} from '../../src/model/dates.ts';
import type { DatasetSpec } from '../../src/model/dataset.ts';

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

function dataset(addresses: string[], timeZone = 'America/Denver'): DatasetSpec {
  const sources = addresses.map((address, index) => ({
    id: `s${index}`,
    address,
    optional: false,
    overrides: {},
  }));
  return { name: 'd', timeZone, sources };
}

describe('an address with the date in it', () => {
  it('is that of the day', () => {
    assert.equal(
      datedAddress('https://h/{yyyy}/{mm}/{date}.csv?d={dd}', '2026-03-08'),
      'https://h/2026/03/2026-03-08.csv?d=08',
    );
  });

  it('leaves everything else as it is, also what looks like a replacement pattern', () => {
    assert.equal(
      datedAddress('https://h/{item}/{Date}/$&', '2026-03-08'),
      'https://h/{item}/{Date}/$&',
    );
    fc.assert(
      fc.property(fc.webUrl({ withQueryParameters: true }), (address) => {
        assert.equal(datedAddress(address, '2026-03-08'), address);
        assert.equal(isDated({ address }), false);
      }),
    );
  });

  it('makes a dataset of the day, and names the sources that have no past days', () => {
    const mixed = dataset(['https://h/{date}.csv', 'https://h/now.csv']);
    assert.deepEqual(undatedSources(mixed), ['s1']);
    assert.deepEqual(
      datedDataset(mixed, '2026-03-08').sources.map(({ address }) => address),
      ['https://h/2026-03-08.csv', 'https://h/now.csv'],
    );
    assert.deepEqual(undatedSources(dataset(['https://h/{yyyy}{mm}{dd}.csv'])), []);
    const undated = dataset(['https://h/now.csv']);
    assert.equal(datedDataset(undated, '2026-03-08'), undated);
  });
});

const TODAY_ONLY = 'http://h/all.csv';
const EACH_DAY = 'http://h/{date}.csv';
const NOW = new Date('2026-11-25T05:30:00Z');

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
    // NOW is 22:30 of the 24th in Denver and 14:30 of the 25th in Tokyo.
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
        // The worker opens the day later than the command asked for it, or its clock is slow.
        fc.integer({ min: -290_000, max: 3_500_000 }),
        (asked, timeZone, laterMs) => {
          const ingestDate = ingestDateAt(asked, timeZone);
          const now = new Date(asked.getTime() + laterMs);
          assertDayHasCome({ timeZone }, ingestDate, now);
          const run = { dataset: dataset([TODAY_ONLY], timeZone), ingestDate };
          assertVersionOfDay({ ...run, mode: 'ingest' }, now);
        },
      ),
    );
  });

  it('in the past is refused to a source that has its version of today only, unless it is meant', () => {
    const code = (address: string, choices: object = {}): string =>
      codeOf(() => {
        const run = {
          dataset: dataset([address]),
          ingestDate: '2026-11-23',
          mode: 'ingest' as const,
        };
        assertVersionOfDay({ ...run, ...choices }, NOW);
      });
    assert.equal(code(TODAY_ONLY), 'BACKFILL_REFUSED');
    assert.equal(code(TODAY_ONLY, { mode: 'land' }), 'BACKFILL_REFUSED');
    assert.equal(code(TODAY_ONLY, { asIf: true }), 'taken');
    // The worker converts the file that was landed on that day and does not ask the publisher.
    assert.equal(code(TODAY_ONLY, { mode: 'convert' }), 'taken');
    assert.equal(code(EACH_DAY), 'taken');
    assert.equal(code(TODAY_ONLY, { ingestDate: '2026-11-24' }), 'taken');
  });
});
