import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { statusText, statusOf } from '../../src/cli/commands/status.ts';
import { parseDatasets } from '../../src/config/load-datasets.ts';
import { asJson } from '../helpers/as-json.ts';
import { snapshotJson } from '../helpers/manifests.ts';
import { DiskStore } from '../../src/storage/disk-store.ts';

const HOUR_MS = 3_600_000;
const GRACE_MS = 3 * HOUR_MS;
const SOURCES = 'time_zone: America/Denver, sources: [{ id: a, address: "http://h/" }]';
const FILE = `schedule: { jitter: "0" }
datasets:
  daily: { ${SOURCES} }
  empty: { ${SOURCES} }
  paused: { ${SOURCES}, schedule: { paused: true } }
  by-hand: { ${SOURCES}, schedule: false }
`;

let folder: string;
let store: DiskStore;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'longhaul-test-'));
  store = new DiskStore(folder);
  // 06:00 in Denver is 13:00 UTC.
  await publish('daily', '2026-11-23', '2026-11-23T13:10:00Z');
  await publish('daily', '2026-11-24', '2026-11-24T13:10:00Z');
  await publish('paused', '2026-11-01', '2026-11-01T13:10:00Z');
});

after(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function publish(dataset: string, ingestDate: string, publishedAt: string): Promise<void> {
  const ledger = { records: 3, rows: 3, rejected: 0 };
  const key = `${dataset}/ingest_date=${ingestDate}/_manifest.json`;
  await store.putIfAbsent(key, snapshotJson({ dataset, ingestDate, publishedAt, ledger }));
}

async function statesAt(now: string, graceMs = GRACE_MS): Promise<Record<string, string>> {
  const file = parseDatasets(FILE, 'd.yaml');
  const all = await statusOf(file, store, { now: new Date(now), graceMs });
  return Object.fromEntries(all.map(({ dataset, state }) => [dataset, state]));
}

describe('longhaul status', () => {
  it('is late once what was due is not published after the grace', async () => {
    assert.equal((await statesAt('2026-11-24T20:00:00Z'))['daily'], 'fresh');
    // Today's run is due and may still be running.
    assert.equal((await statesAt('2026-11-25T15:59:00Z'))['daily'], 'fresh');
    assert.equal((await statesAt('2026-11-25T16:00:00Z'))['daily'], 'late');
    assert.equal((await statesAt('2026-11-25T13:00:00Z', 0))['daily'], 'late');
  });

  it('is late where nothing was ever published, never where nothing is due', async () => {
    assert.deepEqual(await statesAt('2026-11-24T20:00:00Z'), {
      ...{ daily: 'fresh', empty: 'late', paused: 'paused', 'by-hand': 'unscheduled' },
    });
  });

  it('is not fresh for a day that has not begun, and names it', async () => {
    await publish('daily', '2027-01-01', '2026-11-24T14:00:00Z');
    const states = await statesAt('2026-11-25T16:00:00Z');
    const file = parseDatasets(FILE, 'd.yaml');
    const all = await statusOf(file, store, { now: new Date('2026-11-25T16:00:00Z'), graceMs: 0 });
    await store.delete('daily/ingest_date=2027-01-01/_manifest.json');
    assert.equal(states['daily'], 'late');
    assert.equal(all[0]?.last?.ingestDate, '2026-11-24');
    assert.match(
      statusText(all),
      /\nNot counted, since the day is still to come: daily 2027-01-01\.$/,
    );
  });

  it('says age, rows and what is due, in one line a dataset', async () => {
    const file = parseDatasets(FILE, 'd.yaml');
    const now = new Date('2026-11-24T15:10:00Z');
    const all = await statusOf(file, store, { now, graceMs: GRACE_MS });
    assert.deepEqual(asJson(all[0]), {
      dataset: 'daily',
      timeZone: 'America/Denver',
      state: 'fresh',
      last: {
        ...{ ingestDate: '2026-11-24', revision: 1, publishedAt: '2026-11-24T13:10:00Z' },
        ...{ ageMs: 2 * HOUR_MS, rows: 3 },
      },
      due: { ingestDate: '2026-11-23', at: '2026-11-23T13:00:00.000Z' },
    });
    const text = statusText(all);
    assert.match(text, /daily +│ fresh +│ 2026-11-24 +│ +2h 00m │/);
    assert.match(text, /paused .* 23d 02h │/);
    assert.match(text, /\nLate: empty\.$/);
  });
});
