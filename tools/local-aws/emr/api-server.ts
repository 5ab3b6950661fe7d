import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { randomUUID } from 'node:crypto';
import { listenOn } from '../../../src/embedded/listen.ts';
import { ApiError } from './api-error.ts';
import { takeActionFault, type ActionFaults } from './faults.ts';
import { verifySignature, type Identity } from './signature.ts';

/** One of AWS's APIs that speak JSON. */
export interface Api {
  /** As signatures name it. */
  service: string;
  identity: Identity;
  contentType: string;
  /** Read for each request: they may be changed at any time. */
  faults: () => ActionFaults;
  /** What a request asks for. @throws ApiError */
  actionOf(call: Call): Action;
  /** Answers what is no request of the API, and says whether it was one. */
  answerOther?(url: string, response: ServerResponse): boolean;
}

export interface Call {
  method: string;
  url: URL;
  /** `X-Amz-Target`. */
  target: string;
}

export interface Action {
  name: string;
  /** @returns the answer: dates are Date. @throws ApiError */
  perform(body: unknown): object;
}

export interface ApiServer {
  /** `http://127.0.0.1:<port>`. */
  endpoint: string;
  /** Cuts every connection. */
  close(): Promise<void>;
}

/** EMR's own limit for a request is below this. */
const MAX_BODY_BYTES = 10 * 1024 * 1024;

/** Serves an API on loopback. */
export async function serveApi(api: Api): Promise<ApiServer> {
  const server = createServer((request, response) => {
    answer(request, response, api).catch(() => response.destroy());
  });
  return {
    endpoint: `http://127.0.0.1:${await listenOn(server, [])}`,
    close: async () => {
      const closed = new Promise<void>((resolve) => void server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

async function answer(request: IncomingMessage, response: ServerResponse, api: Api): Promise<void> {
  const { url = '/', method = 'GET', headers } = request;
  if (api.answerOther?.(url, response) === true) return;
  try {
    const body = await bodyOf(request);
    await verifySignature({ method, url, headers, body }, api, Date.now());
    const target = String(headers['x-amz-target']);
    const action = api.actionOf({ method, url: new URL(url, 'http://localhost'), target });
    if (takeActionFault(api.faults(), 'throttle', action.name)) {
      throw new ApiError('ThrottlingException', 'Rate exceeded');
    }
    const result = action.perform(parse(body));
    if (takeActionFault(api.faults(), 'loseAnswer', action.name)) response.destroy();
    else send(response, 200, result, { 'content-type': api.contentType });
  } catch (error) {
    const { name, status, body } = error instanceof ApiError ? error : internal(error);
    const type = { 'content-type': api.contentType, 'x-amzn-errortype': name };
    send(response, status, body, type);
  }
}

function parse(body: Buffer): unknown {
  try {
    return body.length === 0 ? {} : (JSON.parse(body.toString('utf8')) as unknown);
  } catch {
    throw new ApiError('SerializationException', 'The request is not JSON.');
  }
}

function internal(error: unknown): ApiError {
  const message = error instanceof Error ? error.message : String(error);
  return new ApiError('InternalServerException', message, { status: 500 });
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

function send(
  response: ServerResponse,
  status: number,
  value: object,
  headers: Record<string, string>,
): void {
  response.writeHead(status, { ...headers, 'x-amzn-requestid': randomUUID() });
  response.end(JSON.stringify(value, withSeconds));
}

/** A date is seconds in AWS JSON. JSON.stringify hands over what toJSON made of it, so look at the owner. */
function withSeconds(this: Record<string, unknown>, key: string, value: unknown): unknown {
  const own = this[key];
  return own instanceof Date ? own.getTime() / 1000 : value;
}
