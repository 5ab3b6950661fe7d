import { createServer, request as forward, Agent } from 'node:http';
import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import { operationOf, type S3Operation } from './s3-operation.ts';

/**
 * An S3 that misbehaves as a test asks: a loopback proxy before a real one. Bodies stream through in both directions, and
 * the Host header stays the client's, since its signature covers it.
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
 * Of several rules, the oldest that applies to a request is the one.
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
  // Else Node would ask for the body itself, before S3 has had its say.
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
  /** `http://127.0.0.1:<port>`, as AWS_ENDPOINT_URL_S3 takes it; buckets by path. */
  endpoint: string;
  /** Every request so far, oldest first. */
  requests: SeenS3Request[];
  on(match: Match, fault: Fault): Rule;
  /** Forgets all rules; what stalls goes on stalling. */
  clear(): void;
  /** Drops every connection, stalled ones too. */
  close(): Promise<void>;
}

/** Which requests; everything that is given must fit. */
export interface Match {
  operation?: S3Operation | readonly S3Operation[];
  /** Part of the key. */
  key?: string;
  where?: (request: SeenS3Request) => boolean;
  /** Of the requests that fit the above: only the nth (1 is the first), */
  nth?: number;
  /** … only the first so many, */
  first?: number;
  /** … each by chance, the same for the same seed. */
  chance?: { probability: number; seed: number };
}

/** What is done to them; nothing given is nothing done. */
export interface Fault {
  /** Awaited before anything else: lets a test act in between, or hold the request back with a promise. */
  before?: (request: SeenS3Request) => unknown;
  /** S3's error instead of asking it; its body is left out for a HEAD, as S3 does. */
  answer?: { status: number; code?: string; message?: string; headers?: Record<string, string> };
  /** The connection is reset after so many bytes of the request's body; 0: at once. S3 sees as much of it. */
  resetAfterRequestBytes?: number;
  /** … of the answer's body; 0: before the answer, which S3 has given. */
  resetAfterAnswerBytes?: number;
  /** S3 does it, and its answer never arrives: the connection is reset. */
  loseAnswer?: boolean;
  /** After so many bytes of the request's body, nothing is read and nothing answered; 0: at once. Half-open. */
  stallAfterRequestBytes?: number;
  /** … of the answer's body, no byte more is sent. */
  stallAfterAnswerBytes?: number;
}

export interface Rule {
  /** How often it was applied. */
  readonly hits: number;
}

export interface SeenS3Request {
  method: string;
  operation: S3Operation;
  bucket: string;
  /** Empty for what is asked of a bucket. */
  key: string;
  query: URLSearchParams;
  headers: IncomingMessage['headers'];
  /** Of the bodies, as far as they went through here. */
  requestBytes: number;
  answerBytes: number;
  /** 0 until it is answered, and for what is never answered. */
  status: number;
}

interface ActiveRule extends Match, Rule {
  fault: Fault;
  hits: number;
  /** Requests that fit, whether or not their turn came. */
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

/** mulberry32: small, and the same everywhere. */
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
  // Dealt with below, once the body is on its way.
  answered.catch(() => undefined);
  incoming.once('close', () => {
    if (!incoming.complete) request.destroy();
  });
  const sent = sendBody(exchange, request);
  // S3 may answer before it has read everything.
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

/** @returns false where the rule has cut it off. */
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

/** Up to `limit` bytes, as fast as the slower side. @returns false where it ended at the limit. */
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

/** Resolves when the bytes have been handed to the kernel, so that a reset does not overtake them here. */
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
  // The rest of this request's body would be read as the next request's head.
  const connection = incoming.complete ? 'keep-alive' : 'close';
  outgoing.writeHead(status, { 'content-type': 'application/xml', connection, ...headers });
  outgoing.end(bare ? '' : body);
  incoming.resume();
}

function reset({ outgoing }: Exchange): void {
  outgoing.socket?.resetAndDestroy();
}
