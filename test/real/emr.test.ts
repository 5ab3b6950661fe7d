import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, it } from 'node:test';
import {
  DescribeClusterCommand,
  RunJobFlowCommand,
  TerminateJobFlowsCommand,
} from '@aws-sdk/client-emr';
import type { SnapshotManifest } from '../../src/model/manifest.ts';
import { generate } from '../../tools/generate/generate.ts';
import { sharedEmr, withEmrLab } from '../helpers/emr-lab.ts';
import type { Lab } from '../helpers/lab.ts';
import type { Answer } from '../helpers/origin.ts';
import { bucketContents } from '../helpers/s3-lab.ts';

const SAMPLES = resolve('../shared/data');
const skip = existsSync(SAMPLES)
  ? false
  : 'the real Denver samples (../shared/data) are not on this machine';
const DAY = '2026-11-20';
/** CRLF ends the records, and quoted fields contain bare LFs. Spark alone reads such a file wrong. */
const RECORDS = 500;
const CSV = `id,text,when\r\n${Array.from({ length: RECORDS }, (_, n) => `${n},"line ${n}\nmore",${(n % 12) + 1}/2/2023`).join('\r\n')}\r\n`;
const ROUTES = { '/a.csv': { body: CSV, etag: '"1"' } };

/** Records of the sample and generated records. They have quoted line breaks and twelve-hour times. */
const GENERATED = 20_000;
const ROWS = 49_089 + GENERATED;

function generatedCsv(): Buffer {
  const limit = { records: GENERATED };
  return Buffer.concat([...generate({ dataset: 'denver-311', year: 2023, seed: 5, limit }).chunks]);
}

interface Run {
  status: string;
  runId: string;
  ledger: { records: number; rows: number; balanced: boolean };
  sources: { id: string; rows: number; parquet: { path: string; rows: number }[] }[];
  emr?: { clusterId: string; output: string; instanceHours: number };
}

interface Failure {
  error: { code: string; message: string; log?: { uri: string; lines: string[] } };
}

const shared = sharedEmr();

async function ingested(lab: Lab, ...args: string[]): Promise<Run> {
  const { code, json, stdout, stderr } = await lab.json<Run>([
    'ingest',
    ...args,
    '--date',
    DAY,
    '--as-if',
  ]);
  assert.equal(code, 0, stdout + stderr);
  return json;
}

async function rowsOf(lab: Lab, sql: string): Promise<Record<string, unknown>[]> {
  const { code, stdout, stderr } = await lab.run(['query', sql, '--format', 'json']);
  assert.equal(code, 0, stderr + stdout);
  return JSON.parse(stdout) as Record<string, unknown>[];
}

describe('the engine emr', () => {
  it(
    'makes of a real Denver sample and a generated file the rows that DuckDB makes, all of them',
    { skip },
    async () => {
      const sample: Answer = { body: { file: join(SAMPLES, 'crime.csv') }, etag: '"crime"' };
      const generated: Answer = { body: generatedCsv(), etag: '"generated"' };
      const routes = { '/crime.csv': sample, '/generated.csv': generated };
      await withEmrLab(shared, { routes }, async (lab, prefix) => {
        const sources = Object.fromEntries(
          ['crime', 'generated'].map((id) => [id, lab.origin.address(`/${id}.csv`)]),
        );
        await lab.datasets({ spark: sources, duck: sources });
        const run = await ingested(lab, 'spark');
        assert.deepEqual(
          [run.status, run.ledger.rows, run.ledger.balanced],
          ['published', ROWS, true],
        );
        assert.match(
          run.sources[0]?.parquet[0]?.path ?? '',
          /^s3:.*\/part-[\da-f]{8}-[\da-f]{8}-00000\.parquet$/,
        );
        assert.deepEqual(await shared.liveClusters(), []);
        await ingested(lab, 'duck', '--engine', 'duckdb');
        const [found] = await rowsOf(
          lab,
          `SELECT (SELECT count(*) FROM (FROM spark EXCEPT ALL FROM duck)) AS more,
                (SELECT count(*) FROM (FROM duck EXCEPT ALL FROM spark)) AS fewer,
                (SELECT count(*) FROM spark) AS n`,
        );
        assert.deepEqual(found, { more: 0, fewer: 0, n: ROWS });
        const { keys, uploads } = await bucketContents(shared.s3);
        const left = keys.filter((key) => key.startsWith(prefix) && key.includes('_staging'));
        assert.deepEqual([left, uploads], [[], []]);
        const show = await lab.run(['show', `spark/${DAY}`]);
        assert.match(show.stdout, /EMR j-\w+: TERMINAT\w+/);
        assert.match(show.stdout, /EMR steps completed: 2 of 2/);
        assert.equal((await lab.run(['verify', 'spark', '--date', DAY])).code, 0);
      });
    },
  );

  it('uses a cluster that it did not make and leaves it running, counts by a step, and keeps what it made on HDFS', async () => {
    const { JobFlowId: id = '' } = await shared.client.send(new RunJobFlowCommand(theirs()));
    try {
      const env = { EMR_CLUSTER_ID: id, EMR_OUTPUT: 'hdfs' };
      await withEmrLab(shared, { routes: ROUTES, env }, async (lab, prefix) => {
        await lab.datasets({ things: { a: lab.origin.address('/a.csv') } });
        const run = await ingested(lab, 'things');
        assert.deepEqual([run.status, run.ledger.rows], ['on-hdfs', RECORDS]);
        assert.equal(run.emr?.clusterId, id);
        const shown = await lab.run(['show', `things/${DAY}`]);
        assert.match(shown.stdout, /another owner's cluster/);
        const { keys } = await bucketContents(shared.s3);
        assert.deepEqual(
          keys.filter((key) => key.startsWith(`${prefix}/converted/`)),
          [],
        );
        const listed = await lab.json<{ datasets: { snapshots: number }[] }>(['datasets']);
        assert.equal(listed.json.datasets[0]?.snapshots, 0);
        await assertOnHdfs(id, run);
        const again = await lab.json<Failure>(['ingest', 'things', '--date', DAY, '--as-if']);
        assert.equal(again.json.error?.code, 'EMR_OUTPUT_EXISTS', again.stdout);
      });
      const { Cluster } = await shared.client.send(new DescribeClusterCommand({ ClusterId: id }));
      assert.match(Cluster?.Status?.State ?? '', /RUNNING|WAITING/);
      assert.deepEqual(Cluster?.Tags ?? [], []);
    } finally {
      await shared.client.send(new TerminateJobFlowsCommand({ JobFlowIds: [id] }));
    }
  });

  it('says of a step that fails the probable cause, the end of its log, and where it lies', async () => {
    const Properties = { 'spark.jars': 'hdfs:///no/such.jar' };
    const request = { Configurations: [{ Classification: 'spark-defaults', Properties }] };
    await withEmrLab(shared, { routes: ROUTES, request }, async (lab) => {
      await lab.datasets({ things: { a: lab.origin.address('/a.csv') } });
      // EMR writes the log only when the cluster ends.
      shared.emr.faults = { lateLogs: 1 };
      const { json, code, stdout } = await lab.json<Failure>([
        'ingest',
        'things',
        '--date',
        DAY,
        '--as-if',
      ]);
      assert.deepEqual([code, json.error.code], [10, 'EMR_STEP_FAILED'], stdout);
      assert.match(json.error.message, /probable cause: .*no\/such\.jar/);
      assert.match(json.error.log?.uri ?? '', /^s3:\/\/.*\/steps\/s-\w+\/stderr\.gz$/);
      const lines = json.error.log?.lines ?? [];
      assert.ok(lines.length > 5 && lines.length <= 50, `${lines.length} lines`);
      const shown = await lab.run(['show', `things/${DAY}`]);
      assert.match(shown.stdout, /The end of s3:.*stderr\.gz/);
      assert.match(shown.stdout, /such\.jar/);
      const secret = shared.s3.server.secretAccessKey;
      assert.ok(!shown.stdout.includes(secret) && !stdout.includes(secret));
      assert.deepEqual(await shared.liveClusters(), []);
    });
  });
});

/** Request for a cluster that an operator makes for other work. */
function theirs() {
  const group = (InstanceRole: 'MASTER' | 'CORE') => ({
    ...{ InstanceRole, InstanceType: 'm5.xlarge', InstanceCount: 1 },
  });
  return {
    Name: 'a cluster for other work',
    ReleaseLabel: 'emr-7.10.0',
    ServiceRole: 'EMR_DefaultRole',
    JobFlowRole: 'EMR_EC2_DefaultRole',
    Instances: {
      KeepJobFlowAliveWhenNoSteps: true,
      InstanceGroups: [group('MASTER'), group('CORE')],
    },
  };
}

/** Checks that HDFS holds the manifest and the finished Parquet file, and no unfinished file. */
async function assertOnHdfs(clusterId: string, run: Run): Promise<void> {
  const day = `/takehome-converted/things/ingest_date=${DAY}`;
  const ask = async (path: string, op: string): Promise<unknown> => {
    const root = shared.emr.webHdfsOf(clusterId);
    return await (await fetch(`${root}/webhdfs/v1${path}?op=${op}`)).json();
  };
  const manifest = (await ask(`${day}/_manifest.json`, 'OPEN')) as SnapshotManifest;
  assert.equal(manifest.runId, run.runId);
  assert.deepEqual(manifest.ledger, { records: RECORDS, rows: RECORDS, rejected: 0 });
  const listed = (await ask(`${day}/source=a`, 'LISTSTATUS')) as {
    FileStatuses: { FileStatus: { pathSuffix: string }[] };
  };
  assert.match(
    listed.FileStatuses.FileStatus.map(({ pathSuffix }) => pathSuffix).join(' '),
    /^part-[\da-f]{8}-[\da-f]{8}-00000\.parquet$/,
  );
}
