import type { RunJobFlowInput } from '@aws-sdk/client-emr';
import { notImplemented, serveApi, type Identity } from '../aws-api.ts';
import { takeFault, type EmrFaults } from '../faults.ts';
import { EMR_ACTIONS } from './actions.ts';
import { live } from './cluster-life.ts';
import {
  isEnded,
  newCluster,
  terminateByUser,
  type Cluster,
  type EmrContext,
  type EmrDelays,
  type EmrRuntime,
} from './cluster.ts';
import { validateCluster } from './validate-cluster.ts';

export interface EmrServerOptions {
  identity: Identity;
  runtime: EmrRuntime;
  /** Roles and instance profiles that exist. If undefined, all names exist. */
  roles?: readonly string[];
  /** Subnets that exist. If undefined, all subnets exist. */
  subnets?: readonly string[];
  /** Default: some tens of milliseconds for each state. */
  delays?: Partial<EmrDelays>;
  faults?: EmrFaults;
}

export interface EmrServer {
  /** `http://127.0.0.1:<port>`. */
  endpoint: string;
  /** Faults that are left. They may be replaced or changed in place at any time. */
  faults: EmrFaults;
  /** URL of a cluster's NameNode, to inspect its HDFS. Undefined if the cluster has none. */
  webHdfsOf(cluster: string): string | undefined;
  /** Terminates every cluster. Resolves when all clusters and the server have ended. */
  stop(): Promise<void>;
}

const DELAYS: EmrDelays = { provisioningMs: 40, beforeStepMs: 20, logsMs: 300, secondMs: 1000 };

/** The EMR API on loopback. */
export async function startEmrServer(options: EmrServerOptions): Promise<EmrServer> {
  const { identity, runtime, subnets } = options;
  const faults = (): EmrFaults => handle.faults;
  const delays = { ...DELAYS, ...options.delays };
  const clusters = new Clusters({ runtime, subnets, delays, faults }, options);
  const server = await serveApi({
    ...{ service: 'elasticmapreduce', contentType: 'application/x-amz-json-1.1', identity, faults },
    actionOf: ({ target }) => {
      const name = target.replace(/^ElasticMapReduce\./, '');
      const action = Object.hasOwn(EMR_ACTIONS, name) ? EMR_ACTIONS[name] : undefined;
      if (!action) throw notImplemented(name);
      return { name, perform: (body) => action(body as never, clusters) };
    },
  });
  const handle: EmrServer = {
    endpoint: server.endpoint,
    faults: options.faults ?? {},
    webHdfsOf: (id) => clusters.find(id)?.machine?.webHdfsUrl,
    stop: async () => void (await Promise.all([server.close(), clusters.end()])),
  };
  return handle;
}

/** All clusters of a server. The server keeps them until it ends. EMR keeps them for two months. */
export class Clusters {
  readonly #context: EmrContext;
  readonly #options: Pick<EmrServerOptions, 'identity' | 'roles'>;
  readonly #clusters = new Map<string, Cluster>();
  readonly #lives: Promise<void>[] = [];

  constructor(context: EmrContext, options: Pick<EmrServerOptions, 'identity' | 'roles'>) {
    this.#context = context;
    this.#options = options;
  }

  create(request: RunJobFlowInput): Cluster {
    validateCluster(request, this.#options.roles);
    const cluster = newCluster(request, this.#options.identity.region);
    this.#clusters.set(cluster.id, cluster);
    this.#lives.push(live(cluster, this.#context));
    return cluster;
  }

  /** Number of steps PENDING or RUNNING, those of other clients included. */
  openSteps(cluster: Cluster): number {
    const now = Date.now();
    const fault = cluster.othersOpen ? undefined : takeFault(this.#context.faults(), 'stepsOpen');
    if (fault) cluster.othersOpen = { steps: fault.steps, untilMs: now + fault.ms };
    const { steps = 0, untilMs = 0 } = cluster.othersOpen ?? {};
    const own = cluster.steps.filter((step) => !isEnded(step)).length;
    return own + (now < untilMs ? steps : 0);
  }

  newestFirst(): Cluster[] {
    return [...this.#clusters.values()].toReversed();
  }

  find(id: string): Cluster | undefined {
    return this.#clusters.get(id);
  }

  /** Terminates every cluster. Resolves when all have ended. */
  async end(): Promise<void> {
    for (const cluster of this.#clusters.values()) terminateByUser(cluster);
    await Promise.all(this.#lives);
  }
}
