import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { crc32 } from 'node:zlib';
import { land } from '../../src/landing/land.ts';
import { ZONE_FOLDERS } from '../../src/model/layout.ts';
import type { LandingManifest } from '../../src/model/manifest.ts';
import { DiskStore } from '../../src/storage/disk-store.ts';
import { freeSpace } from '../../src/storage/free-space.ts';
import { bigBody, landInProcess, MIB, type LandingLine } from '../helpers/landings.ts';
import { startOrigin, type Origin } from '../helpers/origin.ts';
import { until } from '../helpers/processes.ts';
import { withSmallDisk } from '../helpers/small-disk.ts';

const KEY = 'demo/ingest_date=2026-11-01/source=all/all.csv';
const MAX_REREAD_BYTES = 32 * MIB;
const MAX_MEMORY_BYTES = 96 * MIB;

let origin: Origin;
let root: string;
before(async () => {
  origin = await startOrigin({});
  root = await mkdtemp(join(tmpdir(), 'longhaul-landing-'));
});
after(async () => {
  await origin.close();
  await rm(root, { recursive: true, force: true });
});

/** Runs a landing process to its end, or kills it with SIGKILL when `until` says so. */
async function landInto(
  folder: string,
  address: string,
  until: (line: LandingLine) => boolean = () => false,
): Promise<LandingLine> {
  const lake = { kind: 'disk', folder } as const;
  const onLine = (line: LandingLine, child: ChildProcess): void => {
    if (until(line)) child.kill('SIGKILL');
  };
  return await landInProcess({ address, lake, key: KEY, onLine }).end;
}

it('a killed worker is gone on with; at most 32 MiB are read again, and no byte is wrong', async () => {
  const folder = join(root, 'killed');
  const body = bigBody(100);
  origin.set('/killed.csv', (n) => ({
    body,
    etag: '"1"',
    ...(n === 1 ? { bytesPerSecond: 150 * MIB } : {}),
  }));
  const address = origin.address('/killed.csv');
  await landInto(folder, address, ({ bytes = 0 }) => bytes > 40 * MIB);
  const end = await landInto(folder, address);
  const [first, second] = origin.requestsTo('/killed.csv');
  const offset = Number(/^bytes=(\d+)-$/.exec(second?.range ?? '')?.[1]);
  assert.ok(offset > 0, 'the second process goes on');
  assert.ok((first?.bytesSent ?? Infinity) - offset <= MAX_REREAD_BYTES);
  assert.equal(end.checksum, body.checksum);
  assert.equal(
    crc32(await readFile(join(folder, ZONE_FOLDERS.raw, KEY))),
    Number.parseInt(body.checksum.slice(6), 16),
  );
  assert.equal(end.records, body.records);
});

it('memory stays flat whatever the size', async (t) => {
  const body = bigBody(1000);
  origin.set('/big.csv', { body, etag: '"1"' });
  const end = await landInto(join(root, 'big'), origin.address('/big.csv'));
  assert.equal(end.checksum, body.checksum);
  const above = (end.peakRss ?? Infinity) - (end.idleRss ?? 0);
  const size = `${(body.bytes / 1e6).toFixed(0)} MB`;
  t.diagnostic(
    `${size} in ${end.seconds?.toFixed(2)} s, ${(above / MIB).toFixed(0)} MiB above idle`,
  );
  assert.ok(above <= MAX_MEMORY_BYTES, `${above} bytes above idle`);
});

describe('a disk that gets full', () => {
  it('by others: the file is cut back to its checkpoint, and the landing goes on from there', async (t) => {
    const body = bigBody(60);
    const disk = { folder: join(root, 'others'), size: '150m' };
    await withSmallDisk(t, disk, async ({ folder, fill }) => {
      let goOn = (): void => undefined;
      const filled = new Promise<void>((done) => (goOn = done));
      const pauseAfterBytes = { bytes: 40 * MIB, until: filled };
      origin.set('/others.csv', (n) => ({
        body,
        etag: '"1"',
        ...(n === 1 && { pauseAfterBytes }),
      }));
      const address = origin.address('/others.csv');
      const landing = landInto(folder, address);
      await until('the file is on its way', async () =>
        Promise.resolve((origin.requestsTo('/others.csv')[0]?.bytesSent ?? 0) >= 40 * MIB),
      );
      const makeRoom = await fill();
      goOn();
      assert.equal((await landing).code, 'DISK_FULL');
      const { size } = await stat(join(folder, ZONE_FOLDERS.raw, `${KEY}.partial`));
      assert.ok(size > 10 * MIB, `${size} bytes are kept`);
      await makeRoom();
      assert.equal((await landInto(folder, address)).checksum, body.checksum);
      assert.equal(origin.requestsTo('/others.csv')[1]?.range, `bytes=${size}-`);
    });
  });

  it('by a file of unknown length: it ends at the reserve, and goes on from there', async (t) => {
    const body = bigBody(60);
    const disk = { folder: join(root, 'unknown'), size: '100m' };
    await withSmallDisk(t, disk, async ({ folder, grow }) => {
      origin.set('/unknown.csv', { body, etag: '"1"', chunked: true });
      const address = origin.address('/unknown.csv');
      assert.equal((await landInto(folder, address)).code, 'DISK_FULL');
      assert.ok((await freeSpace(folder)).bytes > 50 * MIB);
      grow('200m');
      assert.equal((await landInto(folder, address)).checksum, body.checksum);
      assert.match(origin.requestsTo('/unknown.csv')[1]?.range ?? '', /^bytes=\d{8}-$/);
    });
  });

  it('by two files at once: the second is refused before its first byte, the first lands', async (t) => {
    const body = bigBody(40);
    const disk = { folder: join(root, 'two'), size: '130m' };
    await withSmallDisk(t, disk, async ({ folder }) => {
      let goOn = (): void => undefined;
      const refused = new Promise<void>((done) => (goOn = done));
      origin.set('/first.csv', {
        body,
        etag: '"1"',
        pauseAfterBytes: { bytes: 2 * MIB, until: refused },
      });
      origin.set('/second.csv', { body, etag: '"1"' });
      let first: Promise<LandingManifest> | undefined;
      await new Promise<void>((begun) => {
        first = landHere('/first.csv', folder, begun);
      });
      const refusal = { code: 'DISK_FULL', message: /for other landings/ };
      await assert.rejects(landHere('/second.csv', folder), refusal);
      goOn();
      assert.equal((await first)?.checksum, body.checksum);
    });
  });
});

async function landHere(
  path: string,
  folder: string,
  onProgress: () => void = () => undefined,
): Promise<LandingManifest> {
  return await land(
    {
      dataset: 'demo',
      ingestDate: '2026-11-01',
      source: { id: 'all', address: origin.address(path), optional: false, overrides: {} },
      rawKey: path.slice(1),
    },
    {
      store: new DiskStore(folder),
      http: { connectTimeoutMs: 5000, stallTimeoutMs: 60_000 },
      addresses: { allowPrivate: true },
    },
    { signal: new AbortController().signal, onProgress },
  );
}
