import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { basename, extname, join, resolve } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { IngestResult } from '../../src/model/run.ts';
import { startLab, withLab, type Lab } from '../helpers/lab.ts';
import type { Route } from '../helpers/origin.ts';

const SAMPLES = resolve('../shared/data');
const skip = existsSync(SAMPLES)
  ? false
  : 'the real Denver samples (../shared/data) are not on this machine';

interface Run {
  dataset: string;
  ingestDate: string;
  status: string;
  revision: number;
  runId: string;
  sources: Source[];
  ledger: { records: number; rows: number; rejected: number; balanced: boolean };
  durationMs: number;
}

interface Failure {
  error: { code: string; message: string; source?: string };
}

interface Source {
  id: string;
  url: string;
  status: string;
  bytes: number;
  records: number;
  rows: number;
  rejected: number;
  checksum: string;
  raw: string;
  parquet: { path: string; rows: number; bytes: number }[];
}

async function query(lab: Lab, sql: string): Promise<Record<string, unknown>[]> {
  const { code, stdout, stderr } = await lab.run(['query', sql, '--format', 'json']);
  assert.equal(code, 0, stderr + stdout);
  return JSON.parse(stdout) as Record<string, unknown>[];
}

function csv(rows: number, header = 'id,Name,When'): string {
  const lines = Array.from(
    { length: rows },
    (_, n) => `${n},name ${n},${(n % 12) + 1}/${(n % 28) + 1}/2023`,
  );
  return `${[header, ...lines].join('\r\n')}\r\n`;
}

describe('the real Denver samples', { skip }, () => {
  it('come out with every record, Windows-1252 text right and every digit of the ids', async () => {
    const names = ['311_service_data_2015.csv', 'traffic_accidents_2014.csv', 'crime.csv'];
    const routes = Object.fromEntries(
      names.map((name) => [`/${name}`, { body: { file: join(SAMPLES, name) }, etag: `"${name}"` }]),
    );
    await withLab({ routes }, async (lab) => {
      const [service, accidents, crime] = names.map((name) => lab.origin.address(`/${name}`));
      await lab.datasets({
        'denver-311': { 2015: service ?? '' },
        'denver-traffic-accidents': { all: accidents ?? '' },
        'denver-crime': { all: crime ?? '' },
      });
      const { json, code } = await lab.json<{ runs: Run[] }>([
        'ingest',
        'denver-311',
        'denver-traffic-accidents',
        'denver-crime',
      ]);
      assert.equal(code, 0);
      assert.deepEqual(
        json.runs.map((run) => [run.dataset, run.status, run.ledger]),
        [
          [
            'denver-311',
            'published',
            { records: 47_170, rows: 47_170, rejected: 0, balanced: true },
          ],
          [
            'denver-traffic-accidents',
            'published',
            { records: 4171, rows: 4171, rejected: 0, balanced: true },
          ],
          [
            'denver-crime',
            'published',
            { records: 49_089, rows: 49_089, rejected: 0, balanced: true },
          ],
        ],
      );
      for (const run of json.runs) {
        for (const source of run.sources) {
          assert.deepEqual(
            await readFile(source.raw),
            await readFile(join(SAMPLES, basename(source.raw))),
          );
        }
      }
      const [letters] = await query(
        lab,
        "SELECT count(*) AS n FROM denver_311 WHERE case_summary LIKE '%Æ%'",
      );
      assert.ok(Number(letters?.['n']) > 0, 'byte C6 is Æ');
      const [id] = await query(
        lab,
        "SELECT count(*) AS n, max(length(offense_id)) AS digits, count(*) FILTER (offense_id = '20186000994239900') AS known FROM denver_crime",
      );
      assert.deepEqual(id, { n: 49_089, digits: 19, known: 1 });
    });
  });

  it('come out the same from both engines', async () => {
    const name = 'traffic_accidents_2014.csv';
    const routes = { '/a.csv': { body: { file: join(SAMPLES, name) }, etag: '"1"' } };
    await withLab({ routes }, async (lab) => {
      const address = lab.origin.address('/a.csv');
      await lab.datasets({ accidents: { a: address } });
      const first = await lab.json<Run>(['ingest', 'accidents', '--date', '2026-11-22', '--as-if']);
      const second = await lab.json<Run>([
        'ingest',
        'accidents',
        '--date',
        '2026-11-23',
        '--as-if',
        '--engine',
        'parquetjs',
      ]);
      assert.deepEqual([first.json.ledger.rows, second.json.ledger.rows], [4171, 4171]);
      const days = ['2026-11-22', '2026-11-23'].map(
        (day) =>
          `(SELECT * EXCLUDE (ingest_date) FROM accidents_history WHERE ingest_date = '${day}')`,
      );
      const [difference] = await query(
        lab,
        `SELECT (SELECT count(*) FROM (${days.join(' EXCEPT ALL ')})) AS ab, (SELECT count(*) FROM (${days.toReversed().join(' EXCEPT ALL ')})) AS ba`,
      );
      assert.deepEqual(difference, { ab: 0, ba: 0 });
    });
  });
});

describe('a day', () => {
  let lab: Awaited<ReturnType<typeof startLab>>;

  before(async () => {
    lab = await startLab();
  });

  after(async () => {
    await lab.close();
  });

  /** Serves these files and makes them the sources of a dataset, each by its id. */
  async function serve(name: string, files: Record<string, Route>): Promise<void> {
    const sources: Record<string, string> = {};
    for (const [id, route] of Object.entries(files)) {
      lab.origin.set(`/${name}/${id}.csv`, route);
      sources[id] = lab.origin.address(`/${name}/${id}.csv`);
    }
    await lab.datasets({ [name]: sources });
  }

  async function ingest<T = Run>(name: string, day: string, ...flags: string[]) {
    return await lab.json<T>(['ingest', name, '--date', day, '--as-if', ...flags]);
  }

  it('is published once: a second run finds it, says so and changes nothing; --again publishes a revision beside it', async () => {
    await serve('once', { a: { body: csv(100), etag: '"1"' } });
    const first = await ingest('once', '2026-11-23');
    assert.equal(first.json.status, 'published');
    assert.ok(first.json.durationMs > 0 && first.json.runId.length > 0);
    const files = await lab.lakeFiles('once');
    const of = (zone: string): string[] =>
      files.filter((file) => file.startsWith(`takehome-${zone}/once/ingest_date=2026-11-23/`));
    assert.ok(of('raw').some((file) => file.endsWith('/source=a/a.csv')));
    assert.ok(of('converted').some((file) => file.endsWith('=2026-11-23/_manifest.json')));
    const part = /\/source=a\/part-[\da-f]{8}-[\da-f]{8}-00000\.parquet$/;
    assert.equal(of('converted').filter((file) => part.test(file)).length, 1);
    assert.doesNotMatch(files.join('\n'), /_staging|\.partial/);

    const second = await ingest('once', '2026-11-23');
    assert.deepEqual([second.code, second.json.status], [0, 'already-published']);
    assert.deepEqual(await lab.lakeFiles('once'), files);

    const again = await ingest('once', '2026-11-23', '--again');
    assert.deepEqual([again.json.status, again.json.revision], ['published', 2]);
    const after = new Set(await lab.lakeFiles('once'));
    assert.deepEqual(
      files.filter((file) => !after.has(file)),
      [],
    );
    assert.equal((await query(lab, 'SELECT count(*) AS n FROM once'))[0]?.['n'], 100);
    assert.equal((await query(lab, 'SELECT count(*) AS n FROM once_history'))[0]?.['n'], 100);
  });

  it('is verified as it is stored, and a changed byte and a missing file are found', async () => {
    await serve('stored', { a: { body: csv(1000), etag: '"1"' } });
    const { json } = await ingest('stored', '2026-11-23');
    assert.equal((await lab.run(['verify', 'stored'])).code, 0);
    const { raw = '' } = json.sources[0] ?? {};
    const bytes = await readFile(raw);
    bytes[20] = bytes[20] === 0x31 ? 0x32 : 0x31;
    await writeFile(raw, bytes);
    const broken = await lab.json<{ verified: boolean }>(['verify', 'stored']);
    assert.deepEqual([broken.code, broken.json.verified], [6, false]);
    await rm(raw);
    assert.equal((await lab.run(['verify', 'stored'])).code, 6);
  });

  it('holds what there is today under a past day only with --as-if; its retry goes on without', async () => {
    const route = { body: csv(3), etag: '"1"' };
    lab.origin.set('/past/a.csv', route);
    lab.origin.set('/past/b.csv', { status: 404 });
    lab.origin.set('/past/2026-11-23.csv', route);
    await lab.datasets({
      past: { a: lab.origin.address('/past/a.csv'), b: lab.origin.address('/past/b.csv') },
      dated: { a: lab.origin.address('/past/{date}.csv') },
    });
    for (const command of ['ingest', 'land']) {
      const refused = await lab.json<Failure>([command, 'past', '--date', '2026-11-23']);
      assert.deepEqual([refused.code, refused.json.error.code], [2, 'BACKFILL_REFUSED']);
      assert.match(refused.json.error.message, /sources a, b have today's version only/);
      // A retry cannot go on with a run that was refused, so it starts again and is refused, too.
      const again = await lab.json<Failure>(['retry', 'past/2026-11-23']);
      assert.equal(again.json.error.code, 'BACKFILL_REFUSED');
    }
    assert.equal(lab.origin.requestsTo('/past/a.csv').length, 0);
    const meant = ['ingest', 'past', '--date', '2026-11-23', '--as-if'];
    assert.equal((await lab.json<Failure>(meant)).json.error.code, 'SOURCE_NOT_FOUND');
    lab.origin.set('/past/b.csv', route);
    const retried = await lab.json<Run>(['retry', 'past/2026-11-23']);
    assert.deepEqual([retried.json.status, retried.json.ledger.rows], ['published', 6]);
    const dated = await lab.json<Run>(['ingest', 'dated', '--date', '2026-11-23']);
    assert.equal(dated.json.status, 'published');
  });

  it('costs only what changed: an unchanged source is neither landed nor converted again', async () => {
    await serve('changes', {
      a: { body: csv(100), etag: '"1"' },
      b: { body: csv(50) },
      c: { body: csv(10), etag: '"1"' },
    });
    await ingest('changes', '2026-11-22');
    lab.origin.set('/changes/c.csv', { body: csv(20), etag: '"2"' });
    const { json } = await ingest('changes', '2026-11-23');
    assert.deepEqual(
      json.sources.map((source) => [source.id, source.status, source.rows]),
      [
        ['a', 'unchanged', 100],
        ['b', 'unchanged', 50],
        ['c', 'converted', 20],
      ],
    );
    const ofTheDay = (await lab.lakeFiles('changes')).filter(
      (file) => file.includes('2026-11-23') && /csv$|parquet$/.test(file),
    );
    assert.deepEqual(ofTheDay.map((file) => extname(file)).toSorted(), ['.csv', '.parquet']);
    assert.ok(ofTheDay.every((file) => file.includes('/source=c/')));
    assert.equal((await query(lab, 'SELECT count(*) AS n FROM changes'))[0]?.['n'], 170);
    assert.equal((await query(lab, 'SELECT count(*) AS n FROM changes_history'))[0]?.['n'], 330);
    assert.equal((await ingest('changes', '2026-11-24')).json.status, 'unchanged');
  });

  /** A dataset whose columns may change only as `schema` of datasets.yaml says, with its first day. */
  async function withSchema(name: string, schema: string): Promise<void> {
    await serve(name, { a: { body: 'a,b\n1,x\n', etag: '"1"' } });
    const sources = `[{ id: a, address: "${lab.origin.address(`/${name}/a.csv`)}" }]`;
    const yaml = `datasets: { ${name}: { schema: ${schema}, sources: ${sources} } }\n`;
    await writeFile(join(lab.folder, 'datasets.yaml'), yaml);
    assert.equal((await ingest(name, '2026-11-22')).code, 0);
  }

  it('whose columns would change is held where they are frozen, until --accept', async () => {
    await withSchema('frozen', 'freeze');
    // The table's types can hold the new values, so nothing changes.
    lab.origin.set('/frozen/a.csv', { body: 'b,a\n7,2\n', etag: '"2"' });
    assert.equal((await ingest('frozen', '2026-11-23')).code, 0);
    lab.origin.set('/frozen/a.csv', { body: 'a,c\n1.5,x\n', etag: '"3"' });
    const held = await ingest<Failure>('frozen', '2026-11-24');
    assert.deepEqual([held.code, held.json.error.code], [8, 'SCHEMA_CHANGED']);
    assert.match(held.json.error.message, /b dropped, a BIGINT → DOUBLE, c added/);
    assert.equal((await lab.published('frozen')).length, 2);
    const { json } = await ingest<IngestResult>('frozen', '2026-11-24', '--accept');
    assert.ok(json.table && 'tag' in json.table);
    assert.equal(json.table.schemaChanges.length, 3);
  });

  it('whose columns change is published where they are reported, and the exit code says it', async () => {
    await withSchema('reported', 'report');
    lab.origin.set('/reported/a.csv', { body: 'a,b,c\n1,x,2\n', etag: '"2"' });
    const changed = await ingest('reported', '2026-11-23');
    assert.deepEqual([changed.code, changed.json.status], [8, 'published']);
    assert.equal((await lab.published('reported')).length, 2);
    lab.origin.set('/reported/a.csv', { body: 'a,b,c\n2,x,2\n', etag: '"3"' });
    assert.equal((await ingest('reported', '2026-11-24')).code, 0);
  });

  it('that shrank to under half is held, not published, until --accept', async () => {
    await serve('shrinks', { a: { body: csv(100), etag: '"1"' } });
    await ingest('shrinks', '2026-11-22');
    lab.origin.set('/shrinks/a.csv', { body: csv(49), etag: '"2"' });
    const held = await ingest<Failure>('shrinks', '2026-11-23');
    assert.deepEqual([held.code, held.json.error.code], [8, 'SNAPSHOT_SHRUNK']);
    assert.equal((await lab.published('shrinks')).length, 1);
    const accepted = await ingest('shrinks', '2026-11-23', '--accept');
    assert.equal(accepted.json.ledger.rows, 49);
  });

  it('whose sources are not all there is not published; retry repeats only what failed', async () => {
    await serve('incomplete', { a: { body: csv(100), etag: '"1"' }, b: { status: 404 } });
    const failed = await lab.json<Failure>(['ingest', 'incomplete']);
    assert.equal(failed.code, 4);
    assert.deepEqual([failed.json.error.code, failed.json.error.source], ['SOURCE_NOT_FOUND', 'b']);
    assert.deepEqual(await lab.published('incomplete'), []);
    const asked = lab.origin.requestsTo('/incomplete/a.csv').length;
    lab.origin.set('/incomplete/b.csv', { body: csv(5) });
    const { stdout } = await lab.run(['runs']);
    const runId = /ingest\/incomplete\/\d{4}-\d{2}-\d{2}/.exec(stdout)?.[0] ?? '';
    const retried = await lab.json<Run>(['retry', runId]);
    assert.equal(retried.json.ledger.rows, 105);
    assert.equal(lab.origin.requestsTo('/incomplete/a.csv').length, asked);
  });

  it('lists an optional source that is missing, and is published without it', async () => {
    await serve('optional', { a: { body: csv(100) } });
    const [a, b] = ['a', 'b'].map((id) => lab.origin.address(`/optional/${id}.csv`));
    await lab.datasets({ optional: { a: a ?? '', b: { address: b ?? '', optional: true } } });
    const { json } = await lab.json<Run>(['ingest', 'optional']);
    assert.deepEqual(
      json.sources.map((source) => source.status),
      ['converted', 'missing'],
    );
    const [manifest] = await lab.published('optional');
    assert.equal(manifest?.sources[1]?.status, 'missing');
  });

  it('can be done in two halves', async () => {
    await serve('halves', { a: { body: csv(100), etag: '"1"' } });
    const convert = ['convert', 'halves', '--date', '2026-11-23'];
    assert.equal((await lab.json<Failure>(convert)).json.error.code, 'NOT_LANDED');
    const landed = await lab.json<Run>(['land', 'halves', '--date', '2026-11-23', '--as-if']);
    assert.deepEqual([landed.code, landed.json.status], [0, 'landed']);
    assert.deepEqual(await lab.published('halves'), []);
    const asked = lab.origin.requests.length;
    const converted = await lab.json<Run>(convert);
    assert.deepEqual([converted.json.status, converted.json.ledger.rows], ['published', 100]);
    assert.equal(lab.origin.requests.length, asked);
    const again = await lab.json<Run>([...convert, '--again']);
    assert.deepEqual([again.json.status, again.json.revision], ['published', 2]);
  });

  it('of a plain URL needs no entry in datasets.yaml', async () => {
    await serve('other', { a: { body: csv(1) } });
    lab.origin.set('/plain/a.csv', { body: csv(7) });
    const address = lab.origin.address('/plain/a.csv');
    const { json } = await lab.json<Run>(['ingest', address, '--name', 'adhoc']);
    assert.deepEqual([json.dataset, json.ledger.rows], ['adhoc', 7]);
    assert.equal((await query(lab, 'SELECT count(*) AS n FROM adhoc'))[0]?.['n'], 7);
  });

  it('is one run for two that ask at once', async () => {
    let release = (): void => undefined;
    const held = new Promise<void>((resolvePause) => {
      release = resolvePause;
    });
    const body = csv(50_000);
    const routes = {
      '/a.csv': { body, etag: '"1"', pauseAfterBytes: { bytes: 1_100_000, until: held } },
    };
    await withLab({ routes, env: { HTTP_STALL_TIMEOUT_SECONDS: '60' } }, async (lab) => {
      await lab.datasets({ things: { a: lab.origin.address('/a.csv') } });
      const both = [1, 2].map(() => lab.start(['ingest', 'things', '--json']));
      await Promise.all(both.map(async (each) => await each.says(/ingest\/things/)));
      release();
      const outcomes = await Promise.all(both.map(async (each) => await each.ended));
      const [one, two] = outcomes.map((outcome) => JSON.parse(outcome.stdout) as Run);
      assert.deepEqual([one?.status, two?.status], ['published', 'published']);
      assert.equal(one?.runId, two?.runId);
      assert.equal((await lab.published()).length, 1);
    });
  });
});
