import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { FILE_RECORDS, startDenverHub, type DenverHub } from '../helpers/denver-hub.ts';
import { startLab, type Lab } from '../helpers/lab.ts';
import { arcgisOfFile, featuresOf, layerOf } from '../helpers/portal.ts';

/** Records of a layer: two full pages and a part of a third one. */
const RECORDS = 4200;
const DATASETS = ['denver-311', 'denver-traffic-accidents', 'denver-crime'] as const;

interface Run {
  dataset: string;
  status: string;
  ledger: { records: number; rows: number; balanced: boolean };
  sources: { id: string; status: string }[];
}
type Row = Record<string, unknown>;

const portal = arcgisOfFile();
let denver: DenverHub;
let lab: Lab & { close(): Promise<void> };
before(async () => {
  denver = await startDenverHub({ records: RECORDS });
  lab = await startLab({});
});
after(async () => {
  await lab.close();
  await denver.close();
});

async function ingest(date: string): Promise<Map<string, Run>> {
  const { runs } = await ingested<{ runs: Run[] }>(date, DATASETS);
  return new Map(runs.map((run) => [run.dataset, run]));
}

async function ingested<T>(date: string, datasets: readonly string[]): Promise<T> {
  const args = ['ingest', ...datasets, '--date', date, '--as-if'];
  const { json, code, stdout, stderr } = await lab.json<T>(args);
  assert.equal(code, 0, stdout + stderr);
  return json;
}

async function query(sql: string): Promise<Row[]> {
  const { code, stdout, stderr } = await lab.run(['query', sql, '--format', 'json']);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout) as Row[];
}

async function typesOf(view: string): Promise<Row> {
  const columns = await query(`DESCRIBE ${view}`);
  return Object.fromEntries(columns.map((each) => [each['column_name'], each['column_type']]));
}

/** Counts requests for pages of records. Requests for a layer's description do not count. */
function pagesAsked(): number {
  const asked = [...denver.layers.values()].flatMap(({ requests }) => requests);
  return asked.filter(
    ({ kind, form }) => kind === 'page' && form.get('orderByFields')?.endsWith(' ASC'),
  ).length;
}

describe("the pages of Denver's Hub", () => {
  it('become datasets with one command each, and rows with the next', async () => {
    await lab.datasets({
      'denver-311': {
        2023: { address: denver.page('denver-311/2023'), geometry: 'none' },
        2024: { address: denver.page('denver-311/2024'), geometry: 'none' },
      },
    });
    for (const [name, page] of [
      ['denver-traffic-accidents', denver.page('denver-traffic-accidents/all')],
      ['denver-crime', denver.page('denver-crime/all')],
    ] as const) {
      const added = await lab.run(['add', page, '--name', name, '--geometry', 'none']);
      assert.equal(added.code, 0, added.stderr);
    }
    const runs = await ingest('2026-11-01');
    for (const dataset of DATASETS) {
      const { status, ledger } = runs.get(dataset) ?? {};
      assert.equal(status, 'published');
      const records = RECORDS + (dataset === 'denver-311' ? FILE_RECORDS : 0);
      assert.deepEqual([ledger?.records, ledger?.rows, ledger?.balanced], [records, records, true]);
    }
    assert.deepEqual(
      await query('SELECT source, count(*) AS n FROM denver_311 GROUP BY ALL ORDER BY source'),
      [
        { source: '2023', n: RECORDS },
        { source: '2024', n: FILE_RECORDS },
      ],
    );
  });

  it('have dates as timestamps, ids with every digit, blanks as they were sent, and no geometry', async () => {
    const accidents = await typesOf('denver_traffic_accidents');
    assert.equal(Object.keys(accidents).length, 49);
    assert.equal(accidents['reported_date'], 'TIMESTAMP');
    assert.equal(accidents['last_occurrence_date'], 'TIMESTAMP');
    assert.equal(accidents['geo_lon'], 'DOUBLE');
    assert.equal(accidents['bicycle_ind'], 'BIGINT');
    assert.equal((await typesOf('denver_crime'))['first_occurrence_date'], 'TIMESTAMP');
    const [first] = await query(
      `SELECT CAST(incident_id AS VARCHAR) AS incident, CAST(offense_id AS VARCHAR) AS offense,
         CAST(reported_date AS VARCHAR) AS reported, length(top_traffic_accident_offense) AS width
       FROM denver_traffic_accidents ORDER BY object_id LIMIT 1`,
    );
    assert.deepEqual(first, {
      incident: '2023800000000',
      offense: '2023800000000544100',
      reported: '2023-01-01 07:30:00',
      width: 30,
    });
  });

  it('cost no page on a day without a change', async () => {
    const before = pagesAsked();
    assert.ok(before > 0);
    const runs = await ingest('2026-11-02');
    for (const dataset of DATASETS)
      assert.ok(
        runs.get(dataset)?.sources.every(({ status }) => status === 'unchanged'),
        dataset,
      );
    assert.equal(pagesAsked(), before);
  });

  it('are read again when the city has filled a table anew, and that table alone', async () => {
    denver.reload('denver-traffic-accidents/all', 100);
    const runs = await ingest('2026-11-03');
    assert.equal(runs.get('denver-traffic-accidents')?.ledger.rows, RECORDS + 100);
    assert.ok(runs.get('denver-crime')?.sources.every(({ status }) => status === 'unchanged'));
    assert.deepEqual(
      await query(
        `SELECT strftime(ingest_date, '%d') AS day, count(*) AS n, count(DISTINCT incident_id) AS incidents
         FROM denver_traffic_accidents_history GROUP BY ALL ORDER BY day`,
      ),
      [
        { day: '01', n: RECORDS, incidents: RECORDS },
        { day: '02', n: RECORDS, incidents: RECORDS },
        { day: '03', n: RECORDS + 100, incidents: RECORDS + 100 },
      ],
    );
  });
});

it('a table that says nothing of its edits is read each day, and is unchanged by its bytes', async () => {
  const records = 4500;
  const layer = layerOf(
    featuresOf(records, (id) => ({ OBJECTID: id, name: id % 9 === 0 ? '' : `n${id}` })),
    undefined,
    { editingInfo: undefined },
  );
  const pages = (): number => layer.requests.filter(({ kind }) => kind === 'page').length;
  await lab.datasets({ demo: { all: portal.serve(layer) } });
  const first = await ingested<Run>('2026-11-01', ['demo']);
  assert.equal(first.status, 'published');
  assert.deepEqual(
    [first.ledger.records, first.ledger.rows, first.ledger.balanced],
    [records, records, true],
  );
  const before = pages();
  assert.equal((await ingested<Run>('2026-11-02', ['demo'])).status, 'unchanged');
  assert.ok(pages() >= before + records / 2000, 'it was read again');
  const raw = (await lab.lakeFiles('demo')).filter((file) => file.endsWith('all.csv'));
  assert.deepEqual(raw.length, 1, 'the same bytes are kept once');
  const entries = (await lab.published('demo')).flatMap(({ sources }) => sources);
  for (const { portal: table, validator } of entries) {
    assert.deepEqual(validator, {});
    assert.equal(table?.objectIdColumn, 'OBJECTID');
    assert.deepEqual(table.emptyTexts, { name: records / 9 });
  }
  assert.equal(entries.length, 2);
});
