import {
  EMRClient,
  DescribeClusterCommand,
  ListStepsCommand,
  RunJobFlowCommand,
  type Cluster,
  type RunJobFlowInput,
  type StepConfig,
} from '@aws-sdk/client-emr';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  startEmrServer,
  type EmrServer,
  type EmrServerOptions,
} from '../../../../tools/local-aws/emr/emr-server.ts';
import type {
  EmrRuntime,
  ProgramEnd,
  RunningProgram,
  Step,
  StepFault,
} from '../../../../tools/local-aws/emr/cluster.ts';

/** A server of the EMR API whose steps the test runs. It starts no Java: a cluster takes some milliseconds. */
export interface QuickEmr extends EmrServer {
  client: EMRClient;
  /** Steps that the server started, in order. */
  started: string[];
  /** Clusters whose machine still exists. */
  machines: Set<string>;
  /** Steps whose logs the server copied to S3. */
  saved: string[];
  /** Used share of the HDFS of every cluster, from 0 to 1, and how often a server asked for it. */
  hdfs: { use: number; asked: number };
}

export const IDENTITY = {
  accessKeyId: 'someone',
  secretAccessKey: 'a-secret',
  region: 'us-east-1',
};

/** Each step does as its first argument says: `ok`, `fail`, or `wait` until it is cancelled. */
export async function withQuickEmr(
  body: (emr: QuickEmr) => Promise<void>,
  { delays: given, ...options }: Partial<EmrServerOptions> = {},
): Promise<void> {
  const started: string[] = [];
  const machines = new Set<string>();
  const saved: string[] = [];
  const hdfs = { use: 0, asked: 0 };
  const runtime = quickRuntime({ started, machines, saved, hdfs });
  const delays = {
    ...{ provisioningMs: 1, beforeStepMs: 1, logsMs: 1 },
    ...given,
  };
  const server = await startEmrServer({ identity: IDENTITY, runtime, delays, ...options });
  const { endpoint } = server;
  const credentials = IDENTITY;
  // The SDK's retries are off: a retry of RunJobFlow makes a second cluster. The tests see every error.
  const client = new EMRClient({ endpoint, region: 'us-east-1', credentials, maxAttempts: 1 });
  try {
    await body(Object.assign(server, { client, started, machines, saved, hdfs }));
  } finally {
    client.destroy();
    await server.stop();
  }
}

function quickRuntime({
  started,
  machines,
  saved,
  hdfs,
}: Pick<QuickEmr, 'started' | 'machines' | 'saved' | 'hdfs'>): EmrRuntime {
  return {
    prepare: async ({ id }) => {
      machines.add(id);
      return await Promise.resolve({
        webHdfsUrl: 'http://127.0.0.1:9',
        shutDownMinutes: async () => await Promise.resolve(undefined),
        bootstrap: async ({ ScriptBootstrapAction: script }) =>
          await Promise.resolve(script?.Path === 's3://b/fails.sh' ? 3 : 0),
        start: async (step, fault) => {
          started.push(step.config.Name ?? '');
          return await Promise.resolve(quickStep(step, fault));
        },
        saveLogs: async (stepId) => void (await Promise.resolve(saved.push(stepId))),
        hdfsUse: async () => {
          hdfs.asked += 1;
          return await Promise.resolve(hdfs.use);
        },
        stop: async () => void (await Promise.resolve(machines.delete(id))),
      });
    },
  };
}

function quickStep({ config }: Step, fault: StepFault | undefined): RunningProgram {
  const [what] = config.HadoopJarStep?.Args ?? [];
  if (what === 'ok' && fault === undefined) {
    return { ended: Promise.resolve({ isCompleted: true }), cancel: () => undefined };
  }
  let end: () => void = () => undefined;
  const ended = new Promise<ProgramEnd>((resolve) => {
    end = () => resolve({ isCompleted: false });
    if (what === 'fail') resolve({ isCompleted: false, message: 'java.lang.Error: no' });
  });
  return { ended, cancel: () => end() };
}

/** The smallest cluster that EMR accepts. It is kept alive. */
export function smallCluster(changes: Partial<RunJobFlowInput> = {}): RunJobFlowInput {
  const { Instances: instances, ...rest } = changes;
  return {
    Name: 'test',
    ReleaseLabel: 'emr-7.12.0',
    ServiceRole: 'EMR_DefaultRole',
    JobFlowRole: 'EMR_EC2_DefaultRole',
    ...rest,
    Instances: {
      InstanceGroups: [{ InstanceRole: 'MASTER', InstanceType: 'm5.xlarge', InstanceCount: 1 }],
      KeepJobFlowAliveWhenNoSteps: true,
      ...instances,
    },
  };
}

export function stepOf(
  name: string,
  does: 'ok' | 'fail' | 'wait',
  action: StepConfig['ActionOnFailure'] = 'CONTINUE',
): StepConfig {
  return {
    Name: name,
    ActionOnFailure: action,
    HadoopJarStep: { Jar: 'command-runner.jar', Args: [does] },
  };
}

export async function create(
  client: EMRClient,
  changes: Partial<RunJobFlowInput>,
): Promise<string> {
  const { JobFlowId: id = '' } = await client.send(new RunJobFlowCommand(smallCluster(changes)));
  return id;
}

/** States of the cluster's steps, oldest first. */
export async function statesOf(client: EMRClient, id: string): Promise<(string | undefined)[]> {
  const { Steps = [] } = await client.send(new ListStepsCommand({ ClusterId: id }));
  return Steps.map(({ Status }) => Status?.State).toReversed();
}

/** Waits for one of `states`. @returns the cluster, and every state that was seen until then. */
export async function untilState(
  client: EMRClient,
  id: string | undefined,
  states: readonly string[],
): Promise<{ cluster: Cluster; seen: string[] }> {
  const seen: string[] = [];
  for (;;) {
    const { Cluster: cluster = {} } = await client.send(
      new DescribeClusterCommand({ ClusterId: id }),
    );
    const state = cluster.Status?.State ?? '';
    if (seen.at(-1) !== state) seen.push(state);
    if (states.includes(state)) return { cluster, seen };
    await sleep(2);
  }
}
