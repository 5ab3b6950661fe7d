import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { describe, it } from 'node:test';
import { hintOf, LonghaulError } from '../../src/model/errors.ts';
import { locateHttpfs } from '../../src/programs/httpfs.ts';
import type { Installer } from '../../src/programs/locate.ts';
import { makeWhole } from '../../src/programs/tools-folder.ts';
import { locateVersitygw } from '../../tools/local-aws/versitygw.ts';
import { withTempFolder } from '../helpers/temp-folder.ts';
import { writeProgram } from './write-program.ts';

const ROOT = resolve(import.meta.dirname, '../..');

describe('tools/versions.json', () => {
  it('pins the httpfs of the DuckDB that is bundled: another one would not load', async () => {
    const versions = await readJson('tools/versions.json');
    const { dependencies } = await readJson('package.json');
    const duckDb = dependencies['@duckdb/node-api'].replace(/-r\.\d+$/, '');
    assert.equal(versions.httpfs.version, duckDb);
  });
});

describe('versitygw', () => {
  it('is what VERSITYGW names, and nothing else is tried when that is wrong', async () => {
    await withTempFolder(async (folder) => {
      const given = await writeProgram(join(folder, 'my-gateway'), GATEWAY);
      const searchPath = dirname(await writeProgram(join(folder, 'bin', 'versitygw'), GATEWAY));
      assert.equal(await locateVersitygw({ given, searchPath }), given);
      const other = await writeProgram(join(folder, 'other'), 'echo hello');
      await assert.rejects(locateVersitygw({ given: other, searchPath }), {
        code: 'PROGRAM_NOT_INSTALLED',
        message: `VERSITYGW names ${other}, which is not versitygw.`,
      });
    });
  });

  it('is built once, whole, and processes that ask at the same time get the same one', async () => {
    await withTempFolder(async (folder) => {
      const notes: string[] = [];
      let builds = 0;
      const build: Installer = {
        name: 'building',
        install: async (path) => {
          builds += 1;
          await makeWhole(path, async (scratch) => {
            return await writeProgram(join(scratch, 'versitygw'), GATEWAY);
          });
        },
      };
      const onNote = (note: string): void => void notes.push(note);
      const options = { toolsDirs: [folder], installer: build, onNote };
      const [one, other] = await Promise.all([locateVersitygw(options), locateVersitygw(options)]);
      assert.equal(one, other);
      assert.equal(await locateVersitygw(options), one);
      assert.equal(builds, 2);
      assert.match(notes[0] ?? '', /Fetching the versitygw program .*: building/);
      assert.deepEqual(await readdir(dirname(one)), ['versitygw']);
    });
  });

  it('that cannot be had is an error with each thing tried and the command to run', async () => {
    await withTempFolder(async (folder) => {
      const failing: Installer = {
        name: 'go install',
        install: async () => await Promise.reject(new Error('go: no such program')),
      };
      const options = { toolsDirs: [folder], installer: failing };
      const error = await locateVersitygw(options).catch((each: unknown) => each);
      assert.ok(error instanceof LonghaulError);
      assert.equal(error.code, 'PROGRAM_NOT_INSTALLED');
      assert.match(
        error.message,
        /VERSITYGW is not set; no `versitygw` on the PATH; go install: go:/,
      );
      assert.match(
        hintOf(error.code, error.details),
        /go install github\.com\/versity\/versitygw\/cmd\/versitygw@v\d/,
      );
    });
  });

  it('leaves nothing of a build that breaks off', async () => {
    await withTempFolder(async (folder) => {
      const path = join(folder, 'versitygw');
      const breaking = makeWhole(path, async (scratch) => {
        await writeFile(join(scratch, 'half'), '');
        throw new Error('broke off');
      });
      await assert.rejects(breaking, /broke off/);
      assert.deepEqual(await readdir(folder), []);
    });
  });
});

describe("DuckDB's httpfs", () => {
  it('is what DUCKDB_HTTPFS names, if that is of the right DuckDB', async () => {
    await withTempFolder(async (folder) => {
      const { version } = (await readJson('tools/versions.json')).httpfs;
      const given = await writeExtension(join(folder, 'a.duckdb_extension'), `v${version}`);
      assert.equal(await locateHttpfs({ given }), given);
      const old = await writeExtension(join(folder, 'b.duckdb_extension'), 'v1.0.0');
      const absent = join(folder, 'c');
      const text = join(folder, 'd');
      await writeFile(text, 'hello');
      for (const [path, problem] of [
        [old, `is of DuckDB v1.0.0, not v${version}`],
        [absent, 'is no file that can be read'],
        [text, 'is no DuckDB extension'],
      ] as const) {
        await assert.rejects(locateHttpfs({ given: path }), {
          code: 'PROGRAM_NOT_INSTALLED',
          message: `DUCKDB_HTTPFS names ${path}, which ${problem}.`,
        });
      }
    });
  });

  it("is DuckDB's own copy where that is installed", async () => {
    await withTempFolder(async (duckDbHome) => {
      const { version } = (await readJson('tools/versions.json')).httpfs;
      const own = join(duckDbHome, 'extensions', `v${version}`, platform());
      const path = await writeExtension(join(own, 'httpfs.duckdb_extension'), `v${version}`);
      const toolsDirs = [join(duckDbHome, 'tools')];
      assert.equal(await locateHttpfs({ duckDbHome, toolsDirs, installer: 'none' }), path);
    });
  });

  it('is kept once it is fetched, and refused where another one was brought', async () => {
    await withTempFolder(async (folder) => {
      const { version } = (await readJson('tools/versions.json')).httpfs;
      const bringing = (duckDb: string): Installer => ({
        name: `of ${duckDb}`,
        install: async (path) => void (await writeExtension(path, duckDb)),
      });
      const good = { toolsDirs: [join(folder, 'good')], installer: bringing(`v${version}`) };
      const path = await locateHttpfs(good);
      assert.equal(await locateHttpfs({ ...good, installer: 'none' }), path);
      const duckDbHome = join(folder, 'no-duckdb');
      const installer = bringing('v1.0.0');
      const bad = { toolsDirs: [join(folder, 'bad')], duckDbHome, installer };
      const error = await locateHttpfs(bad).catch((each: unknown) => each);
      assert.ok(error instanceof LonghaulError);
      assert.match(error.message, /of v1\.0\.0: what it brought is of DuckDB v1\.0\.0/);
      const hint = hintOf(error.code, error.details);
      assert.match(hint, /INSTALL httpfs/);
      assert.match(hint, /DUCKDB_HTTPFS/);
    });
  });
});

const GATEWAY = 'echo versitygw - Versity S3 Gateway';

/** Writes only the end of an extension, which says for which DuckDB and platform it was made. */
async function writeExtension(path: string, duckDb: string): Promise<string> {
  const fields = ['', '', '', 'CPP', '1', duckDb, platform(), '4'];
  const footer = fields.map((field) => field.padEnd(32, '\0')).join('');
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, `code${footer}${'\0'.repeat(256)}`);
  return path;
}

function platform(): string {
  const system = process.platform === 'darwin' ? 'osx' : process.platform;
  return `${system}_${process.arch === 'x64' ? 'amd64' : process.arch}`;
}

interface JsonFiles {
  'tools/versions.json': { httpfs: { version: string } };
  'package.json': { dependencies: { '@duckdb/node-api': string } };
}

async function readJson<P extends keyof JsonFiles>(path: P): Promise<JsonFiles[P]> {
  return JSON.parse(await readFile(join(ROOT, path), 'utf8'));
}
