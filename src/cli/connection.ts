import { Client, Connection } from '@temporalio/client';
import type { Settings } from '../config/settings.ts';
import { findEmbedded, joinEmbedded } from '../embedded/index.ts';
import { LonghaulError } from '../model/errors.ts';
import { SEARCH_ATTRIBUTES } from '../model/run.ts';
import type { CliContext } from './context.ts';
import { ofGrpc } from './failures.ts';

/** A Temporal that a command uses until it closes it. */
export interface TemporalLink {
  client: Client;
  address: string;
  namespace: string;
  /** Known for the embedded server only. */
  uiUrl?: string;
  /** Of the embedded server. `s3Place`: of the settings that its worker was started with. */
  embedded?: { s3Place: string | undefined };
  /** Whether runs may carry the search attributes. */
  hasSearchAttributes: boolean;
  close(): Promise<void>;
}

/**
 * The configured Temporal, else the embedded one: started for as long as the command needs it, or joined.
 * @throws LonghaulError TEMPORAL_UNREACHABLE, EMBEDDED_FAILED, TEMPORAL_NOT_INSTALLED, CANCELLED.
 */
export async function openTemporal(
  context: CliContext,
  settings: Settings,
  signal?: AbortSignal,
): Promise<TemporalLink> {
  if (settings.temporal.address !== undefined) return await openConfigured(settings);
  const server = await joinEmbedded({
    stateDir: settings.stateDir,
    host: { entry: context.entry, args: ['__host'] },
    version: context.version,
    onNote: (note) => context.note(note),
    ...(signal && { signal }),
  });
  try {
    const { address, namespace, uiUrl, s3Place } = server;
    const connection = await connectTo({ address, namespace, tls: false, metadata: {} });
    return {
      client: new Client({ connection, namespace }),
      address,
      namespace,
      uiUrl,
      embedded: { s3Place },
      hasSearchAttributes: true,
      close: async () => {
        await connection.close();
        await server.leave();
      },
    };
  } catch (error) {
    await server.leave();
    throw error;
  }
}

/**
 * Where a run can go on after this command has ended.
 * @throws LonghaulError EMBEDDED_NOT_RUNNING where neither a server is configured nor one was told to stay.
 */
export async function assertLasting(settings: Settings): Promise<void> {
  if (settings.temporal.address !== undefined) return;
  const running = await findEmbedded(settings.stateDir);
  if (running && (running.pinned || running.members.length > 0)) return;
  throw new LonghaulError(
    'EMBEDDED_NOT_RUNNING',
    'A detached run needs a server that stays: none is running and none is configured.',
  );
}

async function openConfigured(settings: Settings): Promise<TemporalLink> {
  const { address = '', namespace } = settings.temporal;
  const connection = await connectTo({ ...settings.temporal, address });
  return {
    client: new Client({ connection, namespace }),
    address,
    namespace,
    hasSearchAttributes: await knowsSearchAttributes(connection, namespace),
    close: async () => await connection.close(),
  };
}

/** A person waits. */
const CONNECT_TIMEOUT_MS = 5000;

type Reached = Omit<Settings['temporal'], 'address' | 'apiKey'> & {
  address: string;
  apiKey?: string | undefined;
};

async function connectTo(temporal: Reached): Promise<Connection> {
  try {
    return await Connection.connect({
      address: temporal.address,
      tls: temporal.tls,
      metadata: temporal.metadata,
      connectTimeout: CONNECT_TIMEOUT_MS,
      ...(temporal.apiKey === undefined ? {} : { apiKey: temporal.apiKey }),
      // A proxy of the environment has no way to this machine's loopback.
      ...(isLoopback(temporal.address) && { channelArgs: { 'grpc.enable_http_proxy': 0 } }),
    });
  } catch (error) {
    // One that denies, or lacks what is asked, does answer.
    const answered = ofGrpc(error);
    if (answered && answered.code !== 'TEMPORAL_UNREACHABLE') throw answered;
    throw new LonghaulError(
      'TEMPORAL_UNREACHABLE',
      `No Temporal server answers at ${temporal.address}.`,
      {},
      { cause: error },
    );
  }
}

function isLoopback(address: string): boolean {
  return /^(?:127\.|localhost:|\[::1\])/.test(address);
}

/** An unknown one would make the start fail, and asking may be forbidden: then they are left out. */
async function knowsSearchAttributes(connection: Connection, namespace: string): Promise<boolean> {
  try {
    const known = await connection.withDeadline(
      Date.now() + CONNECT_TIMEOUT_MS,
      async () => await connection.operatorService.listSearchAttributes({ namespace }),
    );
    const names = Object.keys(known.customAttributes ?? {});
    return Object.values(SEARCH_ATTRIBUTES).every((name) => names.includes(name));
  } catch {
    return false;
  }
}
