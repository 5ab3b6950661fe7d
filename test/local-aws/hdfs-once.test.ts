import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { makeNameFolder } from '../../tools/local-aws/hdfs/once.ts';
import { withTempFolder } from '../helpers/temp-folder.ts';

const VERSION = [
  '#Wed Nov 25 18:39:29 UTC 2026',
  'namespaceID=533775531',
  'blockpoolID=BP-602394616-127.0.0.1-1795631969323',
  'storageType=NAME_NODE',
  'clusterID=CID-b1fab8e5-05d9-423f-9c99-0327029658dd',
  'layoutVersion=-67',
  '',
].join('\n');

interface Hadoop {
  /** Makes the name folder of that name. @returns its VERSION. */
  make: (name: string) => Promise<string>;
  /** Puts a jar beside the others. */
  addJar: (name: string) => Promise<void>;
  formatted: string[];
}

async function withHadoop(body: (hadoop: Hadoop) => Promise<void>): Promise<void> {
  await withTempFolder(async (folder) => {
    const jars = join(folder, 'jars');
    const formatted: string[] = [];
    const addJar = async (name: string): Promise<void> => await writeFile(join(jars, name), '');
    await mkdir(jars);
    await addJar('hadoop-1.jar');
    const make = async (name: string): Promise<string> => {
      const version = join(folder, name, 'current', 'VERSION');
      const format = async (): Promise<void> => {
        formatted.push(name);
        if (name === 'bad') throw new Error('It cannot be formatted.');
        await mkdir(join(version, '..'), { recursive: true });
        await writeFile(version, VERSION);
      };
      await makeNameFolder(join(folder, name), jars, format, join(folder, 'tools'));
      return await readFile(version, 'utf8');
    };
    await body({ make, addJar, formatted });
  });
}

suite('the name folder of an HDFS', () => {
  test('is formatted once, and each has an identity of its own', async () => {
    await withHadoop(async ({ make, formatted }) => {
      const versions = [await make('a'), await make('b'), await make('c')];
      assert.deepEqual(formatted, ['a']);
      const facts = versions.map((text) => new Map(text.split('\n').map(pairOf)));
      for (const [key, isOwn] of [
        ['clusterID', true],
        ['blockpoolID', true],
        ['namespaceID', false],
        ['layoutVersion', false],
      ] as const) {
        const values = facts.map((each) => each.get(key));
        assert.ok(!values.includes(undefined), key);
        assert.equal(new Set(values).size, isOwn ? 3 : 1, key);
      }
      assert.match(facts[1]?.get('blockpoolID') ?? '', /^BP-\d+-127\.0\.0\.1-\d+$/);
    });
  });

  test('is formatted anew for another Hadoop', async () => {
    await withHadoop(async ({ make, addJar, formatted }) => {
      await make('a');
      await addJar('hadoop-2.jar');
      await make('b');
      assert.deepEqual(formatted, ['a', 'b']);
    });
  });

  test('that cannot be formatted is no template', async () => {
    await withHadoop(async ({ make, formatted }) => {
      await assert.rejects(make('bad'), /cannot be formatted/);
      await make('a');
      assert.deepEqual(formatted, ['bad', 'a']);
    });
  });
});

function pairOf(line: string): [string, string] {
  const [key = '', value = ''] = line.split('=');
  return [key, value];
}
