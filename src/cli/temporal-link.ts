import { setTimeout as sleep } from 'node:timers/promises';
import {
  Client,
  Connection,
  defaultGrpcRetryOptions,
  isGrpcServiceError,
  makeGrpcRetryInterceptor,
} from '@temporalio/client';
import type { Settings } from '../config/settings.ts';
import { findEmbedded } from '../embedded/host-link.ts';
import type { EmbeddedAddress, EmbeddedServer } from '../embedded/join.ts';
import { LonghaulError } from '../model/errors.ts';
import { hasSearchAttributes } from '../runs/start-run.ts';
import { ofGrpc, unknownNamespace } from './failures.ts';

/** The connection of a command to a Temporal server. The command closes it. */
export interface TemporalLink {
  /** The client for the server's present address. Read it for each call, because `reconnect` replaces it. */
  readonly client: Client;
  readonly address: string;
  readonly namespace: string;
  /** The page of the Web UI with this namespace's runs. Known for the embedded server only. */
  readonly webUi?: string;
  readonly isEmbedded: boolean;
  /** Whether runs may carry the search attributes. */
  readonly hasSearchAttributes: boolean;
  /** How long the CLI waits for a Temporal server that does not answer. */
  readonly giveUpAfterMs: number;
  /** True if a call failed because the server cannot be reached. The CLI may make the call again. */
  isLost(error: unknown): boolean;
  /** False only if it is certain that no worker runs or starts for the workflows of a task queue. */
  hasWorker(queue: string): Promise<boolean>;
  /**
   * Connects to the server's present address, unless another caller has already replaced the client `lost`.
   * @throws LonghaulError EMBEDDED_STOPPED if a user stopped the server, or why it does not come back.
   */
  reconnect(lost: Client, signal?: AbortSignal): Promise<void>;
  /** Makes a call that may be repeated. If the embedded server moved or was away, makes the call again. */
  call<T>(use: (client: Client) => Promise<T>, options?: CallOptions): Promise<T>;
  close(): Promise<void>;
}

export interface CallOptions {
  signal?: AbortSignal;
  /** Called when Temporal stops answering and when it answers again. With it, a configured server is retried too. */
  onNews?: (note: string) => void;
}

/** Connects to the configured server. Its address stays the same, so its client reconnects by itself. */
export async function linkConfigured({ temporal }: Settings): Promise<TemporalLink> {
  const { address = '', namespace } = temporal;
  const connection = connectionTo({ ...temporal, address });
  const client = new Client({ connection, namespace });
  await connect({ client, address });
  const link: TemporalLink = {
    client,
    address,
    namespace,
    isEmbedded: false,
    hasSearchAttributes: await hasSearchAttributes(client),
    // The server of a team may be away for some minutes while the operator upgrades it.
    giveUpAfterMs: 600_000,
    isLost: isConnectionLost,
    hasWorker: async (queue) => await workerPolls(client, queue).catch(() => true),
    reconnect: async () => await Promise.resolve(),
    call: async (use, options = {}) =>
      options.onNews ? await callAgain(link, use, options) : await use(client),
    close: async () => await connection.close(),
  };
  return link;
}

/** A poll lasts at most a minute. Temporal lists a killed worker for some minutes more, so its last poll counts. */
const SILENT_MS = 75_000;
/** `temporal.api.enums.v1.TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW` */
const WORKFLOW_TASKS = 1;

/** True if a worker has polled for workflow tasks within `SILENT_MS`. */
async function workerPolls({ workflowService, options }: Client, queue: string): Promise<boolean> {
  const { pollers } = await workflowService.describeTaskQueue({
    namespace: options.namespace,
    taskQueue: { name: queue },
    taskQueueType: WORKFLOW_TASKS,
  });
  const seconds = (pollers ?? []).map(({ lastAccessTime }) => Number(lastAccessTime?.seconds ?? 0));
  return Math.max(0, ...seconds) * 1000 > Date.now() - SILENT_MS;
}

/**
 * Connects to the embedded server as soon as it answers, at its address of that time.
 * @param server the link leaves it on `close`, or if it cannot connect.
 */
export async function linkEmbedded(
  server: EmbeddedServer,
  stateDir: string,
  signal?: AbortSignal,
): Promise<TemporalLink> {
  // Earlier connections stay open too. If one is closed during a retried call, the client throws outside of the caller.
  const connections: Connection[] = [];
  const at = ({ address, namespace, uiUrl }: EmbeddedAddress) => {
    const connection = connectionTo({ address }, EMBEDDED_ATTEMPTS);
    connections.push(connection);
    const client = new Client({ connection, namespace });
    return { client, address, namespace, webUi: webUiOf({ uiUrl, namespace }) };
  };
  // After the first connection, gRPC reconnects to an address by itself. Before it, gRPC does not try again.
  let isConnected = false;
  const link: TemporalLink = {
    ...at(server),
    isEmbedded: true,
    hasSearchAttributes: true,
    // The server is back within seconds (a minute on a slow machine with a large database), or never.
    giveUpAfterMs: 120_000,
    // If another lake's server has taken over the port, it does not know this namespace.
    isLost: (error) => isConnectionLost(error) || unknownNamespace(error) !== undefined,
    hasWorker: async () => {
      const host = await findEmbedded(stateDir).catch(() => undefined);
      // If a killed host starts again, it also starts its worker.
      return host?.worker !== 'none' || host.status !== 'ready';
    },
    reconnect: async (lost, until) => {
      const now = await server.current(until);
      const isSame = now.address === link.address && now.namespace === link.namespace;
      if (link.client !== lost || (isConnected && isSame)) return;
      const next = at(now);
      await connect(next);
      isConnected = true;
      if (link.client === lost) Object.assign(link, next);
    },
    call: async (use, options = {}) => await callAgain(link, use, options),
    close: async () => {
      await Promise.all(connections.map(async (each) => await each.close()));
      await server.leave();
    },
  };
  try {
    // Temporal may have been killed after the host reported its address.
    await link.call(async () => await connect(link), { signal });
    isConnected = true;
    return link;
  } catch (error) {
    await link.close();
    throw error;
  }
}

/** The host notices at once that its server ended, but needs some seconds if another server took the port. */
const MAX_TRIES = 15;
const TRY_INTERVAL_MS = 500;
const NEWS = {
  lost: 'Temporal does not answer any more: trying again. The run goes on as soon as it is back.',
  back: 'Temporal is back.',
} as const;

/** @throws the host's error if the server does not come back, or the call's own error if the host is too slow. */
export async function callAgain<T>(
  link: Pick<TemporalLink, 'client' | 'giveUpAfterMs' | 'isLost' | 'reconnect'>,
  use: (client: Client) => Promise<T>,
  { signal, onNews }: CallOptions,
): Promise<T> {
  let lostAt: number | undefined;
  for (let tries = 1; ; tries += 1) {
    const { client } = link;
    try {
      if (lostAt !== undefined && onNews) {
        await client.workflowService.describeNamespace({ namespace: client.options.namespace });
        onNews(NEWS.back);
        lostAt = undefined;
      }
      return await use(client);
    } catch (error) {
      if (signal?.aborted || !link.isLost(error)) throw error;
      if (lostAt === undefined) onNews?.(NEWS.lost);
      lostAt ??= performance.now();
      const restMs = link.giveUpAfterMs - (performance.now() - lostAt);
      if (restMs <= 0 || (!onNews && tries === MAX_TRIES)) throw error;
      const limit = AbortSignal.timeout(Math.ceil(restMs));
      const over = signal ? AbortSignal.any([signal, limit]) : limit;
      await link.reconnect(client, over).catch((why: unknown) => {
        if (over.aborted) throw error;
        if (!link.isLost(why)) throw why;
      });
      if (link.client === client) await sleep(TRY_INTERVAL_MS);
    }
  }
}

/** The page with the runs of the namespace. The Web UI's front page shows another namespace. */
export function webUiOf({ uiUrl, namespace }: Omit<EmbeddedAddress, 'address'>): string {
  return `${uiUrl}/namespaces/${namespace}/workflows`;
}

/** `grpc.status` of a broken connection: CANCELLED, UNKNOWN, DEADLINE_EXCEEDED, INTERNAL, UNAVAILABLE. */
const LOST_CODES = new Set([1, 2, 4, 13, 14]);

function isConnectionLost(error: unknown): boolean {
  for (let each = error; each instanceof Error; each = each.cause) {
    if (isGrpcServiceError(each)) return LOST_CODES.has(each.code);
  }
  return error instanceof LonghaulError && error.code === 'TEMPORAL_UNREACHABLE';
}

/** Short, because the user waits at the terminal. */
const CONNECT_TIMEOUT_MS = 5000;
/** About half a second. A moved server does not return to its old address, and the next call uses the new one. */
const EMBEDDED_ATTEMPTS = 3;

/** The connection is lazy: it connects at its first call. */
function connectionTo(
  { address, tls, metadata, apiKey }: Partial<Settings['temporal']> & { address: string },
  maxAttempts?: number,
): Connection {
  return Connection.lazy({
    address,
    tls,
    metadata,
    apiKey,
    connectTimeout: CONNECT_TIMEOUT_MS,
    interceptors: maxAttempts
      ? [makeGrpcRetryInterceptor(defaultGrpcRetryOptions({ maxAttempts }))]
      : undefined,
    // A proxy of the environment cannot reach this machine's loopback.
    channelArgs: /^(?:127\.|localhost:|\[::1\])/.test(address)
      ? { 'grpc.enable_http_proxy': 0 }
      : undefined,
  });
}

async function connect({
  client,
  address,
}: Pick<TemporalLink, 'client' | 'address'>): Promise<void> {
  try {
    await client.connection.ensureConnected();
  } catch (error) {
    // If a server denies a call or does not know it, the server was reached.
    const answered = ofGrpc(error);
    if (answered && answered.code !== 'TEMPORAL_UNREACHABLE') throw answered;
    const message = `No Temporal server answers at ${address}.`;
    throw new LonghaulError('TEMPORAL_UNREACHABLE', message, {}, { cause: error });
  }
}
