import { ListMultipartUploadsCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import { formatChecksum } from '../../src/model/texts.ts';
import type { LandingManifest } from '../../src/model/manifest.ts';
import { S3Store } from '../../src/storage/s3/s3-store.ts';
import { Random } from '../../tools/generate/random.ts';
import { withLab, type Lab, type Running } from '../helpers/lab.ts';
import type { Body, SeenRequest } from '../helpers/origin.ts';
import { startS3, type TestS3 } from '../helpers/s3.ts';
import { TestTemporal } from '../helpers/temporal.ts';

const KILLS = 20;
const MIB = 1024 * 1024;
const PART_BYTES = 16 * MIB;
/** Parts in flight and the part that the worker fills. After a kill, the next worker reads at most these again. */
const MAX_REREAD_BYTES = 5 * PART_BYTES;
/** A worker dies after at most this many bytes. Nearly half of the workers die before they have read a whole part. */
const MAX_KILL_AFTER_BYTES = 36 * MIB;
/** Bytes that the origin gave to the connection and that were in its buffers when the worker died. */
const SOCKET_SLACK_BYTES = 8 * MIB;

/** A block of records with quoted line breaks. The file repeats it to 300 MB, which are never in memory. */
const BLOCK = Buffer.from(
  Array.from({ length: 10_000 }, (_, n) => `${n},"line one of ${n}\nline two",${n}.5\n`).join(''),
);
const BLOCKS = Math.ceil(300e6 / BLOCK.length);
const HEADER = Buffer.from('id,text,amount\n');
const TOTAL_BYTES = HEADER.length + BLOCKS * BLOCK.length;
const RECORDS = BLOCKS * 10_000;

const BODY: Body = {
  bytes: TOTAL_BYTES,
  read: async function* (start: number) {
    if (start < HEADER.length) yield HEADER.subarray(start);
    let at = Math.max(0, start - HEADER.length);
    for (; at < BLOCKS * BLOCK.length; at += BLOCK.length - (at % BLOCK.length)) {
      yield await Promise.resolve(BLOCK.subarray(at % BLOCK.length));
    }
  },
};

const temporal = new TestTemporal();

describe('a landing in S3 whose worker is killed', () => {
  it(`${KILLS} times, at random moments, is whole, counted exactly, and read again only a little`, async () => {
    const s3 = await startS3();
    const env = {
      ...s3.env,
      LAKE: `s3://${s3.bucket}`,
      TEMPORAL_ADDRESS: temporal.address,
      ALLOW_PRIVATE_ADDRESSES: 'true',
      HEARTBEAT_TIMEOUT_SECONDS: '1.5',
      SOURCE_RETRY_MINUTES: '15',
    };
    const routes = { '/a.csv': { body: BODY, etag: '"1"', bytesPerSecond: 40_000_000 } };
    try {
      await withLab({ routes, env, up: false }, async (lab) => {
        await lab.datasets({ things: { a: lab.origin.address('/a.csv') } });
        const landing = lab.start(['land', 'things', '--json']);
        const kills = await killWorkers(lab, landing);
        const { code, stdout, stderr } = await landing.ended;
        assert.equal(code, 0, stdout + stderr);
        await assertWhole(s3);
        assertReadOnce(lab.origin.requestsTo('/a.csv'));
        assert.ok(kills >= KILLS, `only ${kills} workers were killed before the landing was done`);
      });
    } finally {
      await s3.close();
    }
  });
});

/** Starts one worker after another and kills each during its landing. The last one may finish. */
async function killWorkers(lab: Lab, landing: Running): Promise<number> {
  const random = new Random(20_261_124, 'kills');
  const ended = new AbortController();
  void landing.ended.then(() => {
    ended.abort();
  });
  let kills = 0;
  for (; kills < KILLS && !ended.signal.aborted; kills += 1) {
    const worker = lab.start(['worker']);
    // The first workers die at their start. Later workers die when they have read a few parts at most.
    if (kills < 2) await worker.says(/Working for/);
    else await untilSent(lab, sentBy(lab) + random.below(MAX_KILL_AFTER_BYTES), ended.signal);
    worker.process.kill('SIGKILL');
    await worker.ended;
  }
  const last = lab.start(['worker']);
  await landing.ended;
  last.process.kill('SIGTERM');
  await last.ended;
  return kills;
}

/** Polls every few milliseconds. The bytes that arrive meanwhile are part of the randomness. */
async function untilSent(lab: Lab, bytes: number, ended: AbortSignal): Promise<void> {
  while (!ended.aborted && sentBy(lab) <= bytes) await sleep(5);
}

function sentBy(lab: Lab): number {
  return lab.origin.requestsTo('/a.csv').reduce((sum, { bytesSent }) => sum + bytesSent, 0);
}

async function assertWhole(s3: TestS3): Promise<void> {
  const { Contents = [] } = await s3.client.send(new ListObjectsV2Command({ Bucket: s3.bucket }));
  const keys = Contents.map(({ Key = '' }) => Key);
  const day = /^takehome-raw\/things\/ingest_date=[\d-]+\/source=a\/a\.csv(?:\.manifest\.json)?$/;
  assert.deepEqual(
    keys.filter((key) => !day.test(key)),
    [],
    'nothing else is left',
  );
  assert.equal(keys.length, 2);
  const uploads = await s3.client.send(new ListMultipartUploadsCommand({ Bucket: s3.bucket }));
  assert.deepEqual(uploads.Uploads ?? [], [], 'no upload is left open');

  const raw = new S3Store(s3.settings, 'takehome-raw/', s3.client);
  const rawKey = raw.s3.relative(keys.find((key) => key.endsWith('.csv')) ?? '');
  const manifest = JSON.parse(String(await raw.get(`${rawKey}.manifest.json`))) as LandingManifest;
  let crc = crc32(HEADER);
  for (let block = 0; block < BLOCKS; block += 1) crc = crc32(BLOCK, crc);
  const { bytes, checksum, scan } = manifest;
  assert.deepEqual(
    { bytes, checksum, records: scan.records, problems: scan.problems },
    { bytes: TOTAL_BYTES, checksum: formatChecksum(crc), records: RECORDS, problems: [] },
  );
  assert.equal(await storedChecksum(raw, rawKey), formatChecksum(crc), 'of the stored bytes');
}

/** Reads every byte back instead of trusting S3's own checksum. */
async function storedChecksum(raw: S3Store, key: string): Promise<string> {
  let crc = 0;
  for (let at = 0; at < TOTAL_BYTES; at += PART_BYTES) {
    crc = crc32(await raw.readRange(key, at, Math.min(TOTAL_BYTES, at + PART_BYTES)), crc);
  }
  return formatChecksum(crc);
}

/** Checks that each attempt reads again only a few of the bytes that earlier attempts were sent. */
function assertReadOnce(requests: readonly SeenRequest[]): void {
  let furthest = 0;
  for (const { range, bytesSent } of requests) {
    // The probe asks only for the head of the file.
    if (range !== undefined && !range.endsWith('-')) continue;
    const start = Number(/^bytes=(\d+)-/.exec(range ?? '')?.[1] ?? 0);
    const again = furthest - start;
    assert.ok(again <= MAX_REREAD_BYTES + SOCKET_SLACK_BYTES, `${again} bytes were read again`);
    furthest = Math.max(furthest, start + bytesSent);
  }
}
