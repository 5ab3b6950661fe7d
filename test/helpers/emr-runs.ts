import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ListClustersCommand, ListStepsCommand } from '@aws-sdk/client-emr';
import type { RequestAdditions } from '../../src/emr/cluster-request.ts';
import { withEmrLab, type SharedEmr } from './emr-lab.ts';
import type { Lab } from './lab.ts';
import { bucketContents } from './s3-lab.ts';

export const DAY = '2026-11-20';
/** Two records are enough: these tests are about faults around Spark, not about the conversion. */
const ROUTES = { '/a.csv': { body: 'id,text\r\n1,"a\nb"\r\n2,c\r\n', etag: '"1"' } };

interface Failure {
  error: { code: string; message: string };
}

/** Creates a lab whose datasets have one small source each. Afterwards, no cluster and no half output may be left. */
export async function withDatasets(
  shared: SharedEmr,
  names: string[],
  env: Record<string, string>,
  body: (lab: Lab, prefix: string) => Promise<void>,
  request: RequestAdditions = {},
): Promise<void> {
  await withEmrLab(shared, { routes: ROUTES, env, request }, async (lab, prefix) => {
    const source = { a: lab.origin.address('/a.csv') };
    await lab.datasets(Object.fromEntries(names.map((name) => [name, source])));
    await body(lab, prefix);
    await assertNothingLeft(shared, prefix);
  });
}

/** Checks that no cluster costs money. The converted zone may hold only the logs and the script of clusters. */
async function assertNothingLeft(shared: SharedEmr, prefix: string): Promise<void> {
  assert.deepEqual(await shared.liveClusters(), []);
  const { keys, uploads } = await bucketContents(shared.s3);
  const zone = `${prefix}/takehome-converted/`;
  const left = keys.filter((key) => key.startsWith(zone) && !/\/_emr(?:-logs)?\//.test(key));
  assert.deepEqual([left, uploads], [[], []]);
}

export async function ingestError(lab: Lab, name: string): Promise<Failure['error']> {
  const ingest = ['ingest', name, '--date', DAY, '--as-if'];
  const { json, code, stdout, stderr } = await lab.json<Failure>(ingest);
  assert.notEqual(code, 0, stdout + stderr);
  return json.error;
}

/** Ids of all clusters that were ever made for a dataset. */
export async function clustersOf({ client }: SharedEmr, name: string): Promise<string[]> {
  const { Clusters = [] } = await client.send(new ListClustersCommand({}));
  return Clusters.filter(({ Name }) => Name?.startsWith(`longhaul/${name}/`)).map(
    ({ Id = '' }) => Id,
  );
}

/** Waits until the only step of the dataset's only cluster runs. */
export async function runningStep(
  shared: SharedEmr,
  name: string,
): Promise<{ cluster: string; step: string }> {
  for (;;) {
    const [cluster, ...others] = await clustersOf(shared, name);
    assert.deepEqual(others, [], 'one cluster');
    if (cluster !== undefined) {
      const { Steps = [] } = await shared.client.send(new ListStepsCommand({ ClusterId: cluster }));
      assert.ok(Steps.length <= 1, 'one step');
      if (Steps[0]?.Status?.State === 'RUNNING') return { cluster, step: Steps[0].Id ?? '' };
    }
    await sleep(100);
  }
}

/** Kills the lab's host: its worker, and the Temporal that the host started. */
export async function killHost(lab: Lab): Promise<void> {
  const file = await readFile(join(lab.stateDir, 'host.json'), 'utf8');
  process.kill((JSON.parse(file) as { pid: number }).pid, 'SIGKILL');
}
