import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { DuckDbJob } from '../../src/conversion/duckdb/plan.ts';
import { withTempFolder } from '../helpers/temp-folder.ts';

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

test('a child whose worker was killed ends, and takes its scratch folder with it', async () => {
  await withTempFolder(async (folder) => {
    const scratchFolder = join(folder, 'scratch');
    await mkdir(scratchFolder);
    // S3 that never answers: the child waits for it in the middle of its work.
    const server = createServer((socket) => socket.on('error', () => undefined).resume());
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const script = new URL('../../src/conversion/duckdb/child.js', import.meta.url);
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
      child.send(jobIn(scratchFolder));
      await once(server, 'connection');
      assert.ok(existsSync(scratchFolder));
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
