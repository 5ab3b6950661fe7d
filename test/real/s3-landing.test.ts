import {
  AbortMultipartUploadCommand,
  ListMultipartUploadsCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { after, before, beforeEach, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { S3Settings } from '../../src/config/settings.ts';
import { discardPartial, land, type LandProgress } from '../../src/landing/land.ts';
import type { SourceSpec } from '../../src/model/dataset.ts';
import type { LandingManifest } from '../../src/model/manifest.ts';
import { createS3Client } from '../../src/storage/s3/client.ts';
import { S3Store } from '../../src/storage/s3/s3-store.ts';
import { startOrigin, type Answer, type Origin, type Route } from '../helpers/origin.ts';
import { startS3Proxy, type Fault, type S3Proxy } from '../helpers/s3-proxy.ts';
import { startS3, type TestS3 } from '../helpers/s3.ts';
import { bigBody, everything, MIB, PART_BYTES, storedChecksum } from '../helpers/landings.ts';
import { asJson } from '../helpers/as-json.ts';

const KEY = 'demo/ingest_date=2026-11-01/source=all/all.csv';
const WHOLE = ['all.csv', 'all.csv.manifest.json'];
const BESIDE = ['_landing2/all.csv', '_landing2/all.csv.manifest.json', ...WHOLE];
/** Bytes in the sockets between origin and worker when a landing ends early. */
const IN_SOCKETS_BYTES = 8 * MIB;
const http = { connectTimeoutMs: 5000, stallTimeoutMs: 5000 };
const addresses = { allowPrivate: true };

let s3: TestS3;
let proxy: S3Proxy;
let origin: Origin;
let prefix: string;
let zones = 0;
before(async () => {
  origin = await startOrigin({});
  s3 = await startS3();
  proxy = await startS3Proxy(s3.endpoint);
  Object.assign(process.env, s3.env, { AWS_ENDPOINT_URL_S3: proxy.endpoint });
});
after(async () => {
  await proxy.close();
  await s3.close();
  await origin.close();
});
beforeEach(() => {
  zones += 1;
  prefix = `zone-${zones}/`;
  proxy.clear();
});

/** Each call stands for another worker, which shares no memory with the others. */
function openStore(changes: Partial<S3Settings> = {}, attempts = 2): S3Store {
  const settings = { ...s3.settings, ...changes };
  const client = createS3Client(settings, { maxAttempts: attempts });
  return new S3Store(settings, prefix, client);
}

function serve(route: Route): SourceSpec {
  return {
    id: 'all',
    address: origin.address(origin.serve(route)),
    optional: false,
    overrides: {},
  };
}

const requestsOf = (spec: SourceSpec) => origin.requestsTo(new URL(spec.address).pathname);

async function landed(
  source: SourceSpec,
  store = openStore(),
  watch: { signal?: AbortSignal; onProgress?: (progress: LandProgress) => void } = {},
): Promise<LandingManifest> {
  const manifest = await land(
    { dataset: 'demo', ingestDate: '2026-11-01', source, rawKey: KEY },
    { store, http, addresses },
    {
      signal: watch.signal ?? new AbortController().signal,
      onProgress: watch.onProgress ?? (() => undefined),
    },
  );
  return asJson(manifest);
}

/** Names of all files in the source's folder. */
async function files(): Promise<string[]> {
  return await everything(s3, prefix + KEY.replace('all.csv', ''));
}

const asked = (operation: string): number =>
  proxy.requests.filter((each) => each.operation === operation && each.key.startsWith(prefix))
    .length;

/** Ends the body of the first request after this many MiB. */
const cutOnce =
  (answer: Answer, mebibytes: number): Route =>
  (n) => ({ ...answer, ...(n === 1 ? { cutAfterBytes: mebibytes * MIB } : {}) });

async function abortUploads(): Promise<void> {
  const { client, bucket } = s3;
  const at = { Bucket: bucket, Prefix: prefix };
  const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand(at));
  for (const { Key, UploadId } of Uploads) {
    await client.send(new AbortMultipartUploadCommand({ Bucket: bucket, Key, UploadId }));
  }
}

for (const checksums of [true, false]) {
  describe(`a landing in S3 with checksums ${checksums ? 'on' : 'off'}`, () => {
    it('of many parts is the exact bytes and a manifest; nothing else stays', async () => {
      const body = bigBody(100);
      const seen: LandProgress[] = [];
      const manifest = await landed(serve({ body, etag: '"1"' }), openStore({ checksums }), {
        onProgress: (each) => seen.push(each),
      });
      assert.equal(manifest.checksum, body.checksum);
      assert.equal(manifest.bytes, body.bytes);
      assert.equal(manifest.scan.records, body.records);
      assert.equal(await storedChecksum(s3, prefix + KEY), body.checksum);
      assert.deepEqual(await files(), WHOLE);
      const { bytes, records } = body;
      assert.deepEqual(seen.at(-1), { bytes, totalBytes: bytes, records });
      assert.equal(asked('UploadPart'), Math.ceil(bytes / PART_BYTES));
    });

    it('of one part is one conditional PUT', async () => {
      const body = bigBody(3);
      const manifest = await landed(serve({ body, etag: '"1"' }), openStore({ checksums }));
      assert.equal(manifest.checksum, body.checksum);
      assert.equal(await storedChecksum(s3, prefix + KEY), body.checksum);
      assert.deepEqual(await files(), WHOLE);
      assert.equal(asked('CreateMultipartUpload'), 0);
    });

    it('goes on after an interruption and after a change of the worker', async () => {
      const body = bigBody(100);
      const spec = serve(cutOnce({ body, etag: '"1"' }, 70));
      const first = openStore({ checksums, uploadConcurrency: 2 });
      await assert.rejects(landed(spec, first), { code: 'SOURCE_TRUNCATED' });
      assert.deepEqual(await files(), ['all.csv.partial.checkpoint.json', 'upload all.csv']);
      const manifest = await landed(spec, openStore({ checksums, uploadConcurrency: 2 }));
      // The interrupted attempt waits for four full parts of its 70 MiB.
      assert.equal(requestsOf(spec)[1]?.range, `bytes=${4 * PART_BYTES}-`);
      assert.equal(manifest.checksum, body.checksum);
      assert.equal(manifest.scan.records, body.records);
      assert.equal(await storedChecksum(s3, prefix + KEY), body.checksum);
      assert.deepEqual(await files(), WHOLE);
    });

    it('is done although the answer to Complete never arrives', async () => {
      const body = bigBody(40);
      proxy.on({ operation: 'CompleteMultipartUpload' }, { loseAnswer: true });
      const manifest = await landed(serve({ body, etag: '"1"' }), openStore({ checksums }));
      assert.equal(manifest.checksum, body.checksum);
      assert.deepEqual(await files(), WHOLE);
    });

    it('is done although the answer to the only PUT never arrives', async () => {
      const body = bigBody(3);
      proxy.on({ operation: 'PutObject', nth: 1 }, { loseAnswer: true });
      await landed(serve({ body, etag: '"1"' }), openStore({ checksums }, 1));
      assert.equal(await storedChecksum(s3, prefix + KEY), body.checksum);
      assert.deepEqual(await files(), WHOLE);
    });

    it('killed between Complete and manifest is gone on with at the end', async () => {
      const body = bigBody(40);
      const spec = serve({ body, etag: '"1"' });
      const answer = { status: 403, code: 'AccessDenied' };
      proxy.on({ operation: 'PutObject', key: 'manifest' }, { answer });
      await assert.rejects(landed(spec, openStore({ checksums })), { code: 'STORE_FORBIDDEN' });
      proxy.clear();
      const manifest = await landed(spec, openStore({ checksums }));
      assert.equal(requestsOf(spec)[1]?.range, `bytes=${body.bytes}-`);
      assert.equal(manifest.checksum, body.checksum);
      assert.deepEqual(await files(), WHOLE);
    });

    it('leaves an object without manifest alone: its writer may be about to write one', async () => {
      const store = openStore({ checksums });
      const body = bigBody(40);
      await store.put(KEY, 'half');
      const { rawKey } = await landed(serve({ body, etag: '"1"' }), store);
      assert.equal(String(await store.get(KEY)), 'half');
      assert.equal(await storedChecksum(s3, prefix + rawKey), body.checksum);
    });
  });
}

describe('sources of other kinds', () => {
  it('of unknown length come in parts of 64 MiB, and the first may be the last', async () => {
    const body = bigBody(70);
    const manifest = await landed(serve({ body, etag: '"1"', chunked: true }));
    assert.equal(manifest.checksum, body.checksum);
    assert.equal(await storedChecksum(s3, prefix + KEY), body.checksum);
    assert.equal(asked('UploadPart'), 2);
    assert.deepEqual(await files(), WHOLE);
  });

  it('exactly as long as two parts have two parts, and one as long as one is one PUT', async () => {
    for (const parts of [1, 2]) {
      prefix = `zone-exact-${parts}/`;
      const line = Buffer.from('a,b,c,d\n');
      const body = Buffer.alloc(parts * PART_BYTES, line);
      const manifest = await landed(serve({ body, etag: '"1"' }));
      assert.equal(manifest.scan.records, body.length / line.length - 1);
      assert.equal(await storedChecksum(s3, prefix + KEY), manifest.checksum);
      assert.equal(asked('UploadPart'), parts === 1 ? 0 : 2);
    }
  });

  it('without a byte leave nothing', async () => {
    await assert.rejects(landed(serve({ body: '', etag: '"1"' })), { code: 'SOURCE_EMPTY' });
    assert.deepEqual(await files(), []);
  });

  it('without validators start anew, and no upload stays', async () => {
    const body = bigBody(40);
    const spec = serve(cutOnce({ body }, 36));
    await assert.rejects(landed(spec), { code: 'SOURCE_TRUNCATED' });
    assert.deepEqual(await files(), ['upload all.csv']);
    await landed(spec);
    assert.equal(requestsOf(spec)[1]?.range, undefined);
    assert.equal(await storedChecksum(s3, prefix + KEY), body.checksum);
    assert.deepEqual(await files(), WHOLE);
  });

  it('landed again without validators are compared', async () => {
    const spec = serve({ body: bigBody(3) });
    assert.deepEqual(await landed(spec), await landed(spec));
    assert.deepEqual(await files(), WHOLE);
  });

  it('landed before and not changed since are not read again', async () => {
    const spec = serve({ body: bigBody(40), etag: '"1"' });
    assert.deepEqual(await landed(spec), await landed(spec));
    assert.ok((requestsOf(spec)[1]?.bytesSent ?? Infinity) < 40 * MIB);
  });

  it('with other bytes never replace a landing', async () => {
    const before = await landed(serve({ body: bigBody(3), etag: '"1"' }));
    const other = await landed(serve({ body: bigBody(3, 'two'), etag: '"2"' }));
    assert.equal(await storedChecksum(s3, prefix + KEY), before.checksum);
    assert.equal(await storedChecksum(s3, prefix + other.rawKey), other.checksum);
    assert.deepEqual(await files(), BESIDE);
  });
});

describe('a source that changes', () => {
  it('between attempts is taken whole in its new version', async () => {
    const [before, now] = [bigBody(60), bigBody(50, 'new')];
    const spec = serve((n) =>
      n === 1 ? { body: before, etag: '"1"', cutAfterBytes: 40 * MIB } : { body: now, etag: '"2"' },
    );
    await assert.rejects(landed(spec), { code: 'SOURCE_TRUNCATED' });
    const manifest = await landed(spec);
    assert.equal(manifest.checksum, now.checksum);
    assert.equal(manifest.scan.records, now.records);
    assert.equal(await storedChecksum(s3, prefix + KEY), now.checksum);
    assert.deepEqual(await files(), WHOLE);
  });

  it('of a server that ignores Range starts anew', async () => {
    const body = bigBody(50);
    const spec = serve(cutOnce({ body, etag: '"1"', ranges: false }, 40));
    await assert.rejects(landed(spec), { code: 'SOURCE_TRUNCATED' });
    await landed(spec);
    assert.equal(await storedChecksum(s3, prefix + KEY), body.checksum);
    assert.deepEqual(await files(), WHOLE);
  });
});

describe('a checkpoint', () => {
  // Other damage is the same on a disk: see test/landing/land.test.ts.
  for (const [name, damaged] of [
    ['is no JSON', 'x'],
    ['is gone', undefined],
  ] as const) {
    it(`that ${name} is not used: it starts from zero, and the old upload is aborted`, async () => {
      const store = openStore();
      const body = bigBody(50);
      const spec = serve(cutOnce({ body, etag: '"1"' }, 40));
      await assert.rejects(landed(spec, store), { code: 'SOURCE_TRUNCATED' });
      const key = `${KEY}.partial.checkpoint.json`;
      if (damaged === undefined) await store.delete(key);
      else await store.put(key, damaged);
      await landed(spec, store);
      assert.equal(requestsOf(spec)[1]?.range, undefined);
      assert.equal(await storedChecksum(s3, prefix + KEY), body.checksum);
      assert.deepEqual(await files(), WHOLE);
    });
  }

  it('names the upload before it has a part', async () => {
    await landed(serve({ body: bigBody(40), etag: '"1"' }));
    const names = proxy.requests.filter(({ key }) => key.startsWith(prefix));
    const named = names.findIndex(
      ({ operation, key }) => operation === 'PutObject' && key.endsWith('checkpoint.json'),
    );
    const first = names.findIndex(({ operation }) => operation === 'UploadPart');
    assert.ok(named !== -1 && named < first);
  });

  it('that cannot be written holds the parts back, and ends the landing', async () => {
    const answer = { status: 403, code: 'AccessDenied' };
    proxy.on({ operation: 'PutObject', key: 'checkpoint' }, { answer });
    const spec = serve({ body: bigBody(100), etag: '"1"' });
    await assert.rejects(landed(spec), { code: 'STORE_FORBIDDEN' });
    assert.equal(asked('UploadPart'), 0);
  });
});

describe('uploads that others end', () => {
  it('in the middle of an attempt: it starts anew at once', async () => {
    const body = bigBody(100);
    const spec = serve({ body, etag: '"1"' });
    proxy.on({ operation: 'UploadPart', nth: 3 }, { before: abortUploads });
    const manifest = await landed(spec, openStore({ uploadConcurrency: 1 }));
    assert.equal(manifest.checksum, body.checksum);
    assert.equal(await storedChecksum(s3, prefix + KEY), body.checksum);
    assert.deepEqual(await files(), WHOLE);
    assert.equal(requestsOf(spec).length, 2);
  });

  it('just before Complete: it starts anew at once', async () => {
    const body = bigBody(40);
    proxy.on({ operation: 'CompleteMultipartUpload', nth: 1 }, { before: abortUploads });
    await landed(serve({ body, etag: '"1"' }));
    assert.equal(await storedChecksum(s3, prefix + KEY), body.checksum);
    assert.deepEqual(await files(), WHOLE);
  });

  it('between attempts: the next one starts anew', async () => {
    const body = bigBody(50);
    const spec = serve(cutOnce({ body, etag: '"1"' }, 40));
    await assert.rejects(landed(spec), { code: 'SOURCE_TRUNCATED' });
    await abortUploads();
    await landed(spec);
    assert.equal(requestsOf(spec)[1]?.range, undefined);
    assert.deepEqual(await files(), WHOLE);
  });
});

describe('two landings of one key at once', () => {
  for (const mebibytes of [3, 60]) {
    it(`with the same ${mebibytes} MiB both succeed, and there is one object`, async () => {
      const body = bigBody(mebibytes);
      const spec = serve({ body, etag: '"1"', bytesPerSecond: 60 * MIB });
      const [one, other] = await Promise.all([landed(spec), landed(spec)]);
      assert.equal(one.checksum, body.checksum);
      assert.deepEqual(one, other);
      assert.equal(await storedChecksum(s3, prefix + KEY), body.checksum);
      assert.deepEqual(await files(), WHOLE);
    });
  }

  it('the checkpoint that the slower one wrote last is gone when that finds the landing of the first', async () => {
    const spec = serve({ body: bigBody(3), etag: '"1"' });
    await landed(spec);
    // The first landing has ended the other's upload and cleaned up. The other's checkpoint reaches S3 after that.
    await s3.client.send(
      new PutObjectCommand({
        Bucket: s3.bucket,
        Key: `${prefix}${KEY}.partial.checkpoint.json`,
        Body: '{}',
      }),
    );
    await landed(spec);
    assert.deepEqual(await files(), WHOLE);
  });

  it('one that is second to Complete uses the object of the first', async () => {
    const body = bigBody(40);
    const spec = serve({ body, etag: '"1"' });
    let first: LandingManifest | undefined;
    proxy.on(
      { operation: 'CompleteMultipartUpload', nth: 1 },
      {
        before: async () => {
          first = await landed(spec);
        },
      },
    );
    assert.deepEqual(await landed(spec), first);
    assert.deepEqual(await files(), WHOLE);
  });

  it('with other bytes that came in meanwhile, without a manifest yet, lie beside them', async () => {
    const store = openStore();
    const body = bigBody(40);
    const theirs = 'an object of another host';
    proxy.on(
      { operation: 'CompleteMultipartUpload', nth: 1 },
      { before: async () => await store.put(KEY, theirs) },
    );
    const { rawKey } = await landed(serve({ body, etag: '"1"' }), store);
    assert.equal(await storedChecksum(s3, prefix + rawKey), body.checksum);
    assert.equal(String(await store.get(KEY)), theirs, 'its manifest may come');
    assert.deepEqual(
      await files(),
      BESIDE.filter((name) => name !== 'all.csv.manifest.json'),
      'and no upload',
    );
  });

  it('with other bytes that landed meanwhile lie beside them', async () => {
    const [body, other] = [bigBody(40), bigBody(3, 'two')];
    proxy.on(
      { operation: 'CompleteMultipartUpload', nth: 1 },
      { before: async () => void (await landed(serve({ body: other, etag: '"2"' }))) },
    );
    const { rawKey } = await landed(serve({ body, etag: '"1"' }));
    assert.equal(await storedChecksum(s3, prefix + rawKey), body.checksum);
    assert.equal(await storedChecksum(s3, prefix + KEY), other.checksum);
    assert.deepEqual(await files(), BESIDE);
  });
});

describe('an S3 that misbehaves', () => {
  it('for a while is sat out a part at a time', async () => {
    const body = bigBody(60);
    proxy.on({ operation: 'UploadPart', nth: 1 }, { answer: { status: 503, code: 'SlowDown' } });
    proxy.on({ operation: 'UploadPart', nth: 2 }, { resetAfterRequestBytes: MIB });
    proxy.on({ operation: 'UploadPart', nth: 3 }, { loseAnswer: true });
    const spec = serve({ body, etag: '"1"' });
    await landed(spec, openStore({}, 8));
    assert.equal(await storedChecksum(s3, prefix + KEY), body.checksum);
    assert.equal(requestsOf(spec).length, 1);
  });

  it('for longer ends the attempt, which the next one goes on with', async () => {
    const body = bigBody(100);
    const spec = serve({ body, etag: '"1"' });
    let parts = 0;
    const answer = { status: 500, code: 'InternalError' };
    proxy.on({ operation: 'UploadPart', first: 3 }, { before: () => (parts += 1) });
    proxy.on({ operation: 'UploadPart' }, { answer });
    const settings = { uploadConcurrency: 1 };
    await assert.rejects(landed(spec, openStore(settings)), { code: 'STORE_UNAVAILABLE' });
    proxy.clear();
    await landed(spec, openStore(settings));
    assert.equal(parts, 3);
    assert.equal(requestsOf(spec)[1]?.range, `bytes=${3 * PART_BYTES}-`);
    assert.equal(await storedChecksum(s3, prefix + KEY), body.checksum);
  });

  it('is still writing a checkpoint when the next part fails is waited for, and no checkpoint stays', async () => {
    const [body, store] = [bigBody(20), openStore({ uploadConcurrency: 2 })];
    const next = new EventEmitter();
    const begun = once(next, 'begun').then(() => true);
    const discarded = once(next, 'discarded');
    const checkpoint = `${KEY}.partial.checkpoint.json`;
    const answer = { status: 404, code: 'NoSuchUpload' };
    proxy.on({ operation: 'UploadPart', nth: 2 }, { answer });
    proxy.on({ operation: 'GetObject', key: checkpoint, nth: 2 }, tell('begun'));
    proxy.on({ operation: 'DeleteObject', key: checkpoint }, tell('discarded'));
    proxy.on({ operation: 'PutObject', key: checkpoint, nth: 2 }, { before: lateWhereNotAwaited });
    await landed(serve({ body, etag: '"1"' }), store);
    assert.equal(await storedChecksum(s3, prefix + KEY), body.checksum);
    assert.deepEqual(await files(), WHOLE);

    function tell(event: string): Fault {
      return { before: () => next.emit(event) };
    }
    /** S3 gets the request but writes the object later, even if the client no longer waits for the answer. */
    async function lateWhereNotAwaited(): Promise<void> {
      const isNotAwaited = await Promise.race([begun, delay(1000, false)]);
      if (!isNotAwaited) return;
      await discarded;
      await store.put(checkpoint, 'late');
    }
  });

  it('that damages a part on its way is found out, and the attempt is retryable', async () => {
    const answer = { status: 400, code: 'BadDigest' };
    proxy.on({ operation: 'UploadPart', nth: 1 }, { answer });
    const spec = serve({ body: bigBody(40), etag: '"1"' });
    await assert.rejects(landed(spec), { code: 'STORE_UNAVAILABLE', message: /Part 1 of/ });
  });
});

describe('a landing that is aborted', () => {
  it('an abort keeps what was full, and reads at most concurrency + 1 parts again', async () => {
    const body = bigBody(100);
    const spec = serve((n) => ({
      body,
      etag: '"1"',
      ...(n === 1 ? { stallAfterBytes: 70 * MIB } : {}),
    }));
    const settings = { uploadConcurrency: 1 };
    const controller = new AbortController();
    const reason = new Error('shutting down');
    proxy.on({ operation: 'UploadPart', nth: 3 }, { before: () => controller.abort(reason) });
    const attempt = landed(spec, openStore(settings), { signal: controller.signal });
    await assert.rejects(attempt, reason);
    const sent = requestsOf(spec)[0]?.bytesSent ?? Infinity;
    await landed(spec, openStore(settings));
    const from = Number(/^bytes=(\d+)-$/.exec(requestsOf(spec)[1]?.range ?? '')?.[1]);
    assert.ok(from >= 3 * PART_BYTES, `went on at ${from}`);
    assert.ok(sent - from <= 2 * PART_BYTES + IN_SOCKETS_BYTES);
    assert.equal(await storedChecksum(s3, prefix + KEY), body.checksum);
  });

  it('an abort while S3 does not answer ends soon', async () => {
    const controller = new AbortController();
    const reason = new Error('cancelled');
    // Two parts hang in S3 and a third is full, so the landing can read nothing more.
    proxy.on(
      { operation: 'UploadPart', nth: 2 },
      { before: () => controller.abort(reason), stallAfterRequestBytes: MIB },
    );
    proxy.on({ operation: 'UploadPart' }, { stallAfterRequestBytes: MIB });
    const spec = serve({ body: bigBody(100), etag: '"1"' });
    const settings = { stallTimeoutMs: 60_000, uploadConcurrency: 2 };
    const attempt = landed(spec, openStore(settings), { signal: controller.signal });
    await assert.rejects(attempt, reason);
    proxy.clear();
    await discardPartial(openStore(), KEY);
    assert.deepEqual(await files(), []);
  });

  it('a cancelled landing is discarded without a trace', async () => {
    const store = openStore();
    const spec = serve({ body: bigBody(60), etag: '"1"', stallAfterBytes: 50 * MIB });
    const controller = new AbortController();
    const reason = new Error('cancelled');
    proxy.on({ operation: 'UploadPart', nth: 2 }, { before: () => controller.abort(reason) });
    const attempt = landed(spec, store, { signal: controller.signal });
    await assert.rejects(attempt, reason);
    assert.notDeepEqual(await files(), []);
    await discardPartial(store, KEY);
    await discardPartial(store, KEY);
    assert.deepEqual(await files(), []);
  });
});
