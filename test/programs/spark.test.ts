import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { describe, it } from 'node:test';
import { javaVersionIn, locateJava, majorOf } from '../../src/programs/java.ts';
import { locateSpark } from '../../src/programs/spark.ts';
import { submitSpark } from '../../src/programs/spark-submit.ts';
import { processesWith, until } from '../helpers/processes.ts';
import { withTempFolder } from '../helpers/temp-folder.ts';
import { writeProgram } from './write-program.ts';

describe('Java', () => {
  it('is that of JAVA_HOME, else the first on the PATH', async () => {
    await withTempFolder(async (folder) => {
      const home = await fakeJava(join(folder, 'home'), '21.0.2');
      const searchPath = [
        join(folder, 'none'),
        join(await fakeJava(folder, '17.0.15'), 'bin'),
      ].join(delimiter);
      assert.equal((await locateJava({ given: home, searchPath })).version, '21.0.2');
      const found = await locateJava({ searchPath });
      assert.deepEqual([found.version, found.home], ['17.0.15', undefined]);
    });
  });

  it('that is missing, broken or of another version is an error that says what to do', async () => {
    await withTempFolder(async (folder) => {
      const code = 'PROGRAM_NOT_INSTALLED';
      await assert.rejects(locateJava({ searchPath: folder }), {
        code,
        message:
          'Spark 4 needs Java 17 or 21: JAVA_HOME is not set, and there is no `java` on the PATH.',
      });
      await assert.rejects(locateJava({ given: folder }), {
        code,
        message: /JAVA_HOME names .* bin\/java does not run/,
      });
      const itself = join(await fakeJava(join(folder, 'home'), '17.0.15'), 'bin', 'java');
      await assert.rejects(locateJava({ given: itself }), {
        code,
        message: /JAVA_HOME names .* bin\/java does not run/,
      });
      const old = await fakeJava(folder, '11.0.2');
      await assert.rejects(locateJava({ given: old }), { code, message: /which is Java 11\.0\.2/ });
      // Spark 3.5 runs on this Java.
      assert.ok(await locateJava({ given: old }, { version: '3.5.7' }));
      await assert.rejects(locateJava({ given: old }, { version: '4.0.0' }), { code });
    });
  });

  it('says its version in several ways', () => {
    assert.equal(majorOf(javaVersionIn('openjdk version "17.0.15" 2025-04-15') ?? ''), 17);
    assert.equal(majorOf(javaVersionIn('java version "1.8.0_401"') ?? ''), 8);
    assert.equal(majorOf(javaVersionIn('Picked up X\nopenjdk version "21" 2023') ?? ''), 21);
    assert.equal(javaVersionIn('bash: java: not found'), undefined);
  });
});

describe('Spark', () => {
  it('is what SPARK_HOME names, else spark-submit on the PATH, by its own jars', async () => {
    await withTempFolder(async (folder) => {
      const given = await fakeSpark(join(folder, 'given'), '4.1.1');
      const other = await fakeSpark(join(folder, 'other'), '3.5.7');
      const options = { searchPath: join(other, 'bin'), toolsDirs: [], installer: 'none' } as const;
      assert.equal((await locateSpark({ ...options, given })).version, '4.1.1');
      const found = await locateSpark(options);
      assert.deepEqual([found.version, found.home], ['3.5.7', other]);
    });
  });

  it('that is too old, or no Spark, is an error', async () => {
    await withTempFolder(async (folder) => {
      const old = await fakeSpark(join(folder, 'old'), '3.4.1');
      const code = 'PROGRAM_NOT_INSTALLED';
      await assert.rejects(locateSpark({ given: old }), {
        code,
        message: /3\.4\.1, older than 3\.5/,
      });
      const message = new RegExp(`SPARK_HOME names ${folder}`);
      await assert.rejects(locateSpark({ given: folder }), { code, message });
    });
  });
});

describe('spark-submit', () => {
  it('gets its folder, its settings and the environment, and its end is reported', async () => {
    await withTempFolder(async (folder) => {
      const args = join(folder, 'args');
      const submit = `printf '%s\\n' "$@" > '${args}'; echo "$SECRET" >> '${args}'; echo line; echo oops >&2; exit 3`;
      const lines: string[] = [];
      const command = await commandIn(folder, submit);
      const end = await submitSpark({
        ...command,
        conf: { 'spark.some.setting': 'x' },
        env: { SECRET: 'of the child alone' },
        onLine: (line) => void lines.push(line),
      });
      assert.deepEqual(end, { code: 3, signal: null, stderr: 'oops\n' });
      assert.deepEqual(lines, ['line']);
      const words = (await readFile(args, 'utf8')).trim().split('\n');
      assert.deepEqual(words.slice(0, 4), ['--master', 'local[2]', '--driver-memory', '1g']);
      assert.ok(words.includes('spark.some.setting=x'));
      assert.ok(words.includes(`spark.local.dir=${folder}`));
      assert.deepEqual(words.slice(-3), ['job.py', '--job', 'of the child alone']);
    });
  });

  it('is ended with everything it started when it is cancelled', async () => {
    await withTempFolder(async (folder) => {
      const controller = new AbortController();
      const submit = `sh -c 'echo ready; exec tail -f "$0"' '${join(folder, 'forever')}' & wait`;
      await writeFile(join(folder, 'forever'), '');
      const running = submitSpark({
        ...(await commandIn(folder, submit)),
        signal: controller.signal,
        onLine: () => controller.abort(new Error('cancelled by the test')),
      });
      await assert.rejects(running, /cancelled by the test/);
      await until('no process is left', async () => (await processesWith(folder)).length === 0);
    });
  });

  it('ends with everything it started when the process that started it is killed', async () => {
    await withTempFolder(async (folder) => {
      await writeFile(join(folder, 'forever'), '');
      const command = await commandIn(folder, `tail -f '${join(folder, 'forever')}' & wait`);
      const module = JSON.stringify(new URL('../../src/programs/spark-submit.js', import.meta.url));
      const signal = 'new AbortController().signal';
      const code = `import { submitSpark } from ${module};
        await submitSpark({ ...${JSON.stringify({ ...command, signal: undefined })}, signal: ${signal} });`;
      const parent = spawn(process.execPath, ['--input-type=module', '-e', code]);
      await until('it runs', async () => {
        return (await processesWith(folder)).some((line) => line.startsWith('tail'));
      });
      parent.kill('SIGKILL');
      await until('no process is left', async () => (await processesWith(folder)).length === 0);
    });
  });
});

async function commandIn(folder: string, submit: string) {
  return {
    home: await fakeSpark(join(folder, 'spark'), '4.1.1', submit),
    javaHome: await fakeJava(join(folder, 'java'), '17.0.15'),
    master: 'local[2]',
    driverMemory: '1g',
    script: 'job.py',
    args: ['--job'],
    scratchFolder: folder,
    signal: new AbortController().signal,
  };
}

/** @returns the Java's home folder. */
async function fakeJava(home: string, version: string): Promise<string> {
  await writeProgram(join(home, 'bin', 'java'), `echo 'openjdk version "${version}"' >&2`);
  return home;
}

/** @returns the Spark's home folder. */
async function fakeSpark(home: string, version: string, submit = 'exit 0'): Promise<string> {
  await mkdir(join(home, 'jars'), { recursive: true });
  await writeFile(join(home, 'jars', `spark-core_2.13-${version}.jar`), '');
  await writeProgram(join(home, 'bin', 'spark-submit'), submit);
  return home;
}
