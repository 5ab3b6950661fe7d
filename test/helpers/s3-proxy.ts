import { createServer, request as forward, Agent } from 'node:http';
import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import { operationOf, type S3Operation } from './s3-operation.ts';

/**
 * An S3 that misbehaves as a test asks: a loopback proxy in front of a real gateway. Bodies stream through in both
 * directions. The client's signature covers the Host header, so the proxy keeps it.
 *
 *     const proxy = await startS3Proxy(s3.endpoint);
 *     process.env.AWS_ENDPOINT_URL_S3 = proxy.endpoint;
 *     proxy.on({ operation: 'UploadPart', first: 2 }, { answer: { status: 503, code: 'SlowDown' } });
 *     proxy.on({ operation: 'CompleteMultipartUpload', nth: 1 }, { loseAnswer: true });
 *     proxy.on({ operation: 'GetObject' }, { resetAfterAnswerBytes: 1000 });
 *     proxy.on({ operation: 'UploadPart', nth: 3 }, { before: async () => await worker.kill() });
 *     proxy.requests.filter(({ operation }) => operation === 'UploadPart').length;
 *     proxy.clear(); // behaves again
 *     await proxy.close();
 *
 * If several rules select a request, the proxy applies the oldest one.
 */
export async function startS3Proxy(upstreamEndpoint: string): Promise<S3Proxy> {
  const requests: SeenS3Request[] = [];
  const agent = new Agent({ keepAlive: true });
  let rules: ActiveRule[] = [];
  const server = createServer();
  const serve = (incoming: IncomingMessage, outgoing: ServerResponse): void => {
    const seen = see(incoming);
    requests.push(seen);
    const rule = rules.find((each) => applies(each, seen));
    if (rule) rule.hits += 1;
    const exchange = { incoming, outgoing, seen, fault: rule?.fault ?? {} };
    handle(exchange, new URL(upstreamEndpoint), agent).catch(() => reset(exchange));
  };
  server.on('request', serve);
  // Otherwise Node would ask the client for the body before S3 has answered.
  server.on('checkContinue', serve);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    on: (match, fault) => {
      const rule: ActiveRule = { ...match, fault, met: 0, hits: 0, random: randomOf(match) };
      rules.push(rule);
      return rule;
    },
    clear: () => {
      rules = [];
    },
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      agent.destroy();
      await closed;
    },
  };
}

export interface S3Proxy {
  /** Address as AWS_ENDPOINT_URL_S3 takes it: `http://127.0.0.1:<port>`. The bucket is in the path. */
  endpoint: string;
  /** All requests so far. The oldest is first. */
  requests: SeenS3Request[];
  on(match: Match, fault: Fault): Rule;
  /** Removes all rules. A stalled request stays stalled. */
  clear(): void;
  /** Cuts every connection, stalled connections included. */
  close(): Promise<void>;
}

/** Selects requests. A request must meet every given condition. */
export interface Match {
  operation?: S3Operation | readonly S3Operation[];
  /** Text that the key must contain. */
  key?: string;
  where?: (request: SeenS3Request) => boolean;
  /** Selects only the nth request that meets the conditions above. 1 is the first. */
  nth?: number;
  /** Selects only this many of the first requests that meet the conditions above. */
  first?: number;
  /** Selects requests that meet the conditions above at random. The same seed makes the same choices. */
  chance?: { probability: number; seed: number };
}

/** The fault of a selected request. Without a field, the proxy forwards the request normally. */
export interface Fault {
  /** The proxy waits for this function first. A test can act meanwhile, or delay the request with a promise. */
  before?: (request: SeenS3Request) => unknown;
  /** An error of S3 that the proxy answers without asking S3. The answer to a HEAD has no body, as in S3. */
  answer?: { status: number; code?: string; message?: string; headers?: Record<string, string> };
  /** Bytes of the request's body after which the proxy resets the connection. 0: at once. S3 gets the same bytes. */
  resetAfterRequestBytes?: number;
  /** Bytes of the answer's body after which the proxy resets the connection. 0: S3 answers, but no byte arrives. */
  resetAfterAnswerBytes?: number;
  /** S3 does the request, but the proxy resets the connection instead of sending the answer. */
  loseAnswer?: boolean;
  /** Bytes of the request's body after which the proxy neither reads nor answers. 0: at once. */
  stallAfterRequestBytes?: number;
  /** Bytes of the answer's body after which the proxy sends nothing more. It keeps the connection open. */
  stallAfterAnswerBytes?: number;
}

export interface Rule {
  /** Number of requests to which the proxy applied the rule. */
  readonly hits: number;
}

export interface SeenS3Request {
  method: string;
  operation: S3Operation;
  bucket: string;
  /** Empty if the request is for the bucket itself. */
  key: string;
  query: URLSearchParams;
  headers: IncomingMessage['headers'];
  /** Bytes of the request's body that went through the proxy. */
  requestBytes: number;
  answerBytes: number;
  /** 0 until S3 or the proxy answers. */
  status: number;
}

interface ActiveRule extends Match, Rule {
  fault: Fault;
  hits: number;
  /** Requests that meet the conditions before `nth`, `first` and `chance`. */
  met: number;
  random: () => number;
}

interface Exchange {
  incoming: IncomingMessage;
  outgoing: ServerResponse;
  seen: SeenS3Request;
  fault: Fault;
}

function see(incoming: IncomingMessage): SeenS3Request {
  const { method = 'GET', headers } = incoming;
  const { pathname, searchParams } = new URL(incoming.url ?? '/', 'http://s3');
  const [bucket = '', ...names] = pathname.slice(1).split('/').map(decodeURIComponent);
  const key = names.join('/');
  const operation = operationOf(method, key, searchParams, headers);
  const none = { requestBytes: 0, answerBytes: 0, status: 0 };
  return { method, operation, bucket, key, query: searchParams, headers, ...none };
}

function applies(rule: ActiveRule, request: SeenS3Request): boolean {
  const { operation, key } = request;
  const operations = typeof rule.operation === 'string' ? [rule.operation] : rule.operation;
  if (operations && !operations.includes(operation)) return false;
  if (rule.key !== undefined && !key.includes(rule.key)) return false;
  if (rule.where?.(request) === false) return false;
  rule.met += 1;
  if (rule.nth !== undefined && rule.met !== rule.nth) return false;
  if (rule.first !== undefined && rule.met > rule.first) return false;
  return rule.chance === undefined || rule.random() < rule.chance.probability;
}

/** mulberry32, because it is short and gives the same numbers on every machine. */
function randomOf({ chance }: Match): () => number {
  let state = chance?.seed ?? 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

async function handle(exchange: Exchange, upstream: URL, agent: Agent): Promise<void> {
  const { incoming, seen, fault } = exchange;
  await fault.before?.(seen);
  if (fault.answer) {
    answer(exchange, fault.answer);
    return;
  }
  if (fault.resetAfterRequestBytes === 0) reset(exchange);
  if (fault.resetAfterRequestBytes === 0 || fault.stallAfterRequestBytes === 0) return;
  const request = ask(exchange, upstream, agent);
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    request.once('response', resolve);
    request.on('error', reject);
  });
  // The code below handles the error after it has sent the body.
  answered.catch(() => undefined);
  incoming.once('close', () => {
    if (!incoming.complete) request.destroy();
  });
  const sent = sendBody(exchange, request);
  // S3 may answer before it has read the whole request.
  if (!(await Promise.race([sent, answered.then(() => true)]))) return;
  await sendAnswer(exchange, await answered);
}

function ask(
  { incoming, outgoing }: Exchange,
  { hostname, port }: URL,
  agent: Agent,
): ClientRequest {
  const request = forward({
    agent,
    host: hostname,
    port,
    method: incoming.method ?? 'GET',
    path: incoming.url ?? '/',
    headers: incoming.rawHeaders,
    setHost: false,
  });
  request.on('continue', () => outgoing.writeContinue());
  request.flushHeaders();
  return request;
}

/** @returns false if the rule cut off the request. */
async function sendBody(exchange: Exchange, request: ClientRequest): Promise<boolean> {
  const { incoming, seen, fault } = exchange;
  const { resetAfterRequestBytes: resetAfter, stallAfterRequestBytes: stallAfter } = fault;
  const limit = Math.min(resetAfter ?? Infinity, stallAfter ?? Infinity);
  seen.requestBytes = 0;
  const whole = await pump(incoming, request, limit, (bytes) => (seen.requestBytes += bytes));
  if (whole) request.end();
  else if (resetAfter !== undefined) {
    request.destroy();
    reset(exchange);
  }
  return whole;
}

async function sendAnswer(exchange: Exchange, response: IncomingMessage): Promise<void> {
  const { outgoing, seen, fault } = exchange;
  const { resetAfterAnswerBytes: resetAfter, stallAfterAnswerBytes: stallAfter } = fault;
  if (fault.loseAnswer || resetAfter === 0) {
    for await (const _ of response) continue;
    reset(exchange);
    return;
  }
  seen.status = response.statusCode ?? 0;
  outgoing.writeHead(seen.status, response.rawHeaders);
  outgoing.flushHeaders();
  const limit = Math.min(resetAfter ?? Infinity, stallAfter ?? Infinity);
  const whole = await pump(response, outgoing, limit, (bytes) => (seen.answerBytes += bytes));
  if (whole) outgoing.end();
  else response.destroy();
  if (!whole && resetAfter !== undefined) reset(exchange);
}

/** Copies at most `limit` bytes, as fast as the slower side. @returns false if it reached the limit. */
async function pump(
  from: Readable,
  to: Writable,
  limit: number,
  count: (bytes: number) => void,
): Promise<boolean> {
  let left = limit;
  for await (const chunk of from.iterator({ destroyOnReturn: false })) {
    const piece = (chunk as Buffer).subarray(0, left);
    left -= piece.length;
    count(piece.length);
    await write(to, piece);
    if (left === 0) return false;
  }
  return true;
}

/** Resolves when the kernel has the bytes. Otherwise a reset could overtake them. */
async function write(to: Writable, piece: Buffer): Promise<void> {
  if (piece.length === 0) return;
  await new Promise<void>((resolve) => {
    to.once('close', resolve);
    to.write(piece, () => {
      to.off('close', resolve);
      resolve();
    });
  });
}

function answer(
  { incoming, outgoing, seen }: Exchange,
  { status, code, message = 'As the test asks for.', headers }: NonNullable<Fault['answer']>,
): void {
  seen.status = status;
  const bare = seen.method === 'HEAD' || code === undefined;
  const body = `<Error><Code>${code}</Code><Message>${message}</Message></Error>`;
  // Without a close, the rest of this request's body would be read as the head of the next request.
  const connection = incoming.complete ? 'keep-alive' : 'close';
  outgoing.writeHead(status, { 'content-type': 'application/xml', connection, ...headers });
  outgoing.end(bare ? '' : body);
  incoming.resume();
}

function reset({ outgoing }: Exchange): void {
  outgoing.socket?.resetAndDestroy();
}
