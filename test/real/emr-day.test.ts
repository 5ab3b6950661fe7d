import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  AddTagsCommand,
  ListStepsCommand,
  RunJobFlowCommand,
  TerminateJobFlowsCommand,
} from '@aws-sdk/client-emr';
import { loadConfig } from '../../src/config/load-config.ts';
import { clusterRequest } from '../../src/emr/cluster-request.ts';
import type { SweepResult } from '../../src/model/sweep.ts';
import { sharedEmr, withEmrLab } from '../helpers/emr-lab.ts';
import { clustersOf, DAY, ingestError, withDatasets } from '../helpers/emr-runs.ts';
import { bucketContents } from '../helpers/s3-lab.ts';

interface Run {
  status: string;
  runId: string;
  revision: number;
  ledger: { rows: number };
}

const shared = sharedEmr();

describe('runs of one day on EMR', () => {
  it('that are asked for at once are one; a later one, with EMR_OUTPUT=s3 too, is a revision on a new cluster', async () => {
    const route = { body: 'id,text\r\n1,"a\nb"\r\n', etag: '"1"' };
    const env = { EMR_OUTPUT: 's3' };
    await withEmrLab(shared, { routes: { '/a.csv': route }, env }, async (lab, prefix) => {
      await lab.datasets({ twice: { a: lab.origin.address('/a.csv') } });
      const ingest = ['ingest', 'twice', '--date', DAY, '--as-if'];
      const both = await Promise.all([lab.json<Run>(ingest), lab.json<Run>(ingest)]);
      const output = both.map(({ stdout, stderr }) => stdout + stderr).join('\n');
      assert.deepEqual(
        both.map(({ code, json }) => [code, json.status, json.ledger?.rows]),
        [
          [0, 'published', 1],
          [0, 'published', 1],
        ],
        output,
      );
      assert.equal(both[0].json.runId, both[1].json.runId);
      assert.equal((await clustersOf(shared, 'twice')).length, 1);
      lab.origin.set('/a.csv', { body: `${route.body}2,c\r\n`, etag: '"2"' });
      const again = await lab.json<Run>([...ingest, '--again']);
      assert.deepEqual(
        [again.json.status, again.json.revision, again.json.ledger?.rows],
        ['published', 2, 2],
        again.stdout + again.stderr,
      );
      assert.equal((await clustersOf(shared, 'twice')).length, 2);
      assert.deepEqual(await shared.liveClusters(), []);
      const { keys, uploads } = await bucketContents(shared.s3);
      const left = keys.filter((key) => key.startsWith(prefix) && key.includes('_staging'));
      assert.deepEqual([left, uploads], [[], []]);
    });
  });
});

describe('a run on EMR whose cluster has no room for a step, and whose copy fails half-way', () => {
  it('waits, copies again, and needs no second cluster', async () => {
    const csv = (n: number) => ({ body: `id,text\r\n${n},"a\nb"\r\n`, etag: `"${n}"` });
    const routes = { '/a.csv': csv(1), '/b.csv': csv(2) };
    await withEmrLab(shared, { routes, env: { EMR_OUTPUT: 's3' } }, async (lab) => {
      const address = (name: string): string => lab.origin.address(`/${name}.csv`);
      await lab.datasets({ many: { a: address('a'), b: address('b') } });
      shared.emr.faults = { stepsOpen: { count: 1, steps: 256, ms: 2000 }, copyFailure: 1 };
      const run = await lab.json<Run>(['ingest', 'many', '--date', DAY, '--as-if']);
      assert.deepEqual(
        [run.code, run.json.status, run.json.ledger?.rows],
        [0, 'published', 2],
        run.stdout + run.stderr,
      );
      const [cluster = '', ...others] = await clustersOf(shared, 'many');
      assert.deepEqual(others, []);
      const { Steps = [] } = await shared.client.send(new ListStepsCommand({ ClusterId: cluster }));
      const states = Steps.filter(({ Name }) => Name?.includes(run.json.runId)).map(
        ({ Name, Status }) => `${Name?.split('/').slice(2).join(' ')} ${Status?.State}`,
      );
      assert.deepEqual(states.toSorted(), [
        'convert 1 COMPLETED',
        'copy 1 FAILED',
        'copy 2 COMPLETED',
      ]);
      const query = ['query', 'SELECT id FROM many ORDER BY id', '--format', 'csv'];
      assert.match((await lab.run(query)).stdout, /1\r?\n2/);
    });
  });
});

describe('the sweep of a lake that uses EMR', () => {
  it('ends the cluster that a dead run left or that was kept past its time, and no other', async () => {
    await withDatasets(shared, ['swept'], {}, async (lab, prefix) => {
      shared.emr.faults = { bootstrapFailure: 1 };
      assert.equal((await ingestError(lab, 'swept')).code, 'EMR_BOOTSTRAP_FAILED');
      const { json } = await lab.json<{ runs: { runId: string }[] }>(['runs']);
      const name = {
        ...{ dataset: 'swept', ingestDate: DAY, runId: json.runs[0]?.runId ?? '', generation: 2 },
      };
      const { emr } = loadConfig({ env: {}, cwd: lab.folder }).settings;
      const ours = `s3://${shared.s3.bucket}/${prefix}/takehome-converted/`;
      // The failed run has written this script.
      const shutDownUri = `${ours}_emr/shut-down-after.sh`;
      const make = async (lake: string, runId = name.runId): Promise<string> => {
        const where = { logUri: `${lake}_emr-logs/`, lake, shutDownUri };
        const request = clusterRequest(emr, {}, { ...name, runId }, where);
        return (await shared.client.send(new RunJobFlowCommand(request))).JobFlowId ?? '';
      };
      const [left, foreign] = [await make(ours), await make('s3://another-lake/')];
      const keepUntil = async (time: number): Promise<void> => {
        const kept = { Key: 'longhaul:kept', Value: new Date(time).toISOString() };
        await shared.client.send(new AddTagsCommand({ ResourceId: left, Tags: [kept] }));
      };
      await keepUntil(Date.now() + 60_000);
      const early = await lab.json<SweepResult>(['sweep', '--older-than', '0', '--dry-run']);
      assert.deepEqual(
        early.json.items.filter(({ kind }) => kind === 'cluster'),
        [],
      );
      await keepUntil(Date.now() - 1);
      // The sweep takes a cluster whose time is over, even if the cluster is young.
      const look = await lab.json<SweepResult>(['sweep', '--dry-run']);
      const found = look.json.items.filter(({ kind }) => kind === 'cluster');
      assert.deepEqual(
        found.map(({ key, outcome }) => [key.split(' ')[0], outcome]),
        [[left, 'would-remove']],
        look.stdout,
      );
      assert.equal((await shared.liveClusters()).length, 2);
      const swept = await lab.run(['sweep', '--older-than', '0']);
      assert.equal(swept.code, 0, swept.stderr);
      assert.deepEqual(await shared.liveClusters(), [foreign]);
      await shared.client.send(new TerminateJobFlowsCommand({ JobFlowIds: [foreign] }));
    });
  });
});
