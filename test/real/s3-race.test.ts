import { GetObjectCommand } from '@aws-sdk/client-s3';
import assert from 'node:assert/strict';
import { dirname } from 'node:path';
import { describe, it } from 'node:test';
import { startLab, type Lab, type Outcome, type Running } from '../helpers/lab.ts';
import type { Answer } from '../helpers/origin.ts';
import { bucketContents, withS3Lab } from '../helpers/s3-lab.ts';
import type { TestS3 } from '../helpers/s3.ts';

/** A file that a publisher serves to one of the two hosts. The rest of it comes when the test opens the gate. */
class GatedFile {
  readonly body: string;
  open: () => void = () => undefined;
  readonly #until = new Promise<void>((resolve) => {
    this.open = resolve;
  });

  constructor(who: string, rows: number) {
    const lines = Array.from({ length: rows }, (_, n) => `${n},"${who}\nrow ${n}"`);
    this.body = `id,text\r\n${lines.join('\r\n')}\r\n`;
  }

  /** The head comes at once, so that the probe succeeds. */
  route(): (n: number, request: { range: string | undefined }) => Answer {
    return (_, { range }) => ({
      body: this.body,
      etag: `"${this.body.length}"`,
      ...(range?.startsWith('bytes=0-') === true
        ? {}
        : { pauseAfterBytes: { bytes: 100, until: this.#until } }),
    });
  }
}

interface Host {
  lab: Lab;
  files: Record<'a' | 'b', GatedFile>;
}

/** Starts two hosts with one bucket. Each has its own state folder and a publisher with other bytes. */
async function withTwoHosts(
  body: (one: Host, other: Host, s3: TestS3) => Promise<void>,
): Promise<void> {
  const env = { HTTP_STALL_TIMEOUT_SECONDS: '120', SOURCE_CONCURRENCY: '2' };
  await withS3Lab({ env }, async (lab, s3) => {
    const second = await startLab({ env: s3Env(lab) });
    try {
      const one = await host(lab, 'the first host', 3000);
      const other = await host(second, 'the second host', 2000);
      await body(one, other, s3);
    } finally {
      await second.close();
    }
  });
}

/** Environment that leads to the bucket, without the first host's own folders. */
function s3Env({ env }: Lab): Record<string, string> {
  const own = new Set(['STATE_DIR', 'DATASETS_FILE', 'TMPDIR']);
  return Object.fromEntries(Object.entries(env).filter(([key]) => !own.has(key)));
}

async function host(lab: Lab, who: string, rows: number): Promise<Host> {
  const files = { a: new GatedFile(`${who}, a`, rows), b: new GatedFile(`${who}, b`, rows + 100) };
  lab.origin.set('/a.csv', files.a.route());
  lab.origin.set('/b.csv', files.b.route());
  const address = (id: string): string => lab.origin.address(`/${id}.csv`);
  await lab.datasets({ things: { a: address('a'), b: address('b') } });
  return { lab, files };
}

function ingest({ lab }: Host): Running {
  return lab.start(['ingest', 'things', '--json']);
}

/** Waits until a host has landed a source in the bucket. */
async function landed({ lab }: Host, running: Running, id: string): Promise<void> {
  await running.says(new RegExp(`things ${id}: (?:inspect|convert|verify|done)`));
  assert.ok(lab.origin.requests.length > 0);
}

function assertWon({ code, stdout, stderr }: Outcome): void {
  assert.equal(code, 0, stdout + stderr);
  assert.equal((JSON.parse(stdout) as { status: string }).status, 'published');
}

function assertLost({ code, stdout, stderr }: Outcome): void {
  assert.equal(code, 8, stdout + stderr);
  const { error } = JSON.parse(stdout) as { error: Record<string, string> };
  assert.equal(error['code'], 'PUBLISHED_MEANWHILE', stdout);
  assert.match(error['message'] ?? '', /Another run \(.+\) published things \d{4}-/);
  assert.match(error['hint'] ?? '', /--again/);
}

/** Checks that the bucket holds the winner's whole day and nothing else. */
async function assertOnlyOf(winner: Host, s3: TestS3): Promise<void> {
  const { code, stdout } = await winner.lab.run(['verify', 'things', '--json']);
  assert.equal(code, 0, stdout);
  const rows = await winner.lab.run([
    ...[
      'query',
      'SELECT source, count(*) AS n, any_value(text) AS text FROM things GROUP BY 1 ORDER BY 1',
    ],
    ...['--format', 'json'],
  ]);
  const { a, b } = winner.files;
  const found = JSON.parse(rows.stdout) as { source: string; n: number; text: string }[];
  assert.deepEqual(
    found.map(({ source, n, text }) => [source, n, text.replace(/\n.*/s, '')]),
    [a, b].map(({ body }, index) => [
      index === 0 ? 'a' : 'b',
      body.split('\r\n').length - 2,
      /"(.*)\n/.exec(body)?.[1],
    ]),
  );
  const { keys, uploads } = await bucketContents(s3);
  assert.deepEqual(uploads, []);
  const manifestKey = keys.find((key) => key.endsWith('/_manifest.json')) ?? '';
  const manifest = JSON.parse(await s3Text(s3, manifestKey)) as {
    sources: { id: string; rawKey: string; parquet: { key: string }[] }[];
  };
  const named = new Set(
    manifest.sources.flatMap(({ id, rawKey, parquet }) => [
      `takehome-raw/${rawKey}`,
      `takehome-raw/${rawKey}.manifest.json`,
      `${dirname(manifestKey)}/source=${id}/_source.json`,
      ...parquet.map(({ key }) => `takehome-converted/${key}`),
    ]),
  );
  // The table belongs to the dataset. The run of any host may have brought it up to date.
  const ofDay = keys.filter((key) => !key.startsWith('takehome-converted/_iceberg/'));
  const beside = ofDay.filter((key) => key !== manifestKey && !named.has(key));
  assert.deepEqual(beside, [], 'the loser leaves nothing behind');
}

async function s3Text(s3: TestS3, key: string): Promise<string> {
  const { Body } = await s3.client.send(new GetObjectCommand({ Bucket: s3.bucket, Key: key }));
  return (await Body?.transformToString()) ?? '';
}

describe('two hosts that publish the same day of one bucket from different bytes', () => {
  it('both download at the same time: the second to publish says that another run did', async () => {
    await withTwoHosts(async (one, other, s3) => {
      const [first, second] = [ingest(one), ingest(other)];
      await Promise.all([first.says(/things b: land/), second.says(/things b: land/)]);
      for (const file of Object.values(one.files)) file.open();
      assertWon(await first.ended);
      for (const file of Object.values(other.files)) file.open();
      assertLost(await second.ended);
      await assertOnlyOf(one, s3);
    });
  });

  it('one finds a landing of the other, and is overtaken: the published day is the one that was landed for it', async () => {
    await withTwoHosts(async (one, other, s3) => {
      const first = ingest(one);
      one.files.a.open();
      await landed(one, first, 'a');
      const second = ingest(other);
      other.files.a.open();
      await landed(other, second, 'a');
      one.files.b.open();
      assertWon(await first.ended);
      other.files.b.open();
      assertLost(await second.ended);
      await assertOnlyOf(one, s3);
    });
  });

  it('one finds a landing of the other, and overtakes it', async () => {
    await withTwoHosts(async (one, other, s3) => {
      const first = ingest(one);
      one.files.a.open();
      await landed(one, first, 'a');
      const second = ingest(other);
      other.files.a.open();
      other.files.b.open();
      assertWon(await second.ended);
      one.files.b.open();
      assertLost(await first.ended);
      await assertOnlyOf(other, s3);
    });
  });
});
