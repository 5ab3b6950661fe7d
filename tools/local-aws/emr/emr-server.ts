import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { randomUUID } from 'node:crypto';
import { listenOn } from '../../../src/embedded/listen.ts';
import { actionOf } from './actions.ts';
import { ApiError } from './api-error.ts';
import { Clusters } from './clusters.ts';
import { takeActionFault, type EmrFaults } from './faults.ts';
import { endCluster, USER_REQUEST, type EmrDelays } from './model.ts';
import type { EmrRuntime } from './runtime.ts';
import { verifySignature, type Identity } from './signature.ts';
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
/** EMR's own limit for a request is below this. */
const MAX_BODY_BYTES = 10 * 1024 * 1024;

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
  const server = createServer((request, response) => {
    answer(request, response, { clusters, identity, faults: context.faults }).catch(() => {
      response.destroy();
    });
  });
  handle.endpoint = `http://127.0.0.1:${await listenOn(server, [])}`;
  handle.stop = async () => {
    const closed = new Promise<void>((resolve) => void server.close(() => resolve()));
    server.closeAllConnections();
    for (const cluster of clusters.all()) endCluster(cluster, USER_REQUEST);
    await Promise.all([closed, clusters.ended()]);
  };
  return handle;
}

interface Desk {
  clusters: Clusters;
  identity: Identity;
  faults: () => EmrFaults;
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  desk: Desk,
): Promise<void> {
  const { url = '/' } = request;
  if (url.startsWith('/hdfs/')) {
    const location = nameNodeOf(url, desk.clusters);
    if (location === undefined) response.writeHead(404);
    else response.writeHead(307, { location });
    response.end();
    return;
  }
  try {
    const body = await bodyOf(request);
    const action = await identify(request, body, desk);
    if (takeActionFault(desk.faults(), 'throttle', action)) {
      throw new ApiError('ThrottlingException', 'Rate exceeded');
    }
    const result = perform(action, body, desk.clusters);
    if (takeActionFault(desk.faults(), 'loseAnswer', action)) response.destroy();
    else send(response, 200, result);
  } catch (error) {
    const failure = error instanceof ApiError ? error : internal(error);
    send(response, failure.status, failure.body());
  }
}

/** Where WebHDFS of a cluster is answered. Undefined where there is no such cluster, or its HDFS is gone. */
function nameNodeOf(url: string, clusters: Clusters): string | undefined {
  const [, id, rest] = /^\/hdfs\/([\w-]+)(\/webhdfs\/.*)$/.exec(url) ?? [];
  const base = clusters.find(id)?.webHdfsUrl;
  return base && rest && base + rest;
}

/** The caller and the action. @throws ApiError where the caller is unknown. */
async function identify(
  { method = 'GET', url = '/', headers }: IncomingMessage,
  body: Buffer,
  { identity }: Desk,
): Promise<string> {
  await verifySignature({ method, url, headers, body }, identity, Date.now());
  const [, action] = /^ElasticMapReduce\.(\w+)$/.exec(String(headers['x-amz-target'])) ?? [];
  if (method === 'POST' && action !== undefined) return action;
  throw new ApiError('UnknownOperationException', 'The operation is not one of ElasticMapReduce.');
}

/** The SDK sends no member that EMR does not know, and its types say what there has to be. */
function perform(name: string, body: Buffer, clusters: Clusters): object {
  const action = actionOf(name);
  if (action) return action(parse(body) as never, clusters);
  throw new ApiError('NotImplemented', `The local EMR has no ${name}.`, { status: 501 });
}

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8')) as unknown;
  } catch {
    throw new ApiError('SerializationException', 'The request is not JSON.');
  }
}

function internal(error: unknown): ApiError {
  const message = error instanceof Error ? error.message : String(error);
  return new ApiError('InternalServerError', message, { status: 500 });
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES)
      throw new ApiError('RequestEntityTooLargeException', 'Too large.', { status: 413 });
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function send(response: ServerResponse, status: number, value: object): void {
  const body = JSON.stringify(value, withSeconds);
  response.writeHead(status, {
    'content-type': 'application/x-amz-json-1.1',
    'x-amzn-requestid': randomUUID(),
  });
  response.end(body);
}

/** A date is seconds in AWS JSON. JSON.stringify hands over what toJSON made of it, so look at the owner. */
function withSeconds(this: Record<string, unknown>, key: string, value: unknown): unknown {
  const own = this[key];
  return own instanceof Date ? own.getTime() / 1000 : value;
}
