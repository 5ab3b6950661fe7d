import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { join, resolve } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import type { ErrorCode } from '../../src/model/errors.ts';
import { freeSpace } from '../../src/storage/free-space.ts';
import { withLab, type Lab } from '../helpers/lab.ts';
import { until } from '../helpers/processes.ts';
import { withS3Lab } from '../helpers/s3-lab.ts';
import { withSmallDisk, type SmallDisk } from '../helpers/small-disk.ts';

const CLI = resolve(import.meta.dirname, '../../dist/cli/main.js');
const MIB = 1024 * 1024;
/** The publisher pauses while the test fills the disk. The pause must not end the download. */
const PATIENT = { HTTP_STALL_TIMEOUT_SECONDS: '60' };
/** The field is quoted, as in real files. The Parquet of these records is small. */
const RECORD = '"one, and\ntwo",07/31/2015 12:47:35 PM,3,,Public Works\r\n';
const HEADER = 'a,b,c,d,e\r\n';

function csv(mebibytes: number): { body: string; records: number } {
  const records = Math.floor((mebibytes * MIB) / RECORD.length);
  return { body: HEADER + RECORD.repeat(records), records };
}

interface Failure {
  error: { code: ErrorCode; message: string; hint: string; retryable: boolean };
}

interface Published {
  status: string;
  ledger: { records: number; rows: number };
}

/** The state folder and the lake share the disk, as they do by default. */
async function onSmallDisk(
  t: TestContext,
  size: { size: string; files?: number },
  body: (lab: Lab, disk: SmallDisk) => Promise<void>,
): Promise<void> {
  await withLab({ up: false }, async (lab) => {
    await withSmallDisk(t, { folder: lab.lakeDir, ...size }, async (disk) => {
      try {
        await body(lab, disk);
      } finally {
        await lab.run(['down', '--force']);
      }
    });
  });
}

async function assertFails(lab: Lab, code: ErrorCode, says: RegExp): Promise<string> {
  const { json, code: exitCode } = await lab.json<Failure>(['ingest', 'big']);
  assert.equal(json.error?.code, code, JSON.stringify(json));
  assert.match(json.error.message, says);
  assert.equal(exitCode, 6);
  assert.deepEqual(await lab.published(), []);
  return /longhaul retry (\S+)`/.exec(json.error.hint)?.[1] ?? '';
}

/** Fills the disk as another program would while a file arrives. Frees the disk before it returns. */
async function assertSaysFull(lab: Lab, body: string, fill: SmallDisk['fill']): Promise<void> {
  let goOn = (): void => undefined;
  const filled = new Promise<void>((done) => (goOn = done));
  const pauseAfterBytes = { bytes: 40 * MIB, until: filled };
  lab.origin.set('/big.csv', (n) => ({ body, etag: '"1"', ...(n === 2 && { pauseAfterBytes }) }));
  await lab.datasets({ big: { a: lab.origin.address('/big.csv') } });
  const { ended } = lab.start(['ingest', 'big', '--json'], { env: PATIENT });
  await until('the file is on its way', async () =>
    Promise.resolve((lab.origin.requestsTo('/big.csv')[1]?.bytesSent ?? 0) >= 40 * MIB),
  );
  const makeRoom = await fill();
  goOn();
  const { stdout, code } = await ended;
  const { error } = JSON.parse(stdout) as Failure;
  assert.deepEqual([error.code, code], ['DISK_FULL', 6], stdout);
  assert.match(error.hint, /same command|longhaul retry/);
  await makeRoom();
}

async function assertPublishes(
  lab: Lab,
  args: string[],
  records: number,
  env: Record<string, string> = {},
): Promise<void> {
  const { json, code, stderr } = await lab.json<Published>(args, { env });
  assert.equal(code, 0, JSON.stringify(json) + stderr);
  assert.deepEqual([json.status, json.ledger.rows], ['published', records]);
}

/** Start of the last request's range, `bytes=<start>-`. */
function lastStart(lab: Lab): number {
  const { range = '' } = lab.origin.requestsTo('/big.csv').at(-1) ?? {};
  return Number(/^bytes=(\d+)-$/.exec(range)?.[1] ?? 0);
}

describe('a disk that state folder and lake share', () => {
  it('refuses a file that does not fit before its first byte, with the numbers; a retry publishes it', async (t) => {
    const { body, records } = csv(60);
    await onSmallDisk(t, { size: '120m' }, async (lab, { grow }) => {
      lab.origin.set('/big.csv', { body, etag: '"1"' });
      await lab.datasets({ big: { a: lab.origin.address('/big.csv') } });
      const run = await assertFails(
        lab,
        'DISK_FULL',
        /^\d+ MiB are free .* 139 MiB are needed: 60\.0 MiB .* 15\.0 MiB for its Parquet, 64\.0 MiB/,
      );
      const sent = lab.origin.requestsTo('/big.csv').at(-1)?.bytesSent ?? 0;
      assert.ok(
        sent < 8 * MIB,
        `${sent} bytes were sent: more than lies in a connection's buffers`,
      );
      grow('200m');
      await assertPublishes(lab, ['retry', run], records);
    });
  });

  it('keeps a reserve from a file of unknown length; a retry goes on from there', async (t) => {
    const { body, records } = csv(80);
    await onSmallDisk(t, { size: '120m' }, async (lab, { grow }) => {
      lab.origin.set('/big.csv', { body, etag: '"1"', chunked: true });
      await lab.datasets({ big: { a: lab.origin.address('/big.csv') } });
      const run = await assertFails(lab, 'DISK_FULL', /^Only [56]\d\.\d MiB are free .* 64\.0 MiB/);
      grow('220m');
      await assertPublishes(lab, ['retry', run], records);
      assert.ok(lastStart(lab) > 40 * MIB, `went on at ${lastStart(lab)}`);
    });
  });

  it('is said to be full by the command where others filled it; the same command goes on', async (t) => {
    const { body, records } = csv(60);
    await onSmallDisk(t, { size: '220m' }, async (lab, { fill }) => {
      await assertSaysFull(lab, body, fill);
      await assertPublishes(lab, ['ingest', 'big'], records, PATIENT);
      assert.ok(lastStart(lab) > 10 * MIB, `went on at ${lastStart(lab)}`);
    });
  });

  it('says that no inodes are left', async (t) => {
    await onSmallDisk(t, { size: '200m', files: 30 }, async (lab) => {
      lab.origin.set('/big.csv', csv(1));
      await lab.datasets({ big: { a: lab.origin.address('/big.csv') } });
      await assertFails(lab, 'DISK_FULL', /^No inodes are left .* 1\d\d MiB are free/);
    });
  });

  it('is not writable where it is mounted for reading', async (t) => {
    await onSmallDisk(t, { size: '200m' }, async (lab, { makeReadOnly }) => {
      await lab.datasets({ big: { a: lab.origin.address('/big.csv') } });
      makeReadOnly();
      await assertFails(lab, 'LAKE_NOT_WRITABLE', /read-only/);
    });
  });
});

describe('a lake on a disk of its own', () => {
  it('is not writable where that is mounted for reading', async (t) => {
    await withLab({}, async (lab) => {
      lab.origin.set('/big.csv', csv(1));
      await lab.datasets({ big: { a: lab.origin.address('/big.csv') } });
      const disk = { folder: join(lab.lakeDir, 'takehome-raw'), size: '200m' };
      await withSmallDisk(t, disk, async ({ makeReadOnly }) => {
        makeReadOnly();
        await assertFails(lab, 'LAKE_NOT_WRITABLE', /read-only/);
      });
    });
  });
});

describe('a disk that a conversion fills', () => {
  it('gets back what the attempt took of it at once; a retry goes on with the landing', async (t) => {
    const records = 1_000_000;
    // Random data does not compress, so writing the Parquet takes long enough for the test to see it.
    const noise = randomBytes(records * 30).toString('base64');
    const line = (n: number): string => `${n},${noise.slice(n * 40, (n + 1) * 40)}\r\n`;
    const body = `id,noise\r\n${Array.from({ length: records }, (_, n) => line(n)).join('')}`;
    await withLab({}, async (lab) => {
      lab.origin.set('/big.csv', { body, etag: '"1"' });
      await lab.datasets({ big: { a: lab.origin.address('/big.csv') } });
      const disk = { folder: join(lab.lakeDir, 'takehome-converted'), size: '66m' };
      await withSmallDisk(t, disk, async ({ folder, grow }) => {
        try {
          const run = await assertFails(lab, 'DISK_FULL', /^Only [56]\d\.\d MiB are free/);
          const left = (await lab.lakeFiles()).filter((path) => /parquet|scratch/.test(path));
          assert.deepEqual(left, []);
          assert.ok((await freeSpace(folder)).bytes > 65 * MIB);
          const asked = lab.origin.requestsTo('/big.csv').length;
          grow('200m');
          await assertPublishes(lab, ['retry', run], records);
          const again = lab.origin.requestsTo('/big.csv').slice(asked);
          assert.ok(
            again.every(({ range }) => range === 'bytes=0-1048575'),
            'only probed',
          );
        } finally {
          await lab.run(['down', '--force']);
        }
      });
    });
  });
});

describe('a lake in S3', () => {
  it('the disk of the state folder is said to be full; the same command goes on', async (t) => {
    const { body, records } = csv(60);
    await withS3Lab({ up: false }, async (lab) => {
      await withSmallDisk(t, { folder: lab.lakeDir, size: '100m' }, async ({ fill }) => {
        try {
          await assertSaysFull(lab, body, fill);
          await assertPublishes(lab, ['ingest', 'big'], records, PATIENT);
        } finally {
          await lab.run(['down', '--force']);
        }
      });
    });
  });
});

describe('a limit on open files', () => {
  it('is an error of the catalogue, and JSON all the same', async () => {
    await withLab({ up: false }, async (lab) => {
      const { stdout, status: code } = spawnSync(
        '/bin/sh',
        ['-c', 'ulimit -n 64 && exec "$@"', 'sh', process.execPath, CLI, 'runs', '--json'],
        { cwd: lab.folder, env: lab.env, encoding: 'utf8' },
      );
      const { error } = JSON.parse(stdout) as Failure;
      assert.deepEqual([error.code, code], ['TOO_MANY_OPEN_FILES', 2]);
    });
  });
});
