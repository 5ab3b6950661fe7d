import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import {
  createDuckDbEngine,
  jobError,
  type JobRunner,
} from '../../src/conversion/duckdb/engine.ts';
import { settingsForWidth, type DuckDbJob } from '../../src/conversion/duckdb/plan.ts';
import { PART_SIZES } from '../../src/conversion/parts.ts';
import { LonghaulError, type ErrorCode } from '../../src/model/errors.ts';
import { readFooter } from '../../src/verification/footers.ts';
import { csvFiles, typedValue } from '../csv/csv-files.ts';
import { withTempFolder } from '../helpers/temp-folder.ts';
import {
  converted,
  expectedRows,
  inProcessDuckDb,
  inspected,
  landed,
  namesBelow,
  readBack,
  scratch,
  type Sample,
} from './samples.ts';

const duckdb = inProcessDuckDb();
/** Parts of a few records each. */
const inSmallParts = inProcessDuckDb({
  maxWholeBytes: 20,
  sampleBytes: 20 / 4,
  maxRangeBytes: 40,
  partBytes: 1e9,
  maxPartBytes: 1e9,
});

test('DuckDB writes exactly the rows that csv-parse reads, whatever the dialect and encoding', async (t) => {
  const store = await scratch(t);
  await fc.assert(
    fc.asyncProperty(csvFiles(), async (file) => {
      const sample = await landed(store, file.content, file);
      assert.deepEqual(sample.scan.problems, []);
      const schema = await inspected(sample);
      const { rows } = await readBack(await converted(duckdb, sample, { schema }));
      assert.deepEqual(rows, expectedRows(sample, schema));
      assert.equal(rows.length, sample.scan.records);
    }),
    { numRuns: 30 },
  );
});

test('in parts, it writes the same rows in the same order', async (t) => {
  const store = await scratch(t);
  let parts = 0;
  await fc.assert(
    fc.asyncProperty(csvFiles(), fc.integer({ min: 1, max: 30 }), async (file, spacing) => {
      const sample = await landed(store, file.content, { ...file, spacing });
      const schema = await inspected(sample);
      const result = await converted(inSmallParts, sample, { schema });
      parts = Math.max(parts, result.parts.length);
      const { rows } = await readBack(result);
      assert.deepEqual(rows, expectedRows(sample, schema));
      assert.deepEqual(await namesBelow(store, 'out/'), result.parts);
      await store.deletePrefix('out/');
    }),
    { numRuns: 20 },
  );
  assert.ok(parts > 2, 'there were files of several parts');
});

test('a typed value comes back from Parquet as the publisher wrote it', async (t) => {
  const store = await scratch(t);
  const columns = fc.array(
    fc.oneof(typedValue(), fc.double({ noNaN: true, noDefaultInfinity: true }).map(String)),
    { minLength: 20, maxLength: 20 },
  );
  await fc.assert(
    fc.asyncProperty(columns, async (values) => {
      const header = values.map((_, index) => `v${index}`).join(',');
      const content = Buffer.from(`${header}\n${values.join(',')}\n`);
      const sample = await landed(store, content);
      const schema = await inspected(sample);
      const { rows } = await readBack(await converted(duckdb, sample, { schema }));
      assert.deepEqual(rows, expectedRows(sample, schema));
    }),
    { numRuns: 20 },
  );
});

/** A real publisher's file had as many columns. */
const COLUMNS = 9074;

test('thousands of text columns go through with 1 GiB', async (t) => {
  const store = await scratch(t);
  const line = (text: string) =>
    `${Array.from({ length: COLUMNS }, (_, n) => `${text}${n}`).join()}\n`;
  const sample = await landed(store, ['c', 'x', 'y', 'z'].map(line).join(''));
  const { parts, prefix } = await converted(inProcessDuckDb(), sample);
  assert.deepEqual(parts.length, 1);
  assert.equal((await readFooter(store, `${prefix}${parts[0]}`)).rows, 3);
});

test('only widths that do not fit change how a table is written', () => {
  const settings = { memoryLimit: '1GiB', threads: 4 };
  const usual = { ...settings, rowsAGroup: 122_880 };
  assert.deepEqual(settingsForWidth(24, settings), usual);
  assert.deepEqual(settingsForWidth(120, settings), usual);
  assert.deepEqual(settingsForWidth(2000, settings), {
    ...settings,
    threads: 2,
    rowsAGroup: 8192,
  });
  assert.deepEqual(settingsForWidth(COLUMNS, settings), {
    memoryLimit: '1985MiB',
    threads: 1,
    rowsAGroup: 2048,
  });
});

/** An engine whose jobs fail with these codes, one after the other. The later jobs succeed. */
function failing(codes: ErrorCode[]) {
  const copies: string[] = [];
  const run: JobRunner = async (job) => {
    const code = codes[copies.length];
    copies.push(job.copy);
    const [, path = ''] = /TO '([^']+)' \(FORMAT/.exec(job.copy) ?? [];
    await writeFile(path, 'PAR1');
    if (code) throw new LonghaulError(code, code);
  };
  const engine = createDuckDbEngine({ memoryLimit: '1GiB', threads: 1 }, PART_SIZES, run);
  return { copies, engine };
}

async function assertFails(codes: ErrorCode[], file: Sample, runs: number): Promise<void> {
  const { copies, engine } = failing(codes);
  await assert.rejects(converted(engine, file), { code: codes.at(-1) });
  assert.equal(copies.length, runs);
  assert.deepEqual(await namesBelow(file.store, 'out/'), []);
}

test('expired credentials are found anew by another child, once', async (t) => {
  const file = await landed(await scratch(t), 'a,b\n1,2\n');
  const { copies, engine } = failing(['STORE_CREDENTIALS']);
  await converted(engine, file);
  assert.equal(copies.length, 2);
  assert.equal(copies[0], copies[1]);
  assert.deepEqual(await namesBelow(file.store, 'out/'), ['00000.parquet']);
  await file.store.deletePrefix('out/');
  await assertFails(['STORE_CREDENTIALS', 'STORE_CREDENTIALS'], file, 2);
});

test('the single-threaded reader is tried where line breaks in quotes may have misled the other', async (t) => {
  const file = await landed(await scratch(t), 'a,b\n"1\n",2\n');
  const { copies, engine } = failing(['ENGINE_FAILED']);
  await converted(engine, file);
  assert.deepEqual(
    copies.map((copy) => copy.includes('parallel = false')),
    [false, true],
  );
  await file.store.deletePrefix('out/');
  await assertFails(['STORE_UNAVAILABLE'], file, 1);
});

const READ =
  "HTTP Error: HTTP GET error reading 'https://s3.example/lake/raw/a.csv' in region 'us-east-1'";
const WRITE = 'HTTP Error: Unable to connect to URL s3://lake/out/part-00000.parquet:';

/** Messages of DuckDB 1.5.5. */
const MESSAGES: [message: string, code: string][] = [
  [`${READ} (HTTP 403 Forbidden)\n\nExpiredToken: It has expired.`, 'STORE_CREDENTIALS'],
  [`${READ} (HTTP 400 Bad Request)\n\nExpiredToken: It has expired.`, 'STORE_CREDENTIALS'],
  [`${READ} (HTTP 403 Forbidden)\n\nAccessDenied: No.`, 'STORE_FORBIDDEN'],
  [`${READ} (HTTP 404 Not Found)`, 'LAKE_CORRUPT'],
  [`${WRITE} Forbidden (HTTP code 403)\n\nAccessDenied: No.`, 'STORE_FORBIDDEN'],
  [`${WRITE} Bad Request (HTTP code 400)\n\nExpiredToken: Expired.`, 'STORE_CREDENTIALS'],
  [`${WRITE} Insufficient Storage (HTTP code 507)\n\nXMinioStorageFull: Full.`, 'STORE_FULL'],
  [`${WRITE} Forbidden (HTTP code 403)\n\nQuotaExceeded: Full.`, 'STORE_FULL'],
  [
    "HTTP Error: Request returned HTTP 503 for HTTP PUT to 'https://s3.example/lake/out/p'",
    'STORE_UNAVAILABLE',
  ],
  [
    "IO Error: Could not connect to server error for HTTP HEAD to 'https://s3.example/lake/a'",
    'STORE_UNREACHABLE',
  ],
  ['HTTP Error: something that was never seen', 'STORE_UNREACHABLE'],
  ['IO Error: Could not write file: No space left on device', 'DISK_FULL'],
  ['Out of Memory Error: failed to allocate', 'ENGINE_OUT_OF_MEMORY'],
  ['Conversion Error: HTTP 503 is no integer', 'ENGINE_FAILED'],
];

for (const [message, code] of MESSAGES) {
  test(`DuckDB's ${JSON.stringify(message.slice(0, 90))} is ${code}`, () => {
    assert.equal(jobError({ message }, 'lake').code, code);
  });
}

test('without a bucket nothing is taken for an error of S3', () => {
  const [message] = MESSAGES[0] ?? assert.fail();
  assert.equal(jobError({ message }, undefined).code, 'ENGINE_FAILED');
});

test('an error of the catalogue comes through with its hint', () => {
  const error = jobError(
    { message: 'gone', code: 'PROGRAM_NOT_INSTALLED', details: { hint: 'do' } },
    '',
  );
  assert.equal(error.code, 'PROGRAM_NOT_INSTALLED');
  assert.equal(error.details.hint, 'do');
});

const SETTINGS = {
  bucket: 'lake',
  kind: 's3' as const,
  prefix: '',
  pathStyle: true,
  checksums: true,
  uploadConcurrency: 1,
  connectTimeoutMs: 60_000,
  stallTimeoutMs: 60_000,
};

test('a child ignores Ctrl-C; where its worker was killed it ends, and takes its scratch folder with it', async () => {
  await withTempFolder(async (folder) => {
    const scratchFolder = join(folder, 'scratch');
    await mkdir(scratchFolder);
    // This S3 server never answers, so the child process waits for it in the middle of its work.
    const server = createServer((socket) => socket.on('error', () => undefined).resume());
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const script = new URL('../../src/conversion/child.js', import.meta.url);
    const child = fork(fileURLToPath(script), {
      env: {
        ...process.env,
        AWS_ENDPOINT_URL_S3: `http://127.0.0.1:${port}`,
        AWS_REGION: 'us-east-1',
        AWS_ACCESS_KEY_ID: 'test',
        AWS_SECRET_ACCESS_KEY: 'test-secret',
      },
    });
    try {
      child.send({ work: 'duckdb', job: jobIn(scratchFolder), scratchFolder });
      await once(server, 'connection');
      assert.ok(existsSync(scratchFolder));
      // A terminal and systemd signal all processes of a worker.
      for (const name of ['SIGINT', 'SIGTERM'] as const) child.kill(name);
      child.disconnect();
      const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
      assert.deepEqual([code, signal], [null, 'SIGKILL']);
      assert.equal(existsSync(scratchFolder), false);
    } finally {
      child.kill('SIGKILL');
      server.close();
    }
  });
});

function jobIn(scratchFolder: string): DuckDbJob {
  return {
    settings: [],
    s3: { settings: SETTINGS, httpfsPath: 'none', scratchFolder },
    preparation: {
      location: { kind: 's3', settings: SETTINGS, key: 'a.csv' },
      start: 0,
      end: 100,
      outputPath: join(scratchFolder, 'prepared.csv'),
      header: '',
      transcode: true,
      rewrite: false,
      delimiter: 0x2c,
      columns: 2,
    },
    copy: 'SELECT 1',
    records: 1,
    inputBytes: 100,
  };
}
