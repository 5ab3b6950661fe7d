import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import {
  classArchiveOptions,
  classArchivePath,
  ensureClassArchive,
  type SparkStart,
} from '../../src/programs/spark-classes.ts';
import { runSparkSubmit, sparkEnvironment } from '../../src/programs/spark-process.ts';
import { locateJavaFor, locateSpark } from '../../src/programs/spark.ts';

const searchPath = process.env['PATH'];

let start: SparkStart;
let folder: string;
before(async () => {
  const spark = await locateSpark({ given: process.env['SPARK_HOME'], searchPath });
  const java = await locateJavaFor(spark, { given: process.env['JAVA_HOME'], searchPath });
  start = { spark, java };
  folder = await mkdtemp(join(tmpdir(), 'longhaul-classes-'));
});
after(async () => await rm(folder, { recursive: true, force: true }));

/** @returns what it printed, and the log of the classes that it loaded. */
async function startSpark(options: string): Promise<{ lines: string[]; loaded: string }> {
  const script = join(folder, 'job.py');
  const job = [
    'from pyspark.sql import SparkSession',
    'print(SparkSession.builder.getOrCreate().range(3).count())',
  ];
  await writeFile(script, job.join('\n'));
  const log = join(folder, 'loaded.log');
  const lines: string[] = [];
  const { code, stderr } = await runSparkSubmit(
    [start.spark.submit, '--master', 'local[1]', script],
    {
      scratchFolder: folder,
      env: {
        ...sparkEnvironment(start.spark, start.java),
        SPARK_SUBMIT_OPTS: `${options} -Xlog:class+load:file=${log}`,
      },
      signal: new AbortController().signal,
      onLine: (line) => lines.push(line),
    },
  );
  assert.equal(code, 0, stderr);
  return { lines, loaded: await readFile(log, 'utf8') };
}

describe("the archive of Spark's classes", () => {
  it('is what a start of Spark maps its classes from', async () => {
    await ensureClassArchive(start);
    const { lines, loaded } = await startSpark(await classArchiveOptions(start));
    assert.deepEqual(lines, ['3']);
    assert.match(loaded, /org\.apache\.spark\.sql\.\S+ source: shared objects file \(top\)/);
  });

  it('that is broken keeps no Spark from starting, and adds nothing to what Spark prints', async () => {
    const path = classArchivePath(start, folder);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, 'no archive');
    const { lines, loaded } = await startSpark(await classArchiveOptions(start, folder));
    assert.deepEqual(lines, ['3']);
    assert.doesNotMatch(loaded, /shared objects file \(top\)/);
  });

  it('that cannot be made is no error, leaves nothing, and is not tried again', async () => {
    const broken = { ...start, spark: { ...start.spark, submit: '/bin/false' } };
    const toolsDir = join(folder, 'tools');
    const notes: string[] = [];
    const options = { toolsDir, onNote: (note: string) => notes.push(note) };
    await ensureClassArchive(broken, options);
    await ensureClassArchive(broken, options);
    assert.equal(notes.length, 1);
    assert.equal(await classArchiveOptions(broken, toolsDir), '');
    const [left = ''] = await readdir(join(toolsDir, `spark-classes-${start.spark.version}`));
    assert.match(left, /\.failed$/);
  });
});
