import assert from 'node:assert/strict';
import { chmod, mkdir, readdir, realpath, rename, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { it } from 'node:test';
import fc from 'fast-check';
import { datedAddress, datedPattern } from '../../src/model/dates.ts';
import { isMarked, markFile, realPathOf } from '../../src/storage/file-marks.ts';
import { withTempFolder } from '../helpers/temp-folder.ts';

const plain = { dated: false };

async function withMarks(body: (folder: string, marks: string) => Promise<void>): Promise<void> {
  await withTempFolder(async (folder) => {
    const real = await realpath(folder);
    await body(real, join(real, 'state', 'files'));
  });
}

it('a mark is for the real path: of a symlink, the file where it leads when it is named', async () => {
  await withMarks(async (folder, marks) => {
    const [one, other, link] = ['one.csv', 'other.csv', 'link'].map((name) => join(folder, name));
    assert.ok(one && other && link);
    await writeFile(one, '');
    await writeFile(other, '');
    await symlink(one, link);
    await markFile(marks, link, plain);
    assert.equal(await isMarked(marks, await realPathOf(link)), true);
    await symlink(other, `${link}2`);
    await rename(`${link}2`, link);
    assert.equal(await isMarked(marks, await realPathOf(link)), false);
    assert.equal(await isMarked(marks, await realPathOf(one)), true);
  });
});

it('a file may be named before it is there, and is not followed once it is a symlink', async () => {
  await withMarks(async (folder, marks) => {
    const path = join(folder, 'in', 'later.csv');
    await markFile(marks, path, plain);
    assert.equal(await isMarked(marks, await realPathOf(path)), true);
    await mkdir(join(folder, 'in'));
    await writeFile(path, '');
    assert.equal(await isMarked(marks, await realPathOf(path)), true);
    await symlink('/etc/passwd', join(folder, 'in', 'more.csv'));
    assert.equal(await isMarked(marks, await realPathOf(join(folder, 'in', 'more.csv'))), false);
  });
});

it('a path with the ingest date in it is named for every day, and for nothing else', async () => {
  await withMarks(async (folder, marks) => {
    await markFile(marks, join(folder, '{yyyy}', 'a.{date}.csv'), { dated: true });
    assert.equal(await isMarked(marks, join(folder, '2026', 'a.2026-11-28.csv')), true);
    for (const path of [
      '2026/a.2026-11-28.csv.key',
      '2026/../a.2026-11-28.csv',
      '2026/aX2026-11-28.csv',
    ])
      assert.equal(await isMarked(marks, join(folder, path)), false, path);
  });
});

it('a literal {date} in a name stands for itself', async () => {
  await withMarks(async (folder, marks) => {
    const path = join(folder, '{date}.csv');
    await markFile(marks, path, plain);
    assert.equal(await isMarked(marks, path), true);
    assert.equal(await isMarked(marks, join(folder, '2026-11-28.csv')), false);
  });
});

it('every day that an address has is one of its pattern', () => {
  const piece = fc.oneof(
    fc.constantFrom('{date}', '{yyyy}', '{mm}', '{dd}', '{year}'),
    fc.string({ unit: 'grapheme' }),
  );
  const day = fc.date({
    min: new Date('1900-01-01'),
    max: new Date('2999-12-31'),
    noInvalidDate: true,
  });
  fc.assert(
    fc.property(fc.array(piece), day, (pieces, date) => {
      const template = pieces.join('');
      const address = datedAddress(template, date.toISOString().slice(0, 10));
      assert.match(address, datedPattern(template));
    }),
  );
});

it('a mark of another user is none', { skip: process.getuid?.() !== 0 }, async () => {
  await withMarks(async (folder, marks) => {
    const path = join(folder, 'a.csv');
    await markFile(marks, path, plain);
    const { chown } = await import('node:fs/promises');
    const [mark = ''] = await readdir(marks);
    await chown(join(marks, mark), 65534, 65534);
    await chmod(join(marks, mark), 0o600);
    assert.equal(await isMarked(marks, path), false);
  });
});
