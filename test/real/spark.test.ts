import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, it } from 'node:test';
import { alteredSpark } from '../helpers/altered-spark.ts';
import { withLab, type Lab } from '../helpers/lab.ts';
import type { Answer } from '../helpers/origin.ts';
import { SHORT_LIVED } from '../helpers/spark-session.ts';
import { bucketContents, withS3Lab } from '../helpers/s3-lab.ts';

const SAMPLES = resolve('../shared/data');
const skip = existsSync(SAMPLES)
  ? false
  : 'the real Denver samples (../shared/data) are not on this machine';
const env = { SPARK_MASTER: 'local[2]', SPARK_DRIVER_MEMORY: '1g', JAVA_TOOL_OPTIONS: SHORT_LIVED };

interface Run {
  status: string;
  ledger: { records: number; rows: number; rejected: number; balanced: boolean };
}

interface Failure {
  error: { code: string; message: string; hint: string };
}

async function ingest(lab: Lab, ...args: string[]): Promise<Run[]> {
  const { code, json, stdout, stderr } = await lab.json<Run & { runs?: Run[] }>([
    'ingest',
    ...args,
  ]);
  assert.equal(code, 0, stdout + stderr);
  return json.runs ?? [json];
}

async function query(lab: Lab, sql: string, ...args: string[]): Promise<unknown[]> {
  const { code, stdout, stderr } = await lab.run(['query', sql, '--format', 'json', ...args]);
  assert.equal(code, 0, stderr + stdout);
  return JSON.parse(stdout) as unknown[];
}

/** `<name>-spark` and `<name>-duckdb` are one file, converted by two engines. Columns, types and rows must be equal. */
async function assertSameRows(lab: Lab, name: string): Promise<void> {
  const [spark, duckdb] = [`${name}_spark`, `${name}_duckdb`];
  assert.deepEqual(await query(lab, `DESCRIBE ${spark}`), await query(lab, `DESCRIBE ${duckdb}`));
  const without = (a: string, b: string): string =>
    `(SELECT count(*) FROM (SELECT * FROM ${a} EXCEPT ALL SELECT * FROM ${b}))`;
  const sql = `SELECT ${without(spark, duckdb)} AS more, ${without(duckdb, spark)} AS fewer`;
  assert.deepEqual(await query(lab, sql), [{ more: 0, fewer: 0 }]);
}

const LINES = 20_000;
const CSV = `id,text,when,amount\r\n${Array.from(
  { length: LINES },
  (_, n) => `${n},"line ""${n}""\r\n, more",${(n % 12) + 1}/2/2023 1:0${n % 10}:00 PM,${n}.25`,
).join('\r\n')}\r\n`;

describe('the engine spark', () => {
  it('makes of the real Denver samples the rows that DuckDB makes', { skip }, async () => {
    const files = {
      service: '311_service_data_2015.csv',
      crime: 'crime.csv',
      accidents: 'traffic_accidents_2014.csv',
    };
    const routes = Object.fromEntries(
      Object.values(files).map((file) => [`/${file}`, { body: { file: join(SAMPLES, file) } }]),
    );
    await withLab({ routes, env }, async (lab) => {
      const sources = Object.entries(files).flatMap(([name, file]) =>
        ['spark', 'duckdb'].map((engine): [string, Record<string, string>] => [
          `${name}-${engine}`,
          { all: lab.origin.address(`/${file}`) },
        ]),
      );
      await lab.datasets(Object.fromEntries(sources));
      const by = (engine: string): string[] => [
        ...Object.keys(files).map((name) => `${name}-${engine}`),
        ...['--engine', engine],
      ];
      const runs = await ingest(lab, ...by('spark'));
      assert.deepEqual(
        runs.map(({ status, ledger }) => [status, ledger.rows, ledger.balanced]),
        [
          ['published', 47_170, true],
          ['published', 49_089, true],
          ['published', 4171, true],
        ],
      );
      await ingest(lab, ...by('duckdb'));
      for (const name of Object.keys(files)) await assertSameRows(lab, name);
      const left = (await lab.lakeFiles()).filter((file) =>
        /_staging|partial|shard|\.crc$|_SUCCESS/.test(file),
      );
      assert.deepEqual(left, []);
    });
  });

  it('reads and writes a lake in S3, and leaves nothing else there', async () => {
    const routes: Record<string, Answer> = { '/a.csv': { body: CSV, etag: '"1"' } };
    await withS3Lab({ routes, env }, async (lab, s3) => {
      const source = { a: lab.origin.address('/a.csv') };
      await lab.datasets({ 'things-spark': source, 'things-duckdb': source });
      const [run] = await ingest(lab, 'things-spark', '--engine', 'spark');
      const ledger = { records: LINES, rows: LINES, rejected: 0, balanced: true };
      assert.deepEqual([run?.status, run?.ledger], ['published', ledger]);
      await ingest(lab, 'things-duckdb');
      await assertSameRows(lab, 'things');
      const { keys, uploads } = await bucketContents(s3);
      assert.deepEqual(uploads, []);
      assert.deepEqual(
        keys.filter((key) => /_staging|shard|\/$/.test(key)),
        [],
      );
      assert.deepEqual(await lab.lakeFiles(), [], 'nothing is left on the disk');
      const sql = 'SELECT count(*) AS n, max(amount) AS m FROM things_spark';
      assert.deepEqual(await query(lab, sql, '--engine', 'spark'), [{ n: LINES, m: 19_999.25 }]);
    });
  });

  it('publishes nothing where the job reads without multiLine: the ledger catches it', async () => {
    const routes: Record<string, Answer> = { '/a.csv': { body: CSV, etag: '"1"' } };
    await withLab({ routes, env, up: false }, async (lab) => {
      await lab.datasets({ things: { a: lab.origin.address('/a.csv') } });
      const SPARK_HOME = await carelessSpark(join(lab.folder, 'careless'));
      const { json, code, stderr } = await lab.json<Failure>(
        ['ingest', 'things', '--engine', 'spark'],
        { env: { SPARK_HOME } },
      );
      assert.deepEqual([json.error?.code, code], ['LEDGER_UNBALANCED', 7], stderr);
      assert.match(json.error.message, /20,?000.*40,?000/);
      assert.deepEqual(await lab.published(), []);
      const converted = (await lab.lakeFiles()).filter((file) => file.includes('converted'));
      assert.deepEqual(converted, []);
    });
  });
});

/** A Spark that runs Longhaul's job as many users write one: line by line, and ignoring values that do not fit. */
async function carelessSpark(folder: string): Promise<string> {
  const careless = [
    's/"multiLine", "true"/"multiLine", "false"/',
    's/"FAILFAST"/"PERMISSIVE"/',
    '/"lineSep"/d',
    '/"unescapedQuoteHandling"/d',
    's/F.to_timestamp_ntz(/F.try_to_timestamp(/',
    's/\\.cast(/.try_cast(/',
  ];
  return await alteredSpark(
    folder,
    (home) => `for each; do
  shift
  case "$each" in */convert.py)
    sed ${careless.map((edit) => `-e '${edit}'`).join(' ')} "$each" > careless.py
    each="$PWD/careless.py";;
  esac
  set -- "$@" "$each"
done
SPARK_HOME='${home}' exec '${home}/bin/spark-submit' "$@"
`,
  );
}
