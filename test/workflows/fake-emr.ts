import type { Activities } from '../../src/activities/index.ts';
import type { EmrPlan } from '../../src/activities/emr-types.ts';
import type { ClusterState, EmrCluster, EmrStep } from '../../src/model/emr.ts';
import { sourceResult } from './source-result.ts';

type EmrActivity =
  | 'planConversion'
  | 'openCluster'
  | 'pollCluster'
  | 'cancelSteps'
  | 'closeCluster'
  | 'submitStep'
  | 'explainStep'
  | 'stageJob'
  | 'countOnHdfs'
  | 'resultOnHdfs'
  | 'planCopy'
  | 'stageCopiedParts'
  | 'stageHdfsManifest';

export const FAKE_PLAN: EmrPlan = {
  output: 'both',
  instances: 3,
  pollMs: 20,
  provisioningLimitMs: 60_000,
  bootstrapLimitMs: 60_000,
  stepLimitMs: 60_000,
  maxInstanceHours: 100,
  keepAlive: false,
};

export function fakeCluster(changes: Partial<EmrCluster> = {}): EmrCluster {
  return {
    id: 'j-1',
    isOurs: true,
    state: 'STARTING',
    reason: 'Provisioning Amazon EC2 capacity',
    logUri: 's3://bucket/logs/j-1/',
    instances: 3,
    createdAtMs: Date.UTC(2026, 10, 23),
    ...changes,
  };
}

/** A cluster that goes a state further with each look, and steps that complete with the next one. */
export function fakeEmr(plan: Partial<EmrPlan> = {}): Pick<Activities, EmrActivity> {
  const states: ClusterState[] = ['STARTING', 'BOOTSTRAPPING', 'RUNNING'];
  let looks = 0;
  let steps = 0;
  return {
    planConversion: async () => ({ ...FAKE_PLAN, ...plan }),
    openCluster: async ({ generation }) => {
      looks = 0;
      return { cluster: fakeCluster({ id: `j-${generation}` }) };
    },
    pollCluster: async ({ cluster, stepIds }) => {
      looks += 1;
      const state = states[looks] ?? 'RUNNING';
      const done = stepIds.map((id): EmrStep => ({ id, state: 'COMPLETED' }));
      return { cluster: fakeCluster({ ...cluster, state }), steps: done, instanceHours: 0.5 };
    },
    cancelSteps: async () => undefined,
    closeCluster: async ({ cluster }) =>
      cluster && fakeCluster({ ...cluster, state: 'TERMINATING', reasonCode: 'USER_REQUEST' }),
    submitStep: async () => {
      steps += 1;
      return { id: `s-${steps}`, state: 'PENDING' };
    },
    explainStep: async ({ step }) => ({
      code: 'EMR_STEP_FAILED',
      message: `The step ${step.id} failed.`,
      isLostNodes: false,
    }),
    stageJob: async ({ source }) => ({
      jobUri: 's3://bucket/job.json',
      hdfsFolder: `/takehome-converted/${source.id}/`,
    }),
    countOnHdfs: async () => ({ outcome: 'counted', parts: 1, rows: 10 }),
    resultOnHdfs: async ({ source }) => sourceResult(source.id, 'converted'),
    planCopy: async ({ hdfsFolder, source }) => ({
      from: `hdfs://${hdfsFolder}`,
      to: `s3://bucket/source=${source.id}/`,
    }),
    stageCopiedParts: async () => undefined,
    stageHdfsManifest: async () => ({ from: 's3://bucket/manifest/', to: 'hdfs:///day/' }),
  };
}
