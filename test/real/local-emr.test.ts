import {
  AddJobFlowStepsCommand,
  CancelStepsCommand,
  DescribeClusterCommand,
  ListStepsCommand,
  PutAutoTerminationPolicyCommand,
  TerminateJobFlowsCommand,
  type EMRClient,
  type StepSummary,
  type StepConfig,
} from '@aws-sdk/client-emr';
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import { create, untilState } from '../tools/local-aws/emr/quick-emr.ts';
import { withLocalEmr } from '../helpers/local-emr.ts';
import { startS3, type TestS3 } from '../helpers/s3.ts';

const ENDED = ['TERMINATED', 'TERMINATED_WITH_ERRORS'];

/** Number of files in the copy that the test interrupts. */
const MANY = 30;

/** Two records. One has a line break in a field. */
const CSV = 'id,text\n1,one\n2,"two\nlines"\n';

/** A JVM that compiles less finishes a short job sooner. The name shows that a step's settings reach Spark. */
const QUICK_SPARK = [
  'spark.driver.extraJavaOptions=-XX:TieredStopAtLevel=1 -XX:+UseSerialGC',
  'spark.app.name=named-by-the-step',
].flatMap((setting) => ['--conf', setting]);

const CONVERT = `import sys
from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
rows = spark.read.option("header", True).option("multiLine", True).csv(sys.argv[1])
rows.coalesce(1).write.parquet(sys.argv[2])
print("rows", spark.read.parquet(sys.argv[2]).count(), spark.sparkContext.master, spark.sparkContext.appName)
`;

describe('the local EMR', () => {
  it('converts S3 to HDFS with Spark, copies both ways, and keeps the logs', async () => {
    await withS3(async (s3) => {
      await put(s3, 'in/data.csv', CSV);
      await put(s3, 'convert.py', CONVERT);
      for (const name of [
        'x=1/part-ab12-1.parquet',
        'part-ab12-2.parquet',
        'x=1/part-cd34-1.parquet',
      ]) {
        await put(s3, `days/1/${name}`, 'new');
      }
      for (const name of ['part-ab12-2.parquet', 'x=1/other'])
        await put(s3, `matching/${name}`, 'old');
      await put(s3, 'bootstrap.sh', '#!/bin/sh\necho "bootstrap $1"\n');
      const bucket = `s3://${s3.bucket}`;
      let left = '';
      await withLocalEmr(s3, async (emr) => {
        const { client, folder } = emr;
        const script = { Path: `${bucket}/bootstrap.sh`, Args: ['$HOME `x`'] };
        const id = await create(client, {
          LogUri: `${bucket}/logs/`,
          BootstrapActions: [{ Name: 'hello', ScriptBootstrapAction: script }],
        });
        await untilState(client, id, ['WAITING', ...ENDED]);
        const convert = [
          ...['spark-submit', '--deploy-mode', 'client'],
          ...QUICK_SPARK,
          `${bucket}/convert.py`,
        ];
        const steps = await run(client, id, [
          stepOf('convert', [...convert, `${bucket}/in/data.csv`, 'hdfs:///converted/x']),
          stepOf('to S3', [
            's3-dist-cp',
            '--src',
            'hdfs:///converted',
            '--dest',
            `${bucket}/copied/`,
          ]),
          stepOf('to HDFS', ['s3-dist-cp', `--src=${bucket}/copied`, '--dest=hdfs:///back']),
          stepOf('matching ones', [
            's3-dist-cp',
            ...['--src', `${bucket}/days/1`, '--dest', `${bucket}/matching`],
            ...['--srcPattern', '.*/part-ab12-[0-9]+\\.parquet'],
          ]),
          stepOf('unknown', ['hive', '-e', 'SELECT 1']),
          stepOf('no source', ['s3-dist-cp', '--src', 'hdfs:///none', '--dest', `${bucket}/none/`]),
        ]);
        assert.deepEqual(states(steps), [
          'COMPLETED',
          'COMPLETED',
          'COMPLETED',
          'COMPLETED',
          'FAILED',
          'FAILED',
        ]);

        const copied = (await keys(s3, 'copied/')).filter((key) => key.endsWith('.parquet'));
        assert.equal(copied.length, 1);
        assert.match(copied[0] ?? '', /^copied\/x\/part-00000-.*\.parquet$/);
        const parquet = await get(s3, copied[0] ?? '');
        assert.equal(parquet.subarray(-4).toString(), 'PAR1');
        const name = (copied[0] ?? '').slice('copied/'.length);
        const webHdfs = emr.webHdfsOf(id);
        const back = await fetch(`${webHdfs}/webhdfs/v1/back/${name}?op=OPEN`);
        assert.deepEqual(Buffer.from(await back.arrayBuffer()), parquet);

        const present = await keys(s3, 'matching/');
        const texts = present.map(async (key) => `${key} ${(await get(s3, key)).toString()}`);
        assert.deepEqual(await Promise.all(texts), [
          'matching/part-ab12-2.parquet new',
          'matching/x=1/other old',
          'matching/x=1/part-ab12-1.parquet new',
        ]);

        await client.send(new TerminateJobFlowsCommand({ JobFlowIds: [id] }));
        await untilState(client, id, ENDED);
        assert.equal(emr.webHdfsOf(id), undefined);
        const logs = `logs/${id}/steps/${steps[0]?.Id}/`;
        assert.deepEqual(
          (await keys(s3, logs)).map((key) => key.slice(logs.length)),
          ['stderr.gz', 'stdout.gz'],
        );
        const stdout = gunzipSync(await get(s3, `${logs}stdout.gz`)).toString();
        assert.match(stdout, /^rows 2 local\[\d+\] named-by-the-step$/m);
        const failure = steps[4]?.Status?.FailureDetails;
        assert.match(failure?.Message ?? '', /Cannot run program "hive"/);
        const log = (await keys(s3, `logs/${id}/node/`)).find((key) => key.endsWith('stdout.gz'));
        assert.equal(gunzipSync(await get(s3, log ?? '')).toString(), 'bootstrap $HOME `x`\n');
        for (const key of await keys(s3, 'logs/')) {
          const text = gunzipSync(await get(s3, key)).toString();
          assert.ok(!text.includes(s3.env.AWS_SECRET_ACCESS_KEY), key);
        }

        const [hdfs, ...others] = await readdir(folder);
        assert.match(hdfs ?? '', /^hdfs-/);
        assert.deepEqual(others, ['server.lock']);

        const next = await create(client, {});
        await untilState(client, next, ['WAITING', ...ENDED]);
        const root = `${emr.webHdfsOf(next)}/webhdfs/v1/?op=LISTSTATUS`;
        const listing = await (await fetch(root)).json();
        assert.deepEqual(listing, { FileStatuses: { FileStatus: [] } });
        assert.ok((await readdir(folder)).includes(hdfs ?? ''), 'the same HDFS, emptied');
        left = folder;
      });
      assert.deepEqual(commandsOf(left), []);
    });
  });

  it('ends a cluster by the script of its own, whatever runs there, where no worker does', async () => {
    await withS3(async (s3) => {
      const script = new URL('../../src/emr/shut-down-after.sh', import.meta.url);
      await put(s3, 'shut-down-after.sh', await readFile(script));
      const Path = `s3://${s3.bucket}/shut-down-after.sh`;
      const action = { Name: 'shut down', ScriptBootstrapAction: { Path, Args: ['10'] } };
      await withLocalEmr(
        s3,
        async ({ client }) => {
          const id = await create(client, { BootstrapActions: [action] });
          await add(client, id, [stepOf('hangs', ['spark-submit', 's3://x/y.py'])]);
          await untilState(client, id, ENDED);
          const { Cluster } = await client.send(new DescribeClusterCommand({ ClusterId: id }));
          assert.equal(
            Cluster?.Status?.StateChangeReason?.Message,
            'The master node was terminated',
          );
        },
        // A second lasts 1 ms, so ten minutes last 0.6 s.
        { delays: { secondMs: 1 }, faults: { hang: 1 } },
      );
    });
  });

  it('ends a step that is cancelled, with all that it started, and a full HDFS fails a step', async () => {
    await withS3(async (s3) => {
      await put(s3, 'endless.py', 'import subprocess, sys\nsubprocess.run(["sleep", "600"])\n');
      for (let index = 0; index < MANY; index += 1) await put(s3, `many/${index}`, `${index}`);
      await put(s3, 'big.bin', Buffer.alloc(24 * 1024 * 1024, 1));
      const bucket = `s3://${s3.bucket}`;
      const faults = { smallHdfs: { count: 1, bytes: 8 * 1024 * 1024 }, copyFailure: 1 };
      await withLocalEmr(
        s3,
        async ({ client, folder }) => {
          const id = await create(client, { LogUri: `${bucket}/logs` });
          const endless = stepOf('endless', ['spark-submit', `${bucket}/endless.py`]);
          const [step = ''] = await add(client, id, [endless]);
          while (!commandsOf(folder).some((line) => line.includes('endless.py'))) await sleep(100);
          await client.send(new CancelStepsCommand({ ClusterId: id, StepIds: [step] }));
          assert.equal((await ended(client, id, step)).Status?.State, 'CANCELLED');
          assert.ok(!commandsOf(folder).some((line) => line.includes('endless.py')));
          const cut = ['s3-dist-cp', '--src', `${bucket}/many`, '--dest', `${bucket}/part`];
          const [half] = await run(client, id, [stepOf('cut off', cut)]);
          assert.equal(half?.Status?.State, 'FAILED');
          const copied = (await keys(s3, 'part/')).length;
          assert.ok(copied > 0 && copied < MANY, `${copied} of ${MANY}`);
          const copy = stepOf('too big', [
            's3-dist-cp',
            '--src',
            `${bucket}/big.bin`,
            '--dest',
            'hdfs:///big/',
          ]);
          const [full] = await run(client, id, [copy]);
          assert.equal(full?.Status?.State, 'FAILED');
          await client.send(new TerminateJobFlowsCommand({ JobFlowIds: [id] }));
          await untilState(client, id, ENDED);
          const stderr = gunzipSync(
            await get(s3, `logs/${id}/steps/${full.Id}/stderr.gz`),
          ).toString();
          assert.match(stderr, /could only be written to 0 of the 1 minReplication nodes/);
        },
        { faults },
      );
    });
  });
});

describe('a cluster of the local EMR with files in its HDFS', () => {
  it('is not idle until they are gone', async () => {
    await withS3(async (s3) => {
      await put(s3, 'some.bin', Buffer.alloc(2 * 1024 * 1024, 1));
      const source = `s3://${s3.bucket}/some.bin`;
      const faults = { smallHdfs: { count: 1, bytes: 8 * 1024 * 1024 } };
      await withLocalEmr(
        s3,
        async (emr) => {
          const { client } = emr;
          const id = await create(client, {});
          const copy = ['s3-dist-cp', '--src', source, '--dest', 'hdfs:///some.bin'];
          await run(client, id, [stepOf('copy', copy)]);
          const url = emr.webHdfsOf(id) ?? '';
          await untilUse(url, (use) => use > 0.1);
          const policy = { ClusterId: id, AutoTerminationPolicy: { IdleTimeout: 60 } };
          await client.send(new PutAutoTerminationPolicyCommand(policy));
          // This is many times as long as a cluster may be idle.
          await sleep(60 * 20);
          const { Cluster } = await client.send(new DescribeClusterCommand({ ClusterId: id }));
          assert.equal(Cluster?.Status?.State, 'WAITING');
          await fetch(`${url}/webhdfs/v1/some.bin?op=DELETE&recursive=true`, { method: 'DELETE' });
          await untilState(client, id, ENDED);
        },
        { faults, delays: { secondMs: 1 } },
      );
    });
  });
});

/** Waits for the use of HDFS that the NameNode reports. */
async function untilUse(nameNode: string, isWanted: (use: number) => boolean): Promise<void> {
  const url = `${nameNode}/jmx?qry=Hadoop:service=NameNode,name=FSNamesystemState`;
  for (;;) {
    const { beans } = (await (await fetch(url)).json()) as {
      beans: { CapacityUsed: number; CapacityTotal: number }[];
    };
    const [{ CapacityUsed: used, CapacityTotal: total } = assert.fail('no answer')] = beans;
    if (isWanted(used / total)) return;
    await sleep(100);
  }
}

async function withS3(body: (s3: TestS3) => Promise<void>): Promise<void> {
  const s3 = await startS3();
  try {
    await body(s3);
  } finally {
    await s3.close();
  }
}

async function put(s3: TestS3, Key: string, Body: string | Buffer): Promise<void> {
  await s3.client.send(new PutObjectCommand({ Bucket: s3.bucket, Key, Body }));
}

async function get(s3: TestS3, Key: string): Promise<Buffer> {
  const { Body } = await s3.client.send(new GetObjectCommand({ Bucket: s3.bucket, Key }));
  return Buffer.from((await Body?.transformToByteArray()) ?? []);
}

async function keys(s3: TestS3, Prefix: string): Promise<string[]> {
  const { Contents = [] } = await s3.client.send(
    new ListObjectsV2Command({ Bucket: s3.bucket, Prefix }),
  );
  return Contents.map(({ Key = '' }) => Key);
}

function stepOf(Name: string, Args: string[]): StepConfig {
  const HadoopJarStep = { Jar: 'command-runner.jar', Args };
  return { Name, ActionOnFailure: 'CONTINUE', HadoopJarStep };
}

async function add(client: EMRClient, id: string, Steps: StepConfig[]): Promise<string[]> {
  const { StepIds = [] } = await client.send(new AddJobFlowStepsCommand({ JobFlowId: id, Steps }));
  return StepIds;
}

/** Runs steps. @returns them, the oldest first. */
async function run(client: EMRClient, id: string, configs: StepConfig[]): Promise<StepSummary[]> {
  const ids = await add(client, id, configs);
  await ended(client, id, ids.at(-1) ?? '');
  const { Steps = [] } = await client.send(new ListStepsCommand({ ClusterId: id, StepIds: ids }));
  return Steps.toReversed();
}

async function ended(client: EMRClient, ClusterId: string, StepId: string): Promise<StepSummary> {
  for (;;) {
    const listed = await client.send(new ListStepsCommand({ ClusterId, StepIds: [StepId] }));
    const [Step = {}] = listed.Steps ?? [];
    if (Step.Status?.Timeline?.EndDateTime !== undefined) return Step;
    await sleep(50);
  }
}

function states(steps: readonly StepSummary[]): (string | undefined)[] {
  return steps.map(({ Status }) => Status?.State);
}

/** Command lines of a cluster's processes: all processes in each group of which one has the folder in its arguments. */
function commandsOf(folder: string): string[] {
  const listed = execFileSync('ps', ['-A', '-ww', '-o', 'pgid=,args='], { encoding: 'utf8' });
  const lines = listed.split('\n').map((line) => line.trim().split(/\s+/));
  const groups = new Set(
    lines.filter((line) => line.some((word) => word.includes(folder))).map(([group]) => group),
  );
  return lines.filter(([group]) => groups.has(group)).map((line) => line.join(' '));
}
