import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { readCron } from '../../src/config/cron.ts';

function fieldsOf(text: string) {
  const parsed = readCron(text);
  return 'fields' in parsed ? parsed.fields : assert.fail(`${text} ${parsed.problem}`);
}

function problemOf(text: string): string {
  const parsed = readCron(text);
  return 'problem' in parsed ? parsed.problem : assert.fail(`${text} should be refused`);
}

describe('readCron', () => {
  it('reads numbers, names, lists, ranges and steps', () => {
    const [minutes, hours, daysOfMonth, months, daysOfWeek] = fieldsOf(
      ' */20 8-18/5,23  * JAN,mar-may mon-fri ',
    );
    assert.deepEqual(minutes, [0, 20, 40]);
    assert.deepEqual(hours, [8, 13, 18, 23]);
    assert.equal(daysOfMonth?.length, 31);
    assert.deepEqual(months, [1, 3, 4, 5]);
    assert.deepEqual(daysOfWeek, [1, 2, 3, 4, 5]);
    assert.deepEqual(fieldsOf('5/25 0 * * *')[0], [5, 30, 55]);
  });

  it('takes 7 for Sunday, too', () => {
    assert.deepEqual(fieldsOf('0 6 * * 7')[4], [0]);
    assert.deepEqual(fieldsOf('0 6 * * 5-7')[4], [0, 5, 6]);
    assert.equal(fieldsOf('0 6 * * *')[4]?.length, 7);
  });

  it('says which field is wrong, and what it may be', () => {
    const problems: [string, RegExp][] = [
      ['60 * * * *', /"60" for the minute, which goes from 0 to 59/],
      ['0 24 * * *', /"24" for the hour/],
      ['0 0 0 * *', /"0" for the day of month/],
      ['0 0 * 13 *', /"13" for the month/],
      ['0 0 * * 8', /"8" for the day of week/],
      ['0 0 * mon *', /"mon" for the month/],
      ['0-60/7 * * * *', /"0-60\/7" for the minute/],
      ['5-1 * * * *', /"5-1" for the minute/],
      ['*/0 * * * *', /"\*\/0" for the minute/],
      ['1,,2 * * * *', /"1,,2" for the minute/],
      ['1-2-3 * * * *', /for the minute/],
      ['-1 * * * *', /for the minute/],
      ['@daily', /has 1 fields instead of five/],
      ['0 0 6 * * *', /has 6 fields instead of five/],
      ['', /fields instead of five/],
    ];
    for (const [text, problem] of problems) assert.match(problemOf(text), problem, text);
  });

  it('refuses what is never due, or what programs read differently', () => {
    assert.match(problemOf('0 0 31 2,4,6 *'), /never due: no such month has a day 31/);
    assert.match(problemOf('0 0 30 feb *'), /never due/);
    assert.deepEqual(fieldsOf('0 0 29 2 *')[2], [29]);
    assert.match(problemOf('0 0 13 * fri'), /one of them must be \*/);
    for (const days of [
      'mon-sun',
      'sun-sun',
      'mon-7',
      'mon-07',
      '1-7',
      '3,01-07/1',
      'mon/2',
      '1,5/1',
    ]) {
      assert.match(problemOf(`0 0 * * ${days}`), /programs read differently: list the days/);
    }
  });

  it('refuses what croner knows and Temporal does not', () => {
    for (const text of ['0 0 L * *', '0 0 15W * *', '0 0 * * fri#2', '0 0 * * 5L', '0 0 ? * *']) {
      assert.match(problemOf(text), /for the day of/);
    }
    assert.match(problemOf('0 6 * *\uFEFF*'), /4 fields/);
    assert.match(problemOf('0 6 * * +mon'), /for the day of week/);
    assert.match(problemOf('/5 * * * *'), /for the minute/);
    assert.match(problemOf('*/70 * * * *'), /for the minute/);
  });

  it('gives every list of values back, and never throws', () => {
    const minutes = fc.uniqueArray(fc.integer({ min: 0, max: 59 }), { minLength: 1 });
    const hours = fc.uniqueArray(fc.integer({ min: 0, max: 23 }), { minLength: 1 });
    fc.assert(
      fc.property(minutes, hours, (minute, hour) => {
        const [minutesRead, hoursRead] = fieldsOf(`${minute.join(',')} ${hour.join(',')} * * *`);
        assert.deepEqual(
          minutesRead,
          minute.toSorted((a, b) => a - b),
        );
        assert.deepEqual(
          hoursRead,
          hour.toSorted((a, b) => a - b),
        );
      }),
    );
    fc.assert(
      fc.property(fc.string(), (text) => {
        readCron(text);
      }),
    );
  });
});
