import { GetObjectCommand } from '@aws-sdk/client-s3';
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { describe, it } from 'node:test';
import type { Lab } from '../helpers/lab.ts';
import type { Answer } from '../helpers/origin.ts';
import type { TestS3 } from '../helpers/s3.ts';
import { bucketContents, withS3Lab } from '../helpers/s3-lab.ts';

const SAMPLES = resolve('../shared/data');
const skip = existsSync(SAMPLES)
  ? false
  : 'the real Denver samples (../shared/data) are not on this machine';

interface Run {
  status: string;
  revision: number;
  ledger: { records: number; rows: number; rejected: number; balanced: boolean };
  sources: { id: string; status: string; raw: string; parquet: { path: string; rows: number }[] }[];
}

interface Failure {
  error: { code: string; message: string; hint: string };
}

async function query(lab: Lab, sql: string): Promise<Record<string, unknown>[]> {
  const { code, stdout, stderr } = await lab.run(['query', sql, '--format', 'json']);
  assert.equal(code, 0, stderr + stdout);
  return JSON.parse(stdout) as Record<string, unknown>[];
}

async function readUri(s3: TestS3, uri: string): Promise<Buffer> {
  const prefix = `s3://${s3.bucket}/`;
  assert.ok(uri.startsWith(prefix), uri);
  const Key = uri.slice(prefix.length);
  const { Body } = await s3.client.send(new GetObjectCommand({ Bucket: s3.bucket, Key }));
  return Buffer.from((await Body?.transformToByteArray()) ?? []);
}

const CSV = `id,text,when\r\n${Array.from({ length: 500 }, (_, n) => `${n},"line ${n}\nmore",${(n % 12) + 1}/2/2023`).join('\r\n')}\r\n`;
const NEXT_CSV = `${CSV}500,last,1/2/2023\r\n`;

describe('a lake in S3', () => {
  it('holds the real Denver samples: bytes, rows, letters and digits', { skip }, async () => {
    const names = ['311_service_data_2015.csv', 'traffic_accidents_2014.csv', 'crime.csv'];
    const routes = Object.fromEntries(
      names.map((name) => [`/${name}`, { body: { file: join(SAMPLES, name) }, etag: `"${name}"` }]),
    );
    await withS3Lab({ routes }, async (lab, s3) => {
      const [service, accidents, crime] = names.map((name) => lab.origin.address(`/${name}`));
      await lab.datasets({
        'denver-311': { 2015: service ?? '' },
        'denver-traffic-accidents': { all: accidents ?? '' },
        'denver-crime': { all: crime ?? '' },
      });
      const datasets = ['denver-311', 'denver-traffic-accidents', 'denver-crime'];
      const { json, code, stderr } = await lab.json<{ runs: Run[] }>(['ingest', ...datasets]);
      assert.equal(code, 0, stderr);
      assert.deepEqual(
        json.runs.map(({ status, ledger }) => [status, ledger.rows, ledger.balanced]),
        [
          ['published', 47_170, true],
          ['published', 4171, true],
          ['published', 49_089, true],
        ],
      );
      for (const { sources } of json.runs) {
        for (const { raw } of sources) {
          const stored = await readUri(s3, raw);
          assert.ok(stored.equals(await readFile(join(SAMPLES, basename(raw)))), raw);
        }
      }
      const [found] = await query(
        lab,
        `SELECT (SELECT count(*) FROM denver_311 WHERE case_summary LIKE '%Æ%') > 0 AS letters,
                (SELECT max(length(offense_id)) FROM denver_crime) AS digits`,
      );
      assert.deepEqual(found, { letters: true, digits: 19 });
      assert.equal((await lab.run(['verify', 'denver-311'])).code, 0);
      assert.deepEqual(await lab.lakeFiles(), [], 'nothing is left on the disk');
    });
  });

  it('behaves as one on a disk when a day is done again, unchanged, on another day and as a revision', async () => {
    const routes: Record<string, Answer> = { '/a.csv': { body: CSV, etag: '"1"' } };
    await withS3Lab({ routes }, async (lab, s3) => {
      await lab.datasets({ things: { a: lab.origin.address('/a.csv') } });
      const ingest = async (...args: string[]): Promise<Run> => {
        const { code, json, stdout, stderr } = await lab.json<Run>(['ingest', 'things', ...args]);
        assert.equal(code, 0, stdout + stderr);
        return json;
      };
      const first = await ingest('--date', '2026-11-01', '--as-if');
      assert.deepEqual([first.status, first.ledger.rows], ['published', 500]);
      assert.match(
        first.sources[0]?.parquet[0]?.path ?? '',
        /^s3:\/\/.*\/part-[\da-f]{8}-[\da-f]{8}-00000\.parquet$/,
      );
      const before = await bucketContents(s3);
      assert.deepEqual(before.uploads, []);
      assert.ok(!before.keys.some((key) => /_staging|partial/.test(key)), before.keys.join('\n'));
      assert.equal((await ingest('--date', '2026-11-01', '--as-if')).status, 'already-published');
      assert.deepEqual(await bucketContents(s3), before);

      assert.equal((await ingest('--date', '2026-11-02', '--as-if')).status, 'unchanged');
      lab.origin.set('/a.csv', { body: NEXT_CSV, etag: '"2"' });
      const third = await ingest('--date', '2026-11-02', '--as-if', '--again');
      assert.deepEqual([third.status, third.revision, third.ledger.rows], ['published', 2, 501]);
      const rows = await query(
        lab,
        'SELECT ingest_date::text AS day, count(*) AS n FROM things_history GROUP BY 1 ORDER BY 1',
      );
      assert.deepEqual(rows, [
        { day: '2026-11-01', n: 500 },
        { day: '2026-11-02', n: 501 },
      ]);
      assert.equal((await lab.run(['verify', 'things', '--date', '2026-11-01'])).code, 0);
      const listed = await lab.json<{ datasets: { snapshots: number }[] }>(['datasets']);
      assert.equal(listed.json.datasets[0]?.snapshots, 2);
    });
  });

  it('takes the small engine too, and shares no Temporal with a lake on a disk', async () => {
    const routes: Record<string, Answer> = { '/a.csv': { body: CSV, etag: '"1"' } };
    await withS3Lab({ routes, up: false }, async (lab) => {
      await lab.datasets({ things: { a: lab.origin.address('/a.csv') } });
      const remote = await lab.json<Run>(['ingest', 'things', '--engine', 'parquetjs']);
      assert.deepEqual([remote.code, remote.json.ledger?.rows], [0, 500], remote.stderr);
      assert.match(remote.json.sources[0]?.raw ?? '', /^s3:/);
      const onDisk = ['ingest', 'things', '--lake', lab.lakeDir];
      const refused = await lab.json<Failure>(onDisk);
      assert.deepEqual([refused.code, refused.json.error?.code], [2, 'LAKE_NAMESPACE_TAKEN']);
      const own = { env: { STATE_DIR: join(lab.folder, 'state') } };
      const local = await lab.json<Run>(onDisk, own);
      assert.deepEqual([local.code, local.json.status], [0, 'published']);
      assert.match(local.json.sources[0]?.raw ?? '', /^\//);
    });
  });

  it('is left as it was by a run that is cancelled with --discard in mid-transfer', async () => {
    const [header = '', ...rows] = CSV.split(/(?<=\r\n)/);
    const body = Buffer.from(header + rows.join('').repeat(3000));
    const routes: Record<string, Answer> = {
      '/a.csv': { body, etag: '"1"', stallAfterBytes: body.length - 1000 },
    };
    const env = { HTTP_STALL_TIMEOUT_SECONDS: '60' };
    await withS3Lab({ routes, env }, async (lab, s3) => {
      await lab.datasets({ things: { a: lab.origin.address('/a.csv') } });
      const running = lab.start(['ingest', 'things', '--discard', '--json']);
      await running.says(/things a: land/);
      while ((await bucketContents(s3)).uploads.length === 0);
      running.process.kill('SIGINT');
      const { code, stdout, stderr } = await running.ended;
      assert.equal(code, 130, stdout + stderr);
      assert.deepEqual(await bucketContents(s3), { keys: [], uploads: [] });
    });
  });

  it('that is not there is said so, with what to do, and nothing is tried for long', async () => {
    const routes: Record<string, Answer> = { '/a.csv': { body: CSV } };
    const broken: [Record<string, string>, string][] = [
      [{ LAKE: 's3://no-such-bucket' }, 'STORE_NO_BUCKET'],
      [{ AWS_REGION: 'eu-central-1' }, 'STORE_WRONG_REGION'],
      [{ AWS_SECRET_ACCESS_KEY: 'not-it' }, 'STORE_CREDENTIALS'],
    ];
    for (const [env, code] of broken) {
      await withS3Lab({ routes, env }, async (lab) => {
        await lab.datasets({ things: { a: lab.origin.address('/a.csv') } });
        const { json, stdout } = await lab.json<Failure>(['ingest', 'things']);
        assert.equal(json.error?.code, code, stdout);
        assert.ok(!stdout.includes('not-it'));
      });
    }
  });
});
