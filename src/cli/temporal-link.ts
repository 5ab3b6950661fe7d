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

/** A Temporal that a command uses until it closes it. */
export interface TemporalLink {
  /** The client of the server's present address: read it for each call, since `reconnect` replaces it. */
  readonly client: Client;
  readonly address: string;
  readonly namespace: string;
  /** The page of the Web UI with this namespace's runs; known for the embedded server only. */
  readonly webUi?: string;
  readonly isEmbedded: boolean;
  /** Whether runs may carry the search attributes. */
  readonly hasSearchAttributes: boolean;
  /** How long a Temporal that does not answer is waited for. */
  readonly giveUpAfterMs: number;
  /** Whether a call failed because the server is not there, or not there any more: the call may be made again. */
  isLost(error: unknown): boolean;
  /** False where it is clear that no worker is there, or starting, for the workflows of a task queue. */
  hasWorker(queue: string): Promise<boolean>;
  /**
   * Connects with where the server is now, unless another caller has done so since `lost` was taken.
   * @throws LonghaulError EMBEDDED_STOPPED where it was stopped under this command, or why it does not come back.
   */
  reconnect(lost: Client, signal?: AbortSignal): Promise<void>;
  /** Does what can be done twice; on the embedded server again, where it moved or was away. */
  call<T>(use: (client: Client) => Promise<T>, options?: CallOptions): Promise<T>;
  close(): Promise<void>;
}

export interface CallOptions {
  signal?: AbortSignal;
  /** What waits for a run goes on with a configured server too, and learns when Temporal stops answering, and when it answers again. */
  onNews?: (note: string) => void;
}

/** A configured server. Its address is a person's word: its client finds it again by itself. */
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
    // A server of a team is back after its upgrade.
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

/** A poll lasts a minute at most; Temporal remembers a worker that was killed for some minutes more. */
const SILENT_MS = 75_000;
/** `temporal.api.enums.v1.TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW` */
const WORKFLOW_TASKS = 1;

/** Whether a worker has asked for workflow tasks within the time that a poll lasts. */
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
 * The embedded server, once it answers, where it is by then.
 * @param server is left by `close`, and where no connection comes about.
 */
export async function linkEmbedded(
  server: EmbeddedServer,
  stateDir: string,
  signal?: AbortSignal,
): Promise<TemporalLink> {
  // Earlier ones too: a call that is tried again throws past its caller once its connection is closed.
  const connections: Connection[] = [];
  const at = ({ address, namespace, uiUrl }: EmbeddedAddress) => {
    const connection = connectionTo({ address }, EMBEDDED_ATTEMPTS);
    connections.push(connection);
    const client = new Client({ connection, namespace });
    return { client, address, namespace, webUi: webUiOf({ uiUrl, namespace }) };
  };
  // From then on gRPC itself connects again with an address; before, its first failure is its last word.
  let isConnected = false;
  const link: TemporalLink = {
    ...at(server),
    isEmbedded: true,
    hasSearchAttributes: true,
    // It is back within seconds, on a slow machine with a large database within a minute, or never.
    giveUpAfterMs: 120_000,
    // Another lake's server on the port that was ours does not know our namespace.
    isLost: (error) => isConnectionLost(error) || unknownNamespace(error) !== undefined,
    hasWorker: async () => {
      const host = await findEmbedded(stateDir).catch(() => undefined);
      // A host that starts again after it was killed brings its worker back.
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
    // Its Temporal may have been killed since the host said where it is.
    await link.call(async () => await connect(link), { signal });
    isConnected = true;
    return link;
  } catch (error) {
    await link.close();
    throw error;
  }
}

/** The host sees its server's end at once, and within some seconds that another one is in its place. */
const MAX_TRIES = 15;
const TRY_INTERVAL_MS = 500;
const NEWS = {
  lost: 'Temporal does not answer any more: trying again. The run goes on as soon as it is back.',
  back: 'Temporal is back.',
} as const;

/** @throws what the host says of a server that does not come back, or why the call failed where it says nothing in time. */
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

/** The runs of the namespace: the Web UI's front page shows those of another one. */
export function webUiOf({ uiUrl, namespace }: Omit<EmbeddedAddress, 'address'>): string {
  return `${uiUrl}/namespaces/${namespace}/workflows`;
}

/** `grpc.status`: CANCELLED, UNKNOWN, DEADLINE_EXCEEDED, INTERNAL, UNAVAILABLE: a connection that broke. */
const LOST_CODES = new Set([1, 2, 4, 13, 14]);

function isConnectionLost(error: unknown): boolean {
  for (let each = error; each instanceof Error; each = each.cause) {
    if (isGrpcServiceError(each)) return LOST_CODES.has(each.code);
  }
  return error instanceof LonghaulError && error.code === 'TEMPORAL_UNREACHABLE';
}

/** A person waits at the terminal. */
const CONNECT_TIMEOUT_MS = 5000;
/** Half a second: a server that moved does not come back to its old address, and the next attempt uses the new one. */
const EMBEDDED_ATTEMPTS = 3;

/** Not connected yet. */
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
    // A proxy of the environment has no way to this machine's loopback.
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
    // A server that denies a call, or does not know it, does answer.
    const answered = ofGrpc(error);
    if (answered && answered.code !== 'TEMPORAL_UNREACHABLE') throw answered;
    const message = `No Temporal server answers at ${address}.`;
    throw new LonghaulError('TEMPORAL_UNREACHABLE', message, {}, { cause: error });
  }
}
