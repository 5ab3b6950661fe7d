import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sweepText } from '../../src/cli/commands/sweep.ts';
import type { SweepResult, SweptItem } from '../../src/model/sweep.ts';
import { workplace } from './fake-context.ts';

const place = workplace();

const HOUR_MS = 3_600_000;
const NOTHING: SweepResult = {
  olderThanMs: 24 * HOUR_MS,
  dryRun: false,
  items: [],
  count: 0,
  bytes: 0,
  totals: [],
  younger: 0,
};
const UPLOAD: SweptItem = {
  kind: 'upload',
  zone: 'raw',
  key: 'denver-311/ingest_date=2026-11-20/source=2015/x.csv',
  ageMs: 30 * HOUR_MS,
  bytes: 3 * 1024 * 1024,
  outcome: 'removed',
};

test('nothing to sweep is one line', () => {
  assert.equal(sweepText(NOTHING), 'Removed nothing.');
  assert.equal(
    sweepText({ ...NOTHING, dryRun: true, younger: 2 }),
    'Dry run, nothing was removed: nothing would go; 2 younger than 24h 00m.',
  );
});

test('a line an item, what is not shown, and one line for all', () => {
  const { kind, bytes } = UPLOAD;
  const text = sweepText({
    ...NOTHING,
    items: [UPLOAD],
    count: 1201,
    totals: [
      { kind, outcome: 'removed', count: 1200, bytes: 1200 * bytes },
      { kind: 'staging', outcome: 'kept-live', count: 1, bytes: 512 },
    ],
  });
  assert.match(text, /│ upload │ 30h 00m │ 3\.0 MiB │ denver-311\/\S+x\.csv │ removed │/);
  assert.match(text, /^… and 1,200 more\.$/m);
  assert.match(text, /^Removed 1,200 items, 3\.5 GiB; kept 1 item, 512 B of runs under way\.$/m);
});

for (const age of ['1s', '0h', '-1', 'soon', '']) {
  test(`--older-than ${JSON.stringify(age)} is an error of usage, and sweeps nothing`, async () => {
    const { exitCode, stderr } = await place.run('sweep', '--older-than', age);
    assert.equal(exitCode, 2);
    assert.match(stderr, /^USAGE: .*minutes, hours or days/);
  });
}
