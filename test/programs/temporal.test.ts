import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { test } from 'node:test';
import type { Installer } from '../../src/programs/locate.ts';
import { locateTemporal } from '../../src/programs/temporal.ts';
import { withTempFolder } from '../helpers/temp-folder.ts';
import { writeProgram } from './write-program.ts';

test('TEMPORAL_CLI is taken, and nothing else is tried when it is wrong', async () => {
  await withTempFolder(async (folder) => {
    const given = await writeProgram(join(folder, 'my-temporal'), 'echo temporal version 9.9');
    const searchPath = dirname(await writeProgram(join(folder, 'bin', 'temporal'), GOOD));
    assert.equal(await locateTemporal({ given, searchPath }), given);
    const absent = join(folder, 'nonsense');
    await assert.rejects(locateTemporal({ given: absent, searchPath }), {
      code: 'TEMPORAL_NOT_INSTALLED',
      message: `TEMPORAL_CLI names ${absent}, which is no program that can be run.`,
    });
    const other = await writeProgram(join(folder, 'other'), 'echo hello');
    await assert.rejects(locateTemporal({ given: other, searchPath }), {
      code: 'TEMPORAL_NOT_INSTALLED',
      message: `TEMPORAL_CLI names ${other}, which is not the Temporal CLI.`,
    });
  });
});

test('a program named temporal that is another one is passed over on the PATH', async () => {
  await withTempFolder(async (folder) => {
    const wrong = await writeProgram(join(folder, 'a', 'temporal'), 'echo a calendar; exit 1');
    const right = await writeProgram(join(folder, 'b', 'temporal'), GOOD);
    const searchPath = [dirname(wrong), dirname(right)].join(delimiter);
    assert.equal(await locateTemporal({ searchPath }), right);
  });
});

test('a program is fetched once, and said so', async () => {
  await withTempFolder(async (folder) => {
    const notes: string[] = [];
    let fetched = 0;
    const works: Installer = {
      name: 'a way',
      install: async (path) => {
        fetched += 1;
        await writeProgram(path, GOOD);
      },
    };
    const onNote = (note: string): void => void notes.push(note);
    const options = { toolsDirs: [folder], installer: works, onNote };
    const path = await locateTemporal(options);
    assert.equal(await locateTemporal(options), path);
    assert.equal(fetched, 1);
    assert.deepEqual(notes, ['Fetching the Temporal program (once, about 50 MB): a way']);
  });
});

test('where a folder cannot be written, the program goes to the next', async () => {
  await withTempFolder(async (folder) => {
    const file = join(folder, 'file');
    await writeFile(file, '');
    const install = async (path: string): Promise<void> => void (await writeProgram(path, GOOD));
    const toolsDirs = [join(file, 'tools'), join(folder, 'tools')];
    const path = await locateTemporal({ toolsDirs, installer: { name: 'way', install } });
    assert.ok(path.startsWith(join(folder, 'tools')));
  });
});

test('a program that cannot be had is an error that names each thing tried', async () => {
  await withTempFolder(async (folder) => {
    const installer = { name: 'one way', install: failing };
    await assert.rejects(locateTemporal({ toolsDirs: [folder], installer }), {
      code: 'TEMPORAL_NOT_INSTALLED',
      message: /TEMPORAL_CLI is not set; no `temporal` on the PATH; one way: no network/,
    });
  });
});

const GOOD = 'echo temporal version 1.2.3';

async function failing(): Promise<void> {
  await Promise.reject(new Error('something\nno network'));
}
