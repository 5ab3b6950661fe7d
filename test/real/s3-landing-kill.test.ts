import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { ZONE_FOLDERS } from '../../src/model/layout.ts';
import { startOrigin, type Origin } from '../helpers/origin.ts';
import { startS3Proxy, type S3Proxy } from '../helpers/s3-proxy.ts';
import { startS3, type TestS3 } from '../helpers/s3.ts';
import {
  bigBody,
  everything,
  landInProcess,
  MIB,
  PART_BYTES,
  storedChecksum,
  type LandingLine,
} from '../helpers/landings.ts';

const KEY = 'demo/ingest_date=2026-11-01/source=all/all.csv';
const WHOLE = ['all.csv', 'all.csv.manifest.json'];
const KILLS = 10;
const SEED = 20_261_101;
/** A landing of this size makes slightly more requests to S3 than this. */
const REQUESTS = 24;
const CONCURRENCY = 1;
/** Bytes in the sockets between origin and worker when the worker dies, in addition to the parts. */
const IN_SOCKETS_BYTES = 8 * MIB;
/** Five buffers of 16 MiB, and the memory of the SDK and the sockets. */
const MAX_MEMORY_BYTES = 160 * MIB;

let s3: TestS3;
let proxy: S3Proxy;
let origin: Origin;
before(async () => {
  origin = await startOrigin({});
  s3 = await startS3();
  proxy = await startS3Proxy(s3.endpoint);
});
after(async () => {
  await proxy.close();
  await s3.close();
  await origin.close();
});

function landInto(
  path: string,
  prefix: string,
  endpoint: string,
  uploadConcurrency: number,
): ReturnType<typeof landInProcess> {
  return landInProcess({
    address: origin.address(path),
    lake: { ...s3.settings, uploadConcurrency, prefix },
    key: KEY,
    env: { ...s3.env, AWS_ENDPOINT_URL_S3: endpoint },
  });
}

function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

it('killed at any request to S3, again and again, no byte is wrong and few are read twice', async (t) => {
  const body = bigBody(110);
  origin.set('/killed.csv', { body, etag: '"1"' });
  const random = randomOf(SEED);
  const moments: string[] = [];
  for (let round = 1; moments.length < KILLS; round += 1) {
    const prefix = `round-${round}/`;
    const stored = `${prefix}${ZONE_FOLDERS.raw}/${KEY}`;
    const files = async (): Promise<string[]> =>
      await everything(s3, stored.replace('all.csv', ''));
    let [startedAt, reachedBytes] = [0, 0];
    for (let end: LandingLine = {}; end.checksum === undefined;) {
      const isLanded = (await files()).includes('all.csv.manifest.json');
      const seen = origin.requestsTo('/killed.csv').length;
      proxy.clear();
      const running = landInto('/killed.csv', prefix, proxy.endpoint, CONCURRENCY);
      const nth = Math.ceil(random() * REQUESTS);
      const before = ({ operation }: { operation: string }): void => {
        if (running.child.kill('SIGKILL')) moments.push(operation);
      };
      proxy.on({ nth }, { before });
      end = await running.end;
      const request = origin.requestsTo('/killed.csv')[seen];
      // When its manifest exists, a landing reads nothing more.
      if (!request || isLanded) continue;
      const from = Number(/^bytes=(\d+)-$/.exec(request.range ?? 'bytes=0-')?.[1]);
      assert.ok(from >= startedAt, `fell back from ${startedAt} to ${from}`);
      const again = reachedBytes - from;
      assert.ok(again <= (CONCURRENCY + 1) * PART_BYTES + IN_SOCKETS_BYTES, `${again} bytes again`);
      [startedAt, reachedBytes] = [from, from + request.bytesSent];
    }
    assert.equal(await storedChecksum(s3, stored), body.checksum);
    assert.deepEqual(await files(), WHOLE);
  }
  t.diagnostic(`killed at ${moments.join(', ')}`);
});

it('memory stays at the parts on their way, whatever the size', async (t) => {
  const body = bigBody(600);
  origin.set('/big.csv', { body, etag: '"1"' });
  const { end } = landInto('/big.csv', 'big/', s3.endpoint, 4);
  const { checksum, seconds, peakRss = Infinity, idleRss = 0, records } = await end;
  assert.equal(checksum, body.checksum);
  assert.equal(records, body.records);
  const above = peakRss - idleRss;
  const took = `${(body.bytes / 1e6).toFixed(0)} MB in ${seconds?.toFixed(2)} s`;
  t.diagnostic(`${took}, ${(above / MIB).toFixed(0)} MiB above idle`);
  assert.ok(above <= MAX_MEMORY_BYTES, `${above} bytes above idle`);
});
