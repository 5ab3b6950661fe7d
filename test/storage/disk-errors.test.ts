import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { LonghaulError, type ErrorCode } from '../../src/model/errors.ts';
import { storageError } from '../../src/storage/disk-errors.ts';
import { freeSpace, tryWriting } from '../../src/storage/free-space.ts';

const PATH = '/lake/a.csv';

const CASES: [string, ErrorCode, RegExp][] = [
  ['ENOSPC', 'DISK_FULL', /^The disk is full.*: cannot write \/lake\/a\.csv\.$/],
  ['EDQUOT', 'DISK_FULL', /quota/],
  ['EROFS', 'LAKE_NOT_WRITABLE', /read-only/],
  ['EACCES', 'LAKE_NOT_WRITABLE', /no permission/],
  ['ENOTDIR', 'LAKE_NOT_WRITABLE', /a file where a folder should be/],
  ['EMFILE', 'TOO_MANY_OPEN_FILES', /limit on open files/],
  ['ENFILE', 'TOO_MANY_OPEN_FILES', /limit on open files/],
];

for (const [code, expected, says] of CASES) {
  test(`${code} is ${expected} and names the path`, () => {
    const error = storageError(Object.assign(new Error(code), { code }), PATH);
    assert.ok(error instanceof LonghaulError);
    assert.equal(error.code, expected);
    assert.match(error.message, says);
    assert.match(error.message, /\/lake\/a\.csv/);
  });
}

test('what is no error of a file system comes back as it was', () => {
  for (const error of [new TypeError('a bug'), new LonghaulError('CANCELLED', 'no'), undefined]) {
    assert.equal(storageError(error, PATH), error);
  }
});

test('free space is known for a folder that is not there yet; a test write leaves nothing', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'longhaul-space-'));
  try {
    const { device, bytes } = await freeSpace(join(folder, 'not', 'there'));
    assert.equal(device, (await freeSpace(folder)).device);
    assert.ok(bytes > 0);
    await tryWriting(folder);
    assert.deepEqual(await readdir(folder), []);
    await writeFile(join(folder, 'file'), '');
    await assert.rejects(tryWriting(join(folder, 'file')), { code: 'LAKE_NOT_WRITABLE' });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
