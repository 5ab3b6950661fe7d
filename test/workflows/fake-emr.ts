import type { Activities } from '../../src/activities/index.ts';
import type { ClusterState, EmrCluster, EmrPlan, EmrStep } from '../../src/model/emr.ts';
import { sourceResult } from './source-result.ts';

type EmrActivity =
  | 'openCluster'
  | 'watchCluster'
  | 'cancelSteps'
  | 'closeCluster'
  | 'submitStep'
  | 'explainStep'
  | 'takeResults'
  | 'stageCopied'
  | 'verifyOnHdfs';

export const FAKE_PLAN: EmrPlan = {
  output: 'both',
  instances: 3,
  startLimitMs: 60_000,
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

/** A cluster that moves one state further with each look, and a step that completes when it runs. */
export function fakeEmr(): Pick<Activities, EmrActivity> {
  let steps = 0;
  return {
    openCluster: async ({ generation }) => ({ cluster: fakeCluster({ id: `j-${generation}` }) }),
    watchCluster: async ({ cluster, stepId: id = '', known }) => {
      const state = NEXT[known.cluster] ?? known.cluster;
      const isDone = known.cluster === 'RUNNING' && known.step === 'RUNNING';
      const step: EmrStep = {
        id,
        state: isDone ? 'COMPLETED' : state === 'RUNNING' ? 'RUNNING' : 'PENDING',
      };
      return { cluster: fakeCluster({ ...cluster, state }), step, instanceHours: 0.5 };
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
      cause: '',
      isWorthRetry: false,
    }),
    takeResults: async () => ({ open: [], failed: [], deadStarts: 0 }),
    stageCopied: async () => [],
    verifyOnHdfs: async ({ source }) => sourceResult(source.id, 'converted'),
  };
}

const NEXT: Partial<Record<ClusterState, ClusterState>> = {
  STARTING: 'BOOTSTRAPPING',
  BOOTSTRAPPING: 'RUNNING',
};
