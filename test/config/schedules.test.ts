import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseDatasets } from '../../src/config/load-datasets.ts';
import type { ScheduleSpec } from '../../src/model/schedule.ts';

const SOURCES = 'time_zone: America/Denver, sources: [{ id: a, address: "http://h/{date}.csv" }]';
const HOUR_MS = 3_600_000;

/** @param own schedule of the dataset `d`. @param top schedule of the file. Both are in YAML's flow style. */
function parse(own?: string, top?: string) {
  const lines = [
    ...(top === undefined ? [] : [`schedule: ${top}`]),
    'datasets:',
    `  d: { ${SOURCES}${own === undefined ? '' : `, schedule: ${own}`} }`,
  ];
  return parseDatasets(lines.join('\n'), 'd.yaml');
}

function scheduleOf(own?: string, top?: string): ScheduleSpec | undefined {
  const { schedules, problems } = parse(own, top);
  assert.deepEqual(problems, []);
  return schedules.get('d');
}

function problemsOf(own: string, top?: string): string[] {
  return parse(own, top).problems.map(({ where, message }) => `${where}: ${message}`);
}

describe('the schedule of a dataset', () => {
  it('is daily at 06:00 in its time zone where nothing is said', () => {
    const { recurrence, ...rest } = scheduleOf() ?? assert.fail();
    assert.equal(recurrence.kind, 'cron');
    assert.deepEqual(recurrence.kind === 'cron' && [recurrence.text, recurrence.timeZone], [
      '0 6 * * *',
      'America/Denver',
    ]);
    assert.deepEqual(rest, {
      jitterMs: 5 * 60_000,
      overlap: 'skip',
      catchupMs: 24 * HOUR_MS,
      paused: false,
      pauseAfterFailures: 3,
    });
    assert.deepEqual(scheduleOf('true'), scheduleOf());
  });

  it('takes each key from the dataset, else from the top of the file', () => {
    const top = '{ cron: "30 5 * * *", timezone: UTC, jitter: 1h, catchup: 7d }';
    const { recurrence, jitterMs, catchupMs, overlap } =
      scheduleOf('{ jitter: "0", overlap: buffer-one }', top) ?? assert.fail();
    assert.deepEqual(
      [recurrence.kind === 'cron' && `${recurrence.text} ${recurrence.timeZone}`, jitterMs],
      ['30 5 * * * UTC', 0],
    );
    assert.deepEqual([catchupMs, overlap], [7 * 24 * HOUR_MS, 'buffer-one']);
    const every = scheduleOf('{ every: 6h }', top);
    assert.deepEqual(every?.recurrence, { kind: 'every', everyMs: 6 * HOUR_MS });
  });

  it('is none where the nearer of the two says false', () => {
    assert.equal(scheduleOf('false'), undefined);
    assert.equal(scheduleOf(undefined, 'false'), undefined);
    assert.equal(scheduleOf('false', '{ every: 6h }'), undefined);
    assert.equal(scheduleOf('true', 'false')?.recurrence.kind, 'cron');
    assert.equal(scheduleOf('{ paused: true }', 'false')?.paused, true);
  });

  it('names file, line and key of everything that is wrong', () => {
    const wrong: [string, string][] = [
      ['{ cron: "99 * * * *" }', '"cron" has "99" for the minute, which goes from 0 to 59'],
      ['{ cron: "0 0 31 2 *" }', '"cron" is never due: no such month has a day 31'],
      ['{ cron: "0 6 * * *", every: 1h }', '"every" excludes "cron": set only one of them'],
      ['{ every: "0" }', '"every" must be minutes, hours or days: 90m, 6h, 1d'],
      ['{ timezone: Mars/Olympus }', '"timezone" must be a time zone such as America/Denver'],
      ['{ jitter: soon }', '"jitter" must be minutes, hours or days (5m, 1h), or 0'],
      ['{ overlap: never }', '"overlap" must be one of skip, buffer-one, buffer-all, allow-all'],
      ['{ catchup: "0" }', '"catchup" must be minutes, hours or days: 30m, 24h, 7d'],
      ['{ paused: maybe }', '"paused" must be true or false'],
      [
        '{ pause_after_failures: 11 }',
        '"pause_after_failures" must be a whole number from 1 to 10',
      ],
      ['{ color: red }', '"color" is not known here'],
      ['daily', '"schedule" must be a map, true or false'],
      ['[]', '"schedule" must be a map, true or false'],
    ];
    for (const [own, message] of wrong) {
      assert.deepEqual(problemsOf(own), [`d.yaml:2: ${message}`]);
      assert.deepEqual(
        parse('true', own).problems.map(({ where }) => where),
        ['d.yaml:1'],
      );
    }
  });

  it('is read or refused, whatever stands there', () => {
    const keys = fc.constantFrom('cron', 'every', 'timezone', 'jitter', 'catchup', 'paused');
    const value = fc.string().map((text) => JSON.stringify(text));
    fc.assert(
      fc.property(fc.dictionary(keys, value), (entries) => {
        const flow = Object.entries(entries).map(([key, text]) => `${key}: ${text}`);
        const { schedules, problems } = parse(`{ ${flow.join(', ')} }`);
        assert.equal(schedules.has('d'), problems.length === 0);
      }),
    );
  });
});
