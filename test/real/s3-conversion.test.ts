import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { after, before, suite, test } from 'node:test';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createEngine } from '../../src/conversion/convert-source.ts';
import type { PartSizes } from '../../src/conversion/parts.ts';
import { LonghaulError } from '../../src/model/errors.ts';
import type { SnapshotManifest } from '../../src/model/manifest.ts';
import { checksumAt } from '../../src/storage/location.ts';
import { S3Store } from '../../src/storage/s3/s3-store.ts';
import { readFooter } from '../../src/verification/footers.ts';
import { verifySnapshot } from '../../src/verification/verify-snapshot.ts';
import { landingJson } from '../helpers/manifests.ts';
import { startS3, type TestS3 } from '../helpers/s3.ts';
import { engineContract } from '../conversion/engine-contract.ts';
import {
  converted,
  expectedRows,
  inspected,
  landed,
  namesBelow,
  readBack,
  requestOf,
  scratch,
  type Sample,
} from '../conversion/samples.ts';

const settings = { memoryLimit: '1GiB', threads: 2, httpfs: process.env['DUCKDB_HTTPFS'] };
/** Spark has its own tests in spark-engine.test.ts. */
const HERE = ['duckdb', 'parquetjs'] as const;
/** Small sizes, so that a file has several ranges. A range spans a few split points. */
const SMALL: PartSizes = {
  maxWholeBytes: 200_000,
  sampleBytes: 200_000 / 4,
  maxRangeBytes: 250_000,
  partBytes: 1e9,
  maxPartBytes: 1e9,
};
const SPACING_BYTES = 50_000;

let s3: TestS3;
let temporary: string;
let zones = 0;
let gatewayProcesses = 0;

before(async () => {
  s3 = await startS3();
  gatewayProcesses = childProcesses();
  // This file has its own folder, because killed workers of other tests also leave scratch folders.
  temporary = await mkdtemp(join(tmpdir(), 'longhaul-test-'));
  Object.assign(process.env, s3.env, { TMPDIR: temporary });
});
after(async () => {
  await rm(temporary, { recursive: true, force: true });
  await s3.close();
});

function bucket(): S3Store {
  zones += 1;
  return new S3Store(s3.settings, `zone-${zones}/`);
}

for (const name of HERE) {
  engineContract(
    `${name} in S3`,
    () => createEngine(name, settings),
    async () => await Promise.resolve(bucket()),
  );
}

/** Contents of about a megabyte or more. Each record contains its number. */
const CONTENTS: Record<string, { content: Buffer; encoding?: 'windows-1252' }> = {
  'plain records': { content: numbered((n) => `${n},plain words,1.5`) },
  'quoted line breaks': {
    content: numbered((n) => `${n},"one\r\n${n},x,2\r\n""two""",1.25`),
  },
  'Windows-1252': {
    content: numbered((n) => `${n},caf\u00e9 \u0093${n}\u0094,0.5`),
    encoding: 'windows-1252',
  },
  'values that start with a byte order mark': {
    content: numbered((n) => `\u00ef\u00bb\u00bf${n},words,1`),
  },
  'blank lines and bare quotes': { content: numbered((n) => `${n},5" pipe,1\r\n`) },
};

function numbered(recordOf: (n: number) => string): Buffer {
  const records = Array.from({ length: 30_000 }, (_, n) => recordOf(n));
  return Buffer.from(`n,words,x\r\n${records.join('\r\n')}\r\n`, 'latin1');
}

for (const name of HERE) {
  suite(`${name} in parts`, () => {
    for (const [what, { content, encoding }] of Object.entries(CONTENTS)) {
      test(`${what}: on disk and in S3 the same rows, in the file's order`, async (t) => {
        const engine = createEngine(name, settings, SMALL);
        const rows: (string | null)[][][] = [];
        for (const store of [await scratch(t), bucket()]) {
          const file = await landed(store, content, { encoding, spacing: SPACING_BYTES });
          const result = await converted(engine, file);
          assert.ok(result.parts.length >= 3, `${result.parts.length} parts`);
          assert.deepEqual(await namesBelow(store, 'out/'), result.parts);
          let counted = 0;
          for (const part of result.parts) {
            counted += (await readFooter(store, `out/${part}`)).rows;
          }
          assert.equal(counted, file.scan.records);
          rows.push((await readBack(result)).rows);
          if (rows.length === 1) assert.deepEqual(rows[0], expectedRows(file, result.schema));
        }
        assert.deepEqual(rows[1], rows[0]);
      });
    }

    test('cancelled in a later part, it leaves no object, upload, scratch file or process', async () => {
      const controller = new AbortController();
      const file = await largeFile(5);
      const conversion = createEngine(
        name,
        settings,
        SMALL,
      )({
        ...requestOf(file, await inspected(file)),
        signal: controller.signal,
        onProgress: ({ bytes }) => {
          if (bytes > 3 * SMALL.maxWholeBytes) controller.abort(new Error('cancelled'));
        },
      });
      await assert.rejects(conversion, /cancelled/);
      await assertNothingLeft(file);
    });
  });
}

test('cancelled in the middle of an upload, DuckDB leaves none', async () => {
  const controller = new AbortController();
  const file = await largeFile(60);
  const store = file.store as S3Store;
  let uploads: string[] = [];
  const watch = async (): Promise<void> => {
    while (!controller.signal.aborted) {
      uploads = (await namesBelow(store, 'out/')).filter((each) => each.startsWith('upload'));
      if (uploads.length > 0) controller.abort(new Error('cancelled'));
    }
  };
  const conversion = createEngine(
    'duckdb',
    settings,
  )({
    ...requestOf(file, await inspected(file)),
    signal: controller.signal,
  });
  const watching = watch();
  await assert.rejects(
    conversion.finally(() => controller.abort(new Error('It was over too soon.'))),
    /cancelled/,
  );
  await watching;
  assert.equal(uploads.length, 1);
  await assertNothingLeft(file);
});

test('a killed worker’s scratch folder goes with the next conversion, a living one’s stays', async () => {
  const killed = spawn(process.execPath, ['-e', 'process.kill(process.pid, "SIGKILL")']);
  await once(killed, 'close');
  const owned = (pid: number | undefined): string => `longhaul-scratch-${hostname()}-${pid}-x`;
  const left = join(temporary, owned(killed.pid));
  const held = join(temporary, owned(process.ppid));
  await mkdir(left);
  await mkdir(held);
  try {
    const content = CONTENTS['plain records']?.content ?? '';
    await converted(createEngine('duckdb', settings, SMALL), await landed(bucket(), content));
    assert.deepEqual(await scratchFolders(), [owned(process.ppid)]);
  } finally {
    await rm(held, { recursive: true });
  }
});

test('refused credentials are an error of their own, after one more try, and are not shown', async () => {
  const file = await landed(bucket(), CONTENTS['plain records']?.content ?? '');
  const schema = await inspected(file);
  process.env['AWS_SECRET_ACCESS_KEY'] = 'wrong-secret';
  try {
    const refused = createEngine('duckdb', settings)(requestOf(file, schema));
    await assert.rejects(refused, (error) => {
      assert.ok(error instanceof LonghaulError);
      assert.equal(error.code, 'STORE_CREDENTIALS');
      assert.doesNotMatch(error.message, /wrong-secret/);
      return true;
    });
  } finally {
    process.env['AWS_SECRET_ACCESS_KEY'] = s3.env.AWS_SECRET_ACCESS_KEY;
  }
  await assertNothingLeft(file);
});

test('verify reads a snapshot in S3 again, and finds what has changed since', async () => {
  const store = bucket();
  const file = await landed(store, 'n,x\n1,a\n2,b\n');
  await converted(createEngine('duckdb', settings), file);
  const key = 'out/00000.parquet';
  const checksum = await checksumAt(file.location);
  const landing = { rawKey: 'sample.csv', scan: file.scan, bytes: file.bytes, checksum };
  await store.put('sample.csv.manifest.json', landingJson(landing));
  const { rows, bytes: partBytes } = await readFooter(store, key);
  const verified = async (partChecksum: string): Promise<string[]> => {
    const part = { key, rows, bytes: partBytes, checksum: partChecksum };
    const counts = { records: 2, rows: 2, rejected: 0 };
    const { dialect } = file.scan;
    const entry = { id: 'a', status: 'converted', rawKey: 'sample.csv', dialect, ...counts };
    const source = { ...entry, bytes: file.bytes, checksum, parquet: [part] };
    const snapshot = { sources: [source] } as unknown as SnapshotManifest;
    const lake = { raw: store, converted: store };
    const signal = new AbortController().signal;
    const [found] = await verifySnapshot(lake, snapshot, { signal, onSource: () => undefined });
    return found?.problems ?? ['not verified'];
  };
  const crc = await checksumAt(store.location(key));
  assert.deepEqual(await verified(crc), []);
  const bytes = (await store.get(key)) ?? Buffer.alloc(0);
  // This byte is in the first page.
  bytes.writeUInt8(bytes.readUInt8(20) ^ 1, 20);
  await store.put(key, bytes);
  await store.put('sample.csv', 'n,x\n1,a\n2,c\n');
  const problems = (await verified(crc)).join('\n');
  assert.match(problems, /as checksum of s3:\/\/.*sample\.csv/);
  assert.match(problems, /as checksum of s3:\/\/.*00000\.parquet/);
});

/** Makes a file of this many MB that does not compress well. */
async function largeFile(megabytes: number): Promise<Sample> {
  const words = randomBytes(megabytes * 750_000).toString('base64');
  const records = Array.from({ length: megabytes * 10_000 }, (_, n) =>
    words.slice(n * 100, n * 100 + 98),
  );
  const content = `n,words\n${records.join(',\n')},\n`;
  return await landed(bucket(), content, { spacing: SPACING_BYTES });
}

async function assertNothingLeft({ store }: Sample): Promise<void> {
  assert.deepEqual(await namesBelow(store, 'out/'), []);
  assert.deepEqual(await scratchFolders(), []);
  assert.equal(childProcesses(), gatewayProcesses);
}

/** Number of child processes that this process waits for. */
function childProcesses(): number {
  return process.getActiveResourcesInfo().filter((each) => each === 'ProcessWrap').length;
}

/** The folder also has files of Node and tsx. */
async function scratchFolders(): Promise<string[]> {
  const names = await readdir(temporary);
  return names.filter((each) => each.startsWith('longhaul-'));
}
