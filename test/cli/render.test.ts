import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import fc from 'fast-check';
import { plainLines, progressLine, progressLines } from '../../src/cli/progress.ts';
import { errorObject, errorText } from '../../src/cli/errors.ts';
import { resultText, type RunReport } from '../../src/cli/ledger.ts';
import { runsText, zoneOf } from '../../src/cli/commands/runs.ts';
import { statusText } from '../../src/cli/commands/status.ts';
import { tableText, durationText, momentText } from '../../src/cli/text.ts';
import { bytesText } from '../../src/model/texts.ts';
import type { RunState, SourceState } from '../../src/cli/run-state.ts';
import { LonghaulError } from '../../src/model/errors.ts';
import { asJson } from '../helpers/as-json.ts';

const MIB = 1024 * 1024;

function landing(bytes: number, more: Partial<SourceState> = {}): SourceState {
  const transfer = {
    source: '2019',
    stage: 'land' as const,
    bytes,
    totalBytes: 100 * MIB,
    bytesPerSecond: 10 * MIB,
    records: 1234,
  };
  return { id: '2019', stage: 'land', transfer, ...more };
}

void test('a source under way shows bytes, rate, time left and records', () => {
  assert.equal(
    progressLine('d', landing(25 * MIB)),
    'd 2019: land, 25%, 25.0 MiB of 100 MiB, 10.0 MiB/s, ETA 7.5s, 1,234 records',
  );
});

void test("a portal's table shows its share by records, since its bytes are not known before its end", () => {
  const transfer = {
    ...{ source: 'a', stage: 'land' as const, bytes: 25 * MIB, bytesPerSecond: 10 * MIB },
    ...{ records: 70_561, totalRecords: 282_244 },
  };
  const source: SourceState = { id: 'a', stage: 'land', transfer };
  const text = '25%, 25.0 MiB, 10.0 MiB/s, 70,561 of 282,244 records';
  assert.equal(progressLine('d', source), `d a: land, ${text}`);
  assert.match(
    progressLines({ stage: 'sources', sources: [source], waits: [] }, 120)[0] ?? '',
    /█/,
  );
});

void test('a source that is tried again says why, which try it is, and when the next one starts', () => {
  const wait = { text: 'h answered 503', attempt: 3, nextAttemptAtMs: 12_000 };
  const source: SourceState = { id: 'a', stage: 'land', wait };
  assert.equal(progressLine('d', source, 4000), 'd a: land, h answered 503, try 3, next in 8.0s');
  // The source waited for its next try before. Now the try is running.
  assert.equal(progressLine('d', source, 12_000), 'd a: land, h answered 503, try 3');
});

void test('what the whole run waits for is shown, and on a narrow terminal the try and the time stay', () => {
  const text =
    'S3 did not answer ListBucket of s3://my-lake (connect ECONNREFUSED 127.0.0.1:18998)';
  const wait = { text, attempt: 4, nextAttemptAtMs: 12_000 };
  const state: RunState = {
    stage: 'open',
    sources: [{ id: 'a', stage: 'waiting' }],
    waits: [wait],
  };
  assert.deepEqual(progressLines(state, 200, 4000), [
    'a  waiting  ',
    `open  ${text}, try 4, next in 8.0s`,
  ]);
  const [, narrow = ''] = progressLines(state, 60, 4000);
  assert.equal(narrow.length, 60);
  assert.match(narrow, /^open {2}S3 did not answer ListBucket.*…, try 4, next in 8\.0s$/);
  const silent = { text: 'no worker is free for openSnapshot', sinceMs: 1000 };
  assert.deepEqual(progressLines({ stage: 'open', sources: [], waits: [silent] }, 80, 13_000), [
    'open  no worker is free for openSnapshot, for 12s',
  ]);
});

void test('at 60 columns the bar shrinks, and speed and time left stay', () => {
  const at = (width: number): string =>
    progressLines({ stage: 'sources', sources: [landing(25 * MIB)], waits: [] }, width)[0] ?? '';
  assert.match(at(120), /\[█{6}░{18}\] {2}25% {2}25\.0 MiB of 100 MiB .* 1,234 records$/);
  assert.match(at(60), /^2019 {2}land {5}\[█+░+\] {2}25% {2}10\.0 MiB\/s {2}ETA 7\.5s$/);
  assert.match(at(66), /^2019 {2}land {5}\[█+░+\] {2}25% {2}10\.0 MiB\/s {2}ETA 7\.5s$/);
  assert.match(at(42), /^2019 {2}land {5}25% {2}10\.0 MiB\/s {2}ETA 7\.5s$/);
});

void test('bars never are wider than the terminal, whatever the numbers', () => {
  const number = fc.double({ min: 0, max: 1e15, noNaN: true });
  fc.assert(
    fc.property(number, number, fc.integer({ min: 1, max: 200 }), (bytes, rate, width) => {
      const source = landing(bytes);
      if (source.transfer) source.transfer.bytesPerSecond = rate;
      const lines = progressLines({ stage: 'sources', sources: [source], waits: [] }, width);
      for (const line of lines) assert.ok(line.length <= width);
    }),
  );
});

void test('without a terminal a stage is printed at once, its progress now and then', () => {
  const notes: string[] = [];
  let now = 0;
  const view = plainLines(
    (text) => notes.push(text),
    'd',
    () => now,
  );
  const show = (source: SourceState, at: number): void => {
    now = at;
    view.show({ stage: 'sources', sources: [source], waits: [] } satisfies RunState);
  };
  show({ id: '2019', stage: 'waiting' }, 0);
  show(landing(1 * MIB), 1000);
  show(landing(20 * MIB), 2000);
  show(landing(60 * MIB), 7000);
  show(landing(60 * MIB), 20_000);
  show({ id: '2019', stage: 'convert' }, 20_100);
  assert.deepEqual(
    notes.map(
      (line) => line.split(', ')[0] + (line.includes('%') ? ` ${line.split(', ')[1]}` : ''),
    ),
    ['d 2019: land 1%', 'd 2019: land 60%', 'd 2019: convert'],
  );
  for (const line of notes) assert.equal(line, stripVTControlCharacters(line));
});

void test('a program that is fetched is shown instead of a bar that stands still', () => {
  const source = landing(0);
  if (source.transfer)
    source.transfer.note = 'Fetching the Spark (once, about 450 MB): Python package';
  const [line] = progressLines({ stage: 'sources', sources: [source], waits: [] }, 120);
  assert.equal(line, '2019  land     Fetching the Spark (once, about 450 MB): Python package');
});

void test('without a terminal a wait is printed once for each try', () => {
  const notes: string[] = [];
  const view = plainLines((text) => notes.push(text), 'd');
  const show = (attempt: number, nextAttemptAtMs: number): void => {
    const sources: SourceState[] = [{ id: 'a', stage: 'waiting' }];
    view.show({
      stage: 'open',
      sources,
      waits: [{ text: 'S3 is away', attempt, nextAttemptAtMs }],
    });
  };
  show(2, Date.now() - 1);
  show(2, Date.now() - 500);
  show(3, Date.now() - 1);
  // Another activity waits for the same.
  show(2, Date.now() - 1);
  show(3, Date.now() - 1);
  assert.deepEqual(notes, ['d: S3 is away, try 2', 'd: S3 is away, try 3']);
});

const REPORT: RunReport = {
  dataset: 'denver-311',
  ingestDate: '2026-01-02',
  mode: 'ingest',
  status: 'published',
  revision: 2,
  runId: 'run-1',
  durationMs: 1500,
  ledger: { records: 47_170, rows: 47_170, rejected: 0, balanced: true },
  sources: [
    {
      id: '2015',
      url: 'http://h/',
      status: 'converted',
      bytes: 8 * MIB,
      records: 47_170,
      rows: 47_170,
      rejected: 0,
      checksum: 'crc32:0',
      raw: '/lake/raw/a.csv',
      parquet: [{ path: '/lake/converted/source=2015/part-00000.parquet', rows: 1, bytes: MIB }],
    },
  ],
};

void test('the end of a run shows the ledger, the revision and where the files lie', () => {
  const text = resultText(REPORT, '');
  assert.match(text, /published as revision 2 in 1\.5s; the ledger balances/);
  assert.match(text, /│ 2015 +│ converted +│ 8\.0 MiB │ +47,170 │ +47,170 │ +0 │/);
  assert.match(text, /2015 {2}raw +\/lake\/raw\/a\.csv/);
  assert.match(text, /2015 {2}parquet +\/lake\/converted\/source=2015\/ \(1 file, 1\.0 MiB\)/);
  assert.match(text, /longhaul show run-1/);
  assert.equal(text, stripVTControlCharacters(text));
});

void test('what to do next goes to the same lake', () => {
  const text = (flag: string): string => resultText({ ...REPORT, status: 'landed' }, flag);
  assert.match(text(' --lake s3://b'), /convert denver-311 --date 2026-01-02 --lake s3:\/\/b$/);
  assert.match(text(''), /longhaul convert denver-311 --date 2026-01-02$/);
});

void test('a second run of the day says that nothing was changed', () => {
  assert.match(resultText({ ...REPORT, status: 'already-published' }, ''), /nothing was changed/);
});

void test('a result names the cluster that may still cost, and what ends it', () => {
  const emr = { clusterId: 'j-1', instanceHours: 1, output: 'both' as const };
  assert.doesNotMatch(resultText({ ...REPORT, emr }, ''), /may still be there/);
  const left = resultText({ ...REPORT, emr: { ...emr, clusterLeft: 'j-1' } }, ' --lake s3://b/l');
  assert.match(
    left,
    /The cluster j-1 may still be there, and cost: longhaul sweep --lake s3:..b.l/,
  );
});

void test('an error is its code, its message and what to do; JSON has the same', () => {
  const error = new LonghaulError('SOURCE_NOT_FOUND', 'h answered 404.', { source: '2019' });
  assert.equal(
    errorText(error),
    'SOURCE_NOT_FOUND (2019): h answered 404.\n→ Fix the address in datasets.yaml; publishers move files.',
  );
  assert.deepEqual(asJson(errorObject(error)), {
    code: 'SOURCE_NOT_FOUND',
    message: 'h answered 404.',
    hint: 'Fix the address in datasets.yaml; publishers move files.',
    retryable: false,
    source: '2019',
  });
});

void test('whatever text comes, the terminal gets no control character', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const all = [
        errorText(new LonghaulError('SOURCE_NOT_FOUND', text)),
        tableText([text], [[text]]),
        progressLine('d', { id: text, stage: 'land' }),
      ].join('\n');
      // Only the renderer adds line breaks.
      assert.ok(!/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/.test(all));
    }),
  );
});

void test('sizes and times read well', () => {
  assert.deepEqual([0, 812, 1536, 8_329_092, 1.16e9].map(bytesText), [
    '0 B',
    '812 B',
    '1.5 KiB',
    '7.9 MiB',
    '1.1 GiB',
  ]);
  assert.deepEqual([0, 420, 12_000, 125_000, 11_220_000].map(durationText), [
    '0.0s',
    '0.4s',
    '12s',
    '2m 05s',
    '3h 07m',
  ]);
});

void test('a moment is shown as the clocks of its zone have it', () => {
  const moment = new Date('2026-11-01T07:30:00Z');
  assert.equal(momentText(moment, 'UTC'), '2026-11-01 07:30:00 +00:00');
  assert.equal(momentText(moment, 'America/Denver'), '2026-11-01 01:30:00 -06:00');
  const anHourLater = new Date('2026-11-01T08:30:00Z');
  assert.equal(momentText(anHourLater, 'America/Denver'), '2026-11-01 01:30:00 -07:00');
  assert.equal(momentText(moment, 'Asia/Kathmandu'), '2026-11-01 13:15:00 +05:45');
});

void test('times of runs and schedules are in the zone of their dataset', () => {
  const spec = (name: string, timeZone: string) => ({ name, timeZone, sources: [] });
  const datasets = [spec('trees', 'Asia/Tokyo'), spec('trees-old', 'America/Denver')];
  assert.equal(zoneOf(datasets, 'trees'), 'Asia/Tokyo');
  assert.equal(zoneOf(datasets, 'ingest/trees/2026-11-01'), 'Asia/Tokyo');
  assert.equal(zoneOf(datasets, 'scheduled/trees-old-2026-11-01T13:00:00Z'), 'America/Denver');
  const run = { runId: 'r', status: 'COMPLETED', startedAt: '2026-11-01T13:00:00.000Z' };
  const runs = [{ ...run, workflowId: 'ingest/trees/2026-11-01', durationMs: undefined }];
  assert.match(runsText(runs, datasets), /2026-11-01 22:00:00 \+09:00/);
  const due = { ingestDate: '2026-11-01', at: '2026-11-01T13:00:00.000Z' };
  const status = { dataset: 'trees', timeZone: 'Asia/Tokyo', state: 'late', due } as const;
  assert.match(statusText([status]), /2026-11-01 22:00:00 \+09:00/);
});
