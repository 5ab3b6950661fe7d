import assert from 'node:assert/strict';
import { join } from 'node:path';
import { writeFile } from 'node:fs/promises';
import { after, afterEach, before } from 'node:test';
import { ListClustersCommand, type EMRClient } from '@aws-sdk/client-emr';
import type { RequestAdditions } from '../../src/emr/cluster-request.ts';
import type { EmrServer } from '../../tools/local-aws/emr/emr-server.ts';
import { withLab, type Lab } from './lab.ts';
import { QUICK_SPARK, startTestEmr } from './local-emr.ts';
import type { Route } from './origin.ts';
import { startS3, type TestS3 } from './s3.ts';

/** A bucket and a local EMR that several tests share. Each test has a lab and settings of its own. */
export interface SharedEmr {
  s3: TestS3;
  emr: EmrServer;
  /** Client with which a test looks at EMR without Longhaul. */
  client: EMRClient;
  /** Ids of the clusters that still cost money. */
  liveClusters(): Promise<string[]>;
}

/** The SDK's default. A test's own requests meet the faults that it injects for its run, so they need retries. */
const SDK_ATTEMPTS = 3;

async function startSharedEmr(): Promise<StartedEmr> {
  const s3 = await startS3();
  const settings = {
    // The local EMR knows only these roles and this subnet.
    roles: ['EMR_DefaultRole', 'EMR_EC2_DefaultRole'],
    subnets: ['subnet-0a1b2c3d'],
  };
  const emr = await startTestEmr(s3, settings, SDK_ATTEMPTS);
  const { client } = emr;
  return {
    s3,
    emr,
    client,
    liveClusters: async () => {
      const states = ['STARTING', 'BOOTSTRAPPING', 'RUNNING', 'WAITING'] as const;
      const { Clusters = [] } = await client.send(
        new ListClustersCommand({ ClusterStates: [...states] }),
      );
      return Clusters.map(({ Id = '' }) => Id);
    },
    close: async () => {
      await emr.stop();
      await s3.close();
    },
  };
}

type StartedEmr = SharedEmr & { close(): Promise<void> };

/** Starts a shared EMR before the tests of a file and stops it after them. Each test starts without a fault. */
export function sharedEmr(): SharedEmr {
  let started: StartedEmr | undefined;
  const shared = (): StartedEmr =>
    started ?? assert.fail('bucket and EMR are there while tests run');
  before(async () => {
    started = await startSharedEmr();
  });
  after(async () => await started?.close());
  afterEach(() => {
    shared().emr.faults = {};
  });
  return {
    get s3() {
      return shared().s3;
    },
    get emr() {
      return shared().emr;
    },
    get client() {
      return shared().client;
    },
    liveClusters: async () => await shared().liveClusters(),
  };
}

/** Creates a lab with its own lake in the shared bucket. Its runs use the shared EMR. */
export async function withEmrLab(
  { s3, emr }: SharedEmr,
  setup: {
    routes?: Record<string, Route>;
    env?: Record<string, string>;
    /** Additions to the request, which EMR_REQUEST names. */
    request?: RequestAdditions;
  },
  body: (lab: Lab, prefix: string) => Promise<void>,
): Promise<void> {
  labs += 1;
  const prefix = `lab-${labs}`;
  const env = {
    ...s3.env,
    LAKE: `s3://${s3.bucket}/${prefix}`,
    ENGINE: 'emr',
    AWS_ENDPOINT_URL_EMR: emr.endpoint,
    EMR_STEP_LIMIT_MINUTES: '3',
    SOURCE_RETRY_MINUTES: '1',
    EMR_REQUEST: 'emr.json',
    ...setup.env,
  };
  await withLab({ ...setup, env }, async (lab) => {
    const request = { Configurations: [QUICK_SPARK], ...setup.request };
    await writeFile(join(lab.folder, 'emr.json'), JSON.stringify(request));
    await body(lab, prefix);
  });
}

let labs = 0;
