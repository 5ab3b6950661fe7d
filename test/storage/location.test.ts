import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { formatChecksum } from '../../src/model/texts.ts';
import { checksumAt } from '../../src/storage/location.ts';

test('the checksum is the CRC-32 of every byte, in eight hex digits', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'longhaul-checksum-'));
  t.after(async () => await rm(folder, { recursive: true, force: true }));
  const path = join(folder, 'file');
  // 123456789 and its CRC-32 are the check value that specifications of CRC-32 give.
  await writeFile(path, '123456789');
  assert.equal(await checksumAt({ kind: 'disk', path }), 'crc32:cbf43926');
  await writeFile(path, Buffer.alloc(5 * 1024 * 1024, 'abc'));
  assert.match(await checksumAt({ kind: 'disk', path }), /^crc32:[0-9a-f]{8}$/);
  await writeFile(path, '');
  assert.equal(await checksumAt({ kind: 'disk', path }), 'crc32:00000000');
  assert.equal(formatChecksum(0xff), 'crc32:000000ff');
});

test('an abort ends it', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'longhaul-checksum-'));
  t.after(async () => await rm(folder, { recursive: true, force: true }));
  await writeFile(join(folder, 'file'), 'x');
  await assert.rejects(
    checksumAt({ kind: 'disk', path: join(folder, 'file') }, AbortSignal.abort()),
    {
      name: 'AbortError',
    },
  );
});
