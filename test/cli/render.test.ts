import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import fc from 'fast-check';
import { plainLines } from '../../src/cli/progress-view.ts';
import { errorObject, errorText } from '../../src/cli/render/error.ts';
import { progressLine, progressLines } from '../../src/cli/render/progress.ts';
import { resultText, type RunReport } from '../../src/cli/render/result.ts';
import { tableText } from '../../src/cli/render/table.ts';
import { bytesText, durationText } from '../../src/cli/render/units.ts';
import type { RunState, SourceState } from '../../src/cli/run-state.ts';
import { LonghaulError } from '../../src/model/errors.ts';

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

void test('a source that is tried again says why', () => {
  const source: SourceState = {
    id: 'a',
    stage: 'land',
    retrying: { attempt: 3, code: 'SOURCE_UNAVAILABLE', message: 'h answered 503.' },
  };
  assert.equal(
    progressLine('d', source),
    'd a: land, attempt 3 after SOURCE_UNAVAILABLE: h answered 503.',
  );
});

void test('bars never are wider than the terminal, whatever the numbers', () => {
  const number = fc.double({ min: 0, max: 1e15, noNaN: true });
  fc.assert(
    fc.property(number, number, fc.integer({ min: 1, max: 200 }), (bytes, rate, width) => {
      const source = landing(bytes);
      if (source.transfer) source.transfer.bytesPerSecond = rate;
      const lines = progressLines({ stage: 'sources', sources: [source] }, width);
      for (const line of lines) assert.ok(line.length <= width);
    }),
  );
});

void test('without a terminal a stage is told at once, its progress now and then', () => {
  const notes: string[] = [];
  let now = 0;
  const view = plainLines({ note: (text) => notes.push(text) }, 'd', () => now);
  const show = (source: SourceState, at: number): void => {
    now = at;
    view.show({ stage: 'sources', sources: [source] } satisfies RunState);
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
  const text = resultText(REPORT);
  assert.match(text, /published as revision 2 in 1\.5s; the ledger balances/);
  assert.match(text, /│ 2015 +│ converted +│ 8\.0 MiB │ +47,170 │ +47,170 │ +0 │/);
  assert.match(text, /2015 {2}raw +\/lake\/raw\/a\.csv/);
  assert.match(text, /2015 {2}parquet +\/lake\/converted\/source=2015\/ \(1 file, 1\.0 MiB\)/);
  assert.match(text, /longhaul show run-1/);
  assert.equal(text, stripVTControlCharacters(text));
});

void test('a second run of the day says that nothing was changed', () => {
  assert.match(resultText({ ...REPORT, status: 'already-published' }), /nothing was changed/);
});

void test('an error is its code, its message and what to do; JSON has the same', () => {
  const error = new LonghaulError('SOURCE_NOT_FOUND', 'h answered 404.', { source: '2019' });
  assert.equal(
    errorText(error),
    'SOURCE_NOT_FOUND (2019): h answered 404.\n→ Mend the address in datasets.yaml; publishers move files.',
  );
  assert.deepEqual(errorObject(error), {
    code: 'SOURCE_NOT_FOUND',
    message: 'h answered 404.',
    hint: 'Mend the address in datasets.yaml; publishers move files.',
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
      // Line breaks are ours.
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
