import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { crc32 } from 'node:zlib';
import { startOrigin, type Origin } from '../helpers/origin.ts';
import { withSmallDisk } from '../helpers/small-disk.ts';

const MIB = 1024 * 1024;
const KEY = 'demo/ingest_date=2026-11-01/source=all/all.csv';
const MAX_REREAD_BYTES = 32 * MIB;
const MAX_MEMORY_BYTES = 96 * MIB;

const BLOCK = Buffer.from(
  '"one, and\ntwo",07/31/2015 12:47:35 PM,3,,Public Works\r\n'.repeat(19_000),
);
const HEADER = Buffer.from('a,b,c,d,e\r\n');

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

interface Line {
  bytes?: number;
  checksum?: string;
  records?: number;
  seconds?: number;
  idleRss?: number;
  peakRss?: number;
  code?: string;
}

/** Runs a landing process to its end, or until `until` says so: then it is killed with SIGKILL. */
async function landInProcess(
  address: string,
  folder: string,
  until: (line: Line) => boolean = () => false,
): Promise<Line> {
  const script = fileURLToPath(new URL('../landing/land-process.ts', import.meta.url));
  const child: ChildProcess = spawn(
    process.execPath,
    ['--import', 'tsx', script, address, folder, KEY],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const exited = new Promise((resolve) => child.once('exit', resolve));
  let last: Line = {};
  if (child.stdout) {
    for await (const text of createInterface({ input: child.stdout })) {
      last = JSON.parse(text) as Line;
      if (until(last)) child.kill('SIGKILL');
    }
  }
  await exited;
  return last;
}

/** A file of `blocks` equal blocks that is never in memory as a whole. */
function bigBody(blocks: number) {
  const bytes = HEADER.length + blocks * BLOCK.length;
  async function* read(start: number): AsyncGenerator<Buffer> {
    if (start < HEADER.length) yield HEADER.subarray(start);
    let skip = Math.max(start - HEADER.length, 0);
    for (let index = Math.floor(skip / BLOCK.length); index < blocks; index += 1) {
      yield BLOCK.subarray(skip % BLOCK.length);
      skip = 0;
    }
  }
  let crc = crc32(HEADER);
  for (let index = 0; index < blocks; index += 1) crc = crc32(BLOCK, crc);
  return { bytes, read, checksum: `crc32:${crc.toString(16).padStart(8, '0')}` };
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
  await landInProcess(address, folder, ({ bytes = 0 }) => bytes > 40 * MIB);
  const end = await landInProcess(address, folder);
  const [first, second] = origin.requestsTo('/killed.csv');
  const offset = Number(/^bytes=(\d+)-$/.exec(second?.range ?? '')?.[1]);
  assert.ok(offset > 0, 'the second process goes on');
  assert.ok((first?.bytesSent ?? Infinity) - offset <= MAX_REREAD_BYTES);
  assert.equal(end.checksum, body.checksum);
  assert.equal(
    crc32(await readFile(join(folder, KEY))),
    Number.parseInt(body.checksum.slice(6), 16),
  );
  assert.equal(end.records, 100 * 19_000);
});

it('memory stays flat whatever the size', async (t) => {
  const body = bigBody(1000);
  origin.set('/big.csv', { body, etag: '"1"' });
  const end = await landInProcess(origin.address('/big.csv'), join(root, 'big'));
  assert.equal(end.checksum, body.checksum);
  const above = (end.peakRss ?? Infinity) - (end.idleRss ?? 0);
  const size = `${(body.bytes / 1e6).toFixed(0)} MB`;
  t.diagnostic(
    `${size} in ${end.seconds?.toFixed(2)} s, ${(above / MIB).toFixed(0)} MiB above idle`,
  );
  assert.ok(above <= MAX_MEMORY_BYTES, `${above} bytes above idle`);
});

describe('a full disk', () => {
  it('is said so, and the landing goes on once there is room', async (t) => {
    const body = bigBody(30);
    origin.set('/full.csv', { body, etag: '"1"' });
    const disk = { folder: join(root, 'tiny'), size: '20m' };
    await withSmallDisk(t, disk, async ({ folder, grow }) => {
      const end = await landInProcess(origin.address('/full.csv'), folder);
      assert.equal(end.code, 'DISK_FULL');
      grow('80m');
      const again = await landInProcess(origin.address('/full.csv'), folder);
      assert.equal(again.checksum, body.checksum);
      assert.match(origin.requestsTo('/full.csv')[1]?.range ?? '', /^bytes=\d{7,}-$/);
    });
  });
});
