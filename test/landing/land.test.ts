import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import { crc32 } from 'node:zlib';
import type { SourceOverrides, SourceSpec } from '../../src/model/dataset.ts';
import type { ErrorCode } from '../../src/model/errors.ts';
import type { LandingManifest } from '../../src/model/manifest.ts';
import { readLanding } from '../../src/storage/manifests.ts';
import { discardPartial, land, type LandProgress } from '../../src/landing/land.ts';
import { probe } from '../../src/landing/probe.ts';
import { assertReadable } from '../../src/csv/readable.ts';
import { rescan } from '../../src/landing/ingest-state.ts';
import { markFile } from '../../src/storage/file-marks.ts';
import { DiskStore } from '../../src/storage/disk-store.ts';
import { originOfFile, type Route } from '../helpers/origin.ts';
import { asJson } from '../helpers/as-json.ts';

const MIB = 1024 * 1024;
const KEY = 'demo/ingest_date=2026-11-01/source=all/all.csv';
const http = { connectTimeoutMs: 5000, stallTimeoutMs: 5000 };

const origin = originOfFile();
let root: string;
let addresses: { fileMarks: string; allowPrivate: true };
let store: DiskStore;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'longhaul-landing-'));
  addresses = { fileMarks: `${root}-marks`, allowPrivate: true };
  store = new DiskStore(root);
});
afterEach(async () => {
  await rm(root, { recursive: true, force: true });
  await rm(addresses.fileMarks, { recursive: true, force: true });
});

/** Address of a file. The file is marked as one that its owner named. */
async function named(path: string): Promise<string> {
  await markFile(addresses.fileMarks, path, { dated: false });
  return pathToFileURL(path).href;
}

function serve(route: Route, overrides: SourceOverrides = {}): SourceSpec {
  return { id: 'all', address: origin.address(origin.serve(route)), optional: false, overrides };
}

const requestsOf = (spec: SourceSpec) => origin.requestsTo(new URL(spec.address).pathname);

async function landed(
  source: SourceSpec,
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

async function files(): Promise<string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  return entries
    .filter((each) => each.isFile())
    .map((each) => each.name)
    .toSorted();
}

/** Records of one length with a quoted line break, so that any offset is easy to compute. */
function csvOf(bytes: number, text = 'one'): Buffer {
  const line = `"${text}\ntwo",3\r\n`;
  return Buffer.from(`a,b\r\n${line.repeat(Math.ceil(bytes / line.length))}`);
}

const checksumOf = (bytes: Buffer): string => `crc32:${crc32(bytes).toString(16).padStart(8, '0')}`;

describe('a landing', () => {
  it('is the exact bytes and a manifest that says what they are; nothing else stays', async () => {
    const body = csvOf(3 * MIB);
    const spec = serve({ body, etag: '"1"' });
    const seen: LandProgress[] = [];
    const manifest = await landed(spec, { onProgress: (each) => seen.push(each) });
    assert.deepEqual(await readFile(store.uri(KEY)), body);
    assert.deepEqual(await files(), ['all.csv', 'all.csv.manifest.json']);
    assert.deepEqual(await readLanding(store, KEY), manifest);
    assert.equal(manifest.bytes, body.length);
    assert.equal(manifest.checksum, checksumOf(body));
    assert.deepEqual(manifest.validator, { etag: '"1"' });
    assert.equal(manifest.url, spec.address);
    assert.match(manifest.landedAt, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
    const records = (body.length - 5) / Buffer.byteLength('"one\ntwo",3\r\n');
    assert.equal(manifest.scan.records, records);
    assert.deepEqual(seen.at(-1), { bytes: body.length, totalBytes: body.length, records });
  });

  it('is the same when it is done again, without another download', async () => {
    const spec = serve({ body: csvOf(8 * MIB), etag: '"1"' });
    const first = await landed(spec);
    assert.deepEqual(await landed(spec), first);
    assert.ok((requestsOf(spec)[1]?.bytesSent ?? Infinity) < first.bytes);
  });

  it('without validators is compared byte by byte when it is done again', async () => {
    const spec = serve({ body: csvOf(MIB) });
    assert.deepEqual(await landed(spec), await landed(spec));
    assert.deepEqual(await files(), ['all.csv', 'all.csv.manifest.json']);
  });

  it('is never overwritten by another version, which lies beside it', async () => {
    const versions = [csvOf(MIB), csvOf(MIB, 'two'), csvOf(MIB, 'three')];
    const keys: string[] = [];
    for (const body of versions) keys.push((await landed(serve({ body }))).rawKey);
    assert.deepEqual(
      keys.map((key) => key.slice(dirname(KEY).length)),
      ['/all.csv', '/_landing2/all.csv', '/_landing3/all.csv'],
    );
    for (const [index, body] of versions.entries()) {
      assert.deepEqual(await readFile(store.uri(keys[index] ?? '')), body);
    }
    // The publisher has an earlier version again, with or without a validator.
    assert.equal((await landed(serve({ body: versions[1] ?? '' }))).rawKey, keys[1]);
    assert.equal((await files()).length, 2 * versions.length, 'and no partial');
  });

  it('leaves a file without manifest alone: its writer may be about to write one', async () => {
    const body = csvOf(MIB);
    await mkdir(dirname(store.uri(KEY)), { recursive: true });
    await writeFile(store.uri(KEY), 'half');
    const { rawKey } = await landed(serve({ body, etag: '"1"' }));
    assert.deepEqual(await readFile(store.uri(rawKey)), body);
    assert.equal(await readFile(store.uri(KEY), 'utf8'), 'half');
  });

  it('takes over its own bytes without manifest, which a killed attempt left', async () => {
    const body = csvOf(MIB);
    await mkdir(dirname(store.uri(KEY)), { recursive: true });
    await writeFile(store.uri(KEY), body);
    assert.equal((await landed(serve({ body, etag: '"1"' }))).rawKey, KEY);
    assert.deepEqual(await files(), ['all.csv', 'all.csv.manifest.json']);
  });

  it('keeps problems of the content for the inspection', async () => {
    const manifest = await landed(serve({ body: 'a,b\n1\n' }));
    assert.equal(manifest.scan.problems[0]?.kind, 'ragged');
    assert.throws(() => assertReadable(manifest.scan, 'all'), { code: 'SOURCE_RAGGED' });
  });

  it('reads a file of this machine where that is allowed', async () => {
    const path = join(root, 'source.csv');
    const body = csvOf(2 * MIB);
    await writeFile(path, body);
    const spec = { ...serve({}), address: await named(path) };
    assert.equal((await landed(spec)).checksum, checksumOf(body));
  });

  it('counted again from the disk is the same', async () => {
    const manifest = await landed(serve({ body: csvOf(3 * MIB) }));
    const { signal } = new AbortController();
    const again = await rescan(store.location(KEY), manifest.scan.dialect, () => undefined, signal);
    const { bytes, checksum, scan } = manifest;
    assert.deepEqual(asJson(again), { bytes, checksum, scan });
  });
});

describe('going on after an interruption', () => {
  it('an abort keeps every byte, and the next attempt asks only for the rest', async () => {
    const body = csvOf(20 * MIB);
    const slow = { bytesPerSecond: 10 * MIB };
    const spec = serve((n) => ({ body, etag: '"1"', ...(n === 1 ? slow : {}) }));
    const controller = new AbortController();
    const reason = new Error('shutting down');
    let seenBytes = 0;
    const attempt = landed(spec, {
      signal: controller.signal,
      onProgress: ({ bytes }) => {
        seenBytes = bytes;
        if (bytes >= 2 * MIB) controller.abort(reason);
      },
    });
    await assert.rejects(attempt, reason);
    const kept = (await stat(store.uri(`${KEY}.partial`))).size;
    assert.ok(kept >= seenBytes);
    await landed(spec);
    assert.equal(requestsOf(spec)[1]?.range, `bytes=${kept}-`);
    assert.deepEqual(await readFile(store.uri(KEY)), body);
  });

  it('a body cut short is gone on with from its last byte', async () => {
    const body = csvOf(20 * MIB);
    const spec = serve((n) => ({
      body,
      etag: '"1"',
      ...(n === 1 ? { cutAfterBytes: 18 * MIB } : {}),
    }));
    await assert.rejects(landed(spec), { code: 'SOURCE_TRUNCATED' });
    assert.deepEqual(await files(), ['all.csv.partial', 'all.csv.partial.checkpoint.json']);
    const manifest = await landed(spec);
    assert.equal(requestsOf(spec)[1]?.range, `bytes=${18 * MIB}-`);
    assert.equal(manifest.checksum, checksumOf(body));
    assert.deepEqual(await readFile(store.uri(KEY)), body);
    assert.deepEqual(manifest.scan, asJson((await landedAfresh(body)).scan));
  });

  it('of a source that changed takes the new version alone', async () => {
    const [before, now] = [csvOf(20 * MIB), csvOf(16 * MIB, 'new')];
    const spec = serve((n) =>
      n === 1 ? { body: before, etag: '"1"', cutAfterBytes: 18 * MIB } : { body: now, etag: '"2"' },
    );
    await assert.rejects(landed(spec), { code: 'SOURCE_TRUNCATED' });
    const manifest = await landed(spec);
    assert.deepEqual(await readFile(store.uri(KEY)), now);
    assert.deepEqual(manifest.validator, { etag: '"2"' });
  });

  it('of a server that ignores Range starts anew', async () => {
    const body = csvOf(16 * MIB);
    const spec = serve((n) => ({
      body,
      etag: '"1"',
      ranges: false,
      ...(n === 1 ? { cutAfterBytes: 14 * MIB } : {}),
    }));
    await assert.rejects(landed(spec), { code: 'SOURCE_TRUNCATED' });
    await landed(spec);
    assert.deepEqual(await readFile(store.uri(KEY)), body);
  });

  it('of a source without validators starts anew', async () => {
    const body = csvOf(16 * MIB);
    const spec = serve((n) => ({ body, ...(n === 1 ? { cutAfterBytes: 14 * MIB } : {}) }));
    await assert.rejects(landed(spec), { code: 'SOURCE_TRUNCATED' });
    assert.deepEqual(await files(), ['all.csv.partial']);
    await landed(spec);
    assert.equal(requestsOf(spec)[1]?.range, undefined);
    assert.deepEqual(await readFile(store.uri(KEY)), body);
  });

  const damages: [string, (checkpoint: string, partial: string) => Promise<void>][] = [
    ['is cut off', async (path) => await writeFile(path, (await readFile(path)).subarray(0, 500))],
    ['is empty', async (path) => await writeFile(path, '')],
    ['is other JSON', async (path) => await writeFile(path, '{"format":"longhaul/checkpoint/3"}')],
    [
      'has another digit',
      async (path) => {
        const text = await readFile(path, 'utf8');
        await writeFile(path, text.replace(/(bytes\\":)(\d)/, '$19'));
      },
    ],
    ['covers more than the file has', async (_, partial) => await writeFile(partial, 'short')],
    ['has lost its file', async (_, partial) => await rm(partial)],
  ];
  for (const [name, damage] of damages) {
    it(`starts anew where the checkpoint ${name}`, async () => {
      const body = csvOf(4 * MIB);
      const spec = serve((n) => ({
        body,
        etag: '"1"',
        ...(n === 1 ? { cutAfterBytes: 3 * MIB } : {}),
      }));
      await assert.rejects(landed(spec), { code: 'SOURCE_TRUNCATED' });
      await damage(store.uri(`${KEY}.partial.checkpoint.json`), store.uri(`${KEY}.partial`));
      await landed(spec);
      assert.equal(requestsOf(spec)[1]?.range, undefined);
      assert.deepEqual(await readFile(store.uri(KEY)), body);
    });
  }

  it('cuts off what the partial file has beyond its checkpoint', async () => {
    const body = csvOf(4 * MIB);
    const spec = serve((n) => ({
      body,
      etag: '"1"',
      ...(n === 1 ? { cutAfterBytes: 3 * MIB } : {}),
    }));
    await assert.rejects(landed(spec), { code: 'SOURCE_TRUNCATED' });
    await writeFile(store.uri(`${KEY}.partial`), Buffer.alloc(6 * MIB, '?'), { flag: 'a' });
    await landed(spec);
    assert.equal(requestsOf(spec)[1]?.range, `bytes=${3 * MIB}-`);
    assert.deepEqual(await readFile(store.uri(KEY)), body);
  });

  it('is over once the partial file is discarded', async () => {
    const spec = serve({ body: csvOf(4 * MIB), etag: '"1"', cutAfterBytes: 3 * MIB });
    await assert.rejects(landed(spec), { code: 'SOURCE_TRUNCATED' });
    await discardPartial(store, KEY);
    await discardPartial(store, KEY);
    assert.deepEqual(await files(), []);
  });

  it('a local file that changes while it is read is read once more', async () => {
    const path = join(root, 'source.csv');
    await writeFile(path, csvOf(8 * MIB));
    const now = csvOf(9 * MIB, 'new');
    const spec = { ...serve({}), address: await named(path) };
    let changed = false;
    const manifest = await landed(spec, {
      onProgress: () => {
        if (!changed) writeFileSync(path, now);
        changed = true;
      },
    });
    assert.equal(manifest.checksum, checksumOf(now));
  });
});

describe('what is no CSV file', () => {
  const cases: [string, Buffer | string, ErrorCode][] = [
    ['nothing', '', 'SOURCE_EMPTY'],
    ['only blank lines', '\r\n\r\n', 'SOURCE_EMPTY'],
    ['a web page', '\n<!DOCTYPE html><html><body>Log in</body></html>', 'SOURCE_IS_HTML'],
    ['an error in JSON', '{"error":{"code":400,"message":"Item gone"}}', 'SOURCE_NOT_CSV'],
    ['a zip file', Buffer.from('504b030414000000', 'hex'), 'SOURCE_COMPRESSED'],
    ['a gzip file', Buffer.from('1f8b0800000000', 'hex'), 'SOURCE_COMPRESSED'],
    ['UTF-16', Buffer.from('\ufeffa,b\n1,2\n', 'utf16le'), 'SOURCE_ENCODING_UNSUPPORTED'],
  ];
  for (const [name, body, code] of cases) {
    it(`${name} is ${code} to probe and landing, and nothing stays`, async () => {
      const spec = serve({ body, etag: '"1"' });
      await assert.rejects(probe(spec, { http, addresses }), { code, details: { source: 'all' } });
      await assert.rejects(landed(spec), { code, details: { source: 'all' } });
      assert.deepEqual(await files(), []);
    });
  }
});

describe('probe', () => {
  it('finds version and length by the first MiB', async () => {
    const body = csvOf(5 * MIB);
    for (const ranges of [true, false]) {
      const spec = serve({ body, etag: '"1"', ranges });
      assert.deepEqual(asJson(await probe(spec, { http, addresses })), {
        validator: { etag: '"1"' },
        totalBytes: body.length,
      });
    }
  });

  it('works where there is no length, and with files shorter than its range', async () => {
    const big = await probe(serve({ body: csvOf(5 * MIB), chunked: true, ranges: false }), {
      http,
      addresses,
    });
    assert.equal(big.totalBytes, undefined);
    const small = await probe(serve({ body: '\ufeffa;b\n', chunked: true }), { http, addresses });
    assert.equal(small.totalBytes, 7);
    const unclear = probe(serve({ body: '1;2\n3;4\n' }), { http, addresses });
    await assert.rejects(unclear, { code: 'SOURCE_HEADER_UNCLEAR' });
  });
});

describe('a lake that cannot be written', () => {
  it('under a file', async () => {
    await writeFile(join(root, 'demo'), '');
    const spec = serve({ body: 'a,b\n1,2\n' });
    await assert.rejects(landed(spec), { code: 'LAKE_NOT_WRITABLE' });
  });

  const skip = process.getuid?.() === 0 && 'permission bits do not bind root';
  it('without permission', { skip }, async () => {
    await mkdir(join(root, 'demo'), { mode: 0o555 });
    const spec = serve({ body: 'a,b\n1,2\n' });
    await assert.rejects(landed(spec), { code: 'LAKE_NOT_WRITABLE' });
  });
});

it('a partial file without a finished first MiB leaves nothing to go on with', async () => {
  const spec = serve({ body: csvOf(MIB), etag: '"1"', cutAfterBytes: 1000 });
  await assert.rejects(landed(spec), { code: 'SOURCE_TRUNCATED' });
  assert.equal((await stat(store.uri(`${KEY}.partial`))).size, 0);
});

async function landedAfresh(body: Buffer): Promise<LandingManifest> {
  const other = new DiskStore(join(root, 'afresh'));
  return await land(
    { dataset: 'demo', ingestDate: '2026-11-01', source: serve({ body }), rawKey: KEY },
    { store: other, http, addresses },
    { signal: new AbortController().signal, onProgress: () => undefined },
  );
}
