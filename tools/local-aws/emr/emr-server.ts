import { actionOf } from './actions.ts';
import { ApiError } from './api-error.ts';
import { serveApi, type Action, type Call } from './api-server.ts';
import { Clusters } from './clusters.ts';
import type { EmrFaults } from './faults.ts';
import { endCluster, USER_REQUEST, type EmrDelays } from './model.ts';
import type { EmrRuntime } from './runtime.ts';
import type { Identity } from './signature.ts';
import type { EmrAccount } from './validate-cluster.ts';

export interface EmrServerOptions extends EmrAccount {
  identity: Identity;
  runtime: EmrRuntime;
  /** Default: some tens of milliseconds each. */
  delays?: Partial<EmrDelays>;
  faults?: EmrFaults;
}

export interface EmrServer {
  /** `http://127.0.0.1:<port>`. */
  endpoint: string;
  /** What may still go wrong: set anew, or changed in place, at any time. */
  faults: EmrFaults;
  /** Terminates every cluster, and ends when all have and the server has. */
  stop(): Promise<void>;
}

const DELAYS: EmrDelays = {
  provisioningMs: 40,
  bootstrappingMs: 20,
  terminatingMs: 20,
  beforeStepMs: 20,
  logsMs: 300,
  secondMs: 1000,
};

/** The EMR API on loopback, and the WebHDFS of its clusters below `/hdfs/<cluster>/`. */
export async function startEmrServer(options: EmrServerOptions): Promise<EmrServer> {
  const { identity, runtime, faults = {} } = options;
  const handle: EmrServer = { endpoint: '', faults, stop: async () => undefined };
  const context = {
    runtime,
    account: options,
    delays: { ...DELAYS, ...options.delays },
    faults: () => handle.faults,
    now: () => Date.now(),
  };
  const clusters = new Clusters(context, identity.region);
  const server = await serveApi({
    service: 'elasticmapreduce',
    identity,
    contentType: 'application/x-amz-json-1.1',
    faults: context.faults,
    actionOf: (call) => calledAction(call, clusters),
    answerOther: (url, response) => {
      if (!url.startsWith('/hdfs/')) return false;
      const location = nameNodeOf(url, clusters);
      if (location === undefined) response.writeHead(404);
      else response.writeHead(307, { location });
      response.end();
      return true;
    },
  });
  handle.endpoint = server.endpoint;
  handle.stop = async () => {
    const closed = server.close();
    for (const cluster of clusters.all()) endCluster(cluster, USER_REQUEST);
    await Promise.all([closed, clusters.ended()]);
  };
  return handle;
}

/** Where WebHDFS of a cluster is answered. Undefined where there is no such cluster, or its HDFS is gone. */
function nameNodeOf(url: string, clusters: Clusters): string | undefined {
  const [, id, rest] = /^\/hdfs\/([\w-]+)(\/webhdfs\/.*)$/.exec(url) ?? [];
  const base = clusters.find(id)?.webHdfsUrl;
  return base && rest && base + rest;
}

/** The SDK sends no member that EMR does not know, and its types say what there has to be. */
function calledAction({ method, target }: Call, clusters: Clusters): Action {
  const [, name] = /^ElasticMapReduce\.(\w+)$/.exec(target) ?? [];
  if (method !== 'POST' || name === undefined) {
    const message = 'The operation is not one of ElasticMapReduce.';
    throw new ApiError('UnknownOperationException', message);
  }
  const action = actionOf(name);
  if (!action)
    throw new ApiError('NotImplemented', `The local EMR has no ${name}.`, { status: 501 });
  return { name, perform: (body) => action(body as never, clusters) };
}
