import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';

/**
 * A publisher that misbehaves as a test asks: an HTTP server on a free loopback port.
 *
 *     const origin = await startOrigin({
 *       '/good.csv': { body: 'a,b\n1,2\n', etag: '"1"' },
 *       '/shaky.csv': (n) => (n <= 2 ? { status: 500 } : { body: CSV }),
 *       '/changes.csv': (n) => (n === 1 ? { body: A, etag: '"a"', resetAfterBytes: 1e6 } : { body: B, etag: '"b"' }),
 *     });
 *     origin.address('/good.csv'); // http://127.0.0.1:<port>/good.csv
 *     origin.requestsTo('/good.csv'); // the requests, and how many bytes the origin sent
 *     await origin.close();
 *
 * A route is an answer, or a function that returns one. The function gets the request's number at this path (1 is the
 * first). A probe is a request, too (`Range: bytes=0-1048575`).
 * @param options port of a publisher that comes back at its old address. Default: a free port.
 */
export async function startOrigin(
  routes: Record<string, Route>,
  { port = 0 }: { port?: number } = {},
): Promise<Origin> {
  const table = new Map(Object.entries(routes));
  const requests: SeenRequest[] = [];
  let served = 0;
  const server = createServer((request, response) => {
    const path = (request.url ?? '/').replace(/\?.*$/s, '');
    const seen = see(request, path);
    requests.push(seen);
    const number = requests.filter((each) => each.path === path).length;
    const route = table.get(path) ?? { status: 404 };
    const answer = typeof route === 'function' ? route(number, seen) : route;
    respond(answer, request, response, seen).catch(() => response.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    requests,
    address: (path) => url + path,
    requestsTo: (path) => requests.filter((each) => each.path === path),
    set: (path, route) => void table.set(path, route),
    serve: (route) => {
      const path = `/${(served += 1)}.csv`;
      table.set(path, route);
      return path;
    },
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

/** Starts one origin for all tests of a file. */
export function originOfFile(routes: Record<string, Route> = {}): Origin {
  const origin = {} as Origin;
  before(async () => void Object.assign(origin, await startOrigin(routes)));
  after(async () => await origin.close());
  return origin;
}

export interface Origin {
  /** `http://127.0.0.1:<port>` without a slash at the end. */
  url: string;
  /** All requests so far. The oldest is first. */
  requests: SeenRequest[];
  address(path: string): string;
  requestsTo(path: string): SeenRequest[];
  /** Adds or replaces a route, for example for a new version of the file. */
  set(path: string, route: Route): void;
  /** Adds a route at a new path, so that tests do not see each other's requests. @returns the path. */
  serve(route: Route): string;
  /** Cuts every connection, stalled connections included. */
  close(): Promise<void>;
}

export type Route = Answer | ((requestNumber: number, request: SeenRequest) => Answer);

export interface Answer {
  /** Default: 200, or 206 and 416 as the Range header asks. With another status, `body` is the error page. */
  status?: number;
  body?: Body;
  /** ETag with its quotes: `"v1"`, `W/"v1"`. By default there is none, so a client cannot resume. */
  etag?: string;
  lastModified?: string;
  /** False: the origin ignores Range and answers 200 with the whole body. */
  ranges?: boolean;
  /** True: the origin sends no Content-Length. */
  chunked?: boolean;
  /** Location of a redirect. The status is 302, or `status` if it is given. */
  redirect?: string;
  /** More headers. They replace those of the origin (`Retry-After`, a wrong Content-Length or Content-Range). */
  headers?: Record<string, string>;
  bytesPerSecond?: number;
  /** Bytes that the origin sends at once. Default: 64 KiB. */
  blockBytes?: number;
  /** After this many bytes of the body, the origin ends the connection normally, which is too early. */
  cutAfterBytes?: number;
  /** After this many bytes of the body, the origin resets the connection. */
  resetAfterBytes?: number;
  /** After this many bytes of the body, the origin sends nothing more and keeps the connection open. */
  stallAfterBytes?: number;
  /** After this many bytes, the origin waits for the promise. A test can act in mid-transfer without a sleep. */
  pauseAfterBytes?: { bytes: number; until: Promise<unknown> };
  /** True: the origin never sends even a header. */
  silent?: boolean;
}

/** `read(start)` yields the bytes from an offset on, for bodies that do not fit in memory. */
export type Body =
  | string
  | Uint8Array
  | { file: string }
  | { bytes: number; read: (start: number) => AsyncIterable<Uint8Array> };

export interface SeenRequest {
  method: string;
  path: string;
  /** Query of the address, without its `?`. */
  query: string;
  headers: IncomingMessage['headers'];
  /** Value of the Range header. */
  range: string | undefined;
  /** 0 until the origin answers. */
  status: number;
  /** Bytes of the body that the origin has given to the connection so far. The client has received at most these. */
  bytesSent: number;
}

const BLOCK_BYTES = 65_536;

function see(request: IncomingMessage, path: string): SeenRequest {
  const { method = 'GET', headers } = request;
  const query = (request.url ?? '').slice(path.length + 1);
  return { method, path, query, headers, range: headers.range, status: 0, bytesSent: 0 };
}

async function respond(
  answer: Answer,
  request: IncomingMessage,
  response: ServerResponse,
  seen: SeenRequest,
): Promise<void> {
  if (answer.silent) return;
  const body = answer.body ?? '';
  const total = await bodyBytes(body);
  const slice = sliceOf(answer, request, total);
  seen.status = slice.status;
  response.writeHead(slice.status, { ...headersOf(answer, slice, total), ...answer.headers });
  if (request.method === 'HEAD' || slice.status === 416) {
    response.end();
    return;
  }
  await send(answer, response, seen, readBody(answer, slice.start, slice.end));
}

interface Slice {
  status: number;
  start: number;
  end: number;
}

function sliceOf(answer: Answer, request: IncomingMessage, total: number): Slice {
  const whole = (status: number): Slice => ({ status, start: 0, end: total });
  if (answer.redirect !== undefined) return whole(answer.status ?? 302);
  if (answer.status !== undefined) return whole(answer.status);
  const match = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
  if (!match || answer.ranges === false) return whole(200);
  const ifRange = request.headers['if-range'];
  if (ifRange !== undefined && ifRange !== answer.etag && ifRange !== answer.lastModified) {
    return whole(200);
  }
  const start = Number(match[1]);
  if (start >= total) return { status: 416, start: 0, end: 0 };
  const end = match[2] ? Math.min(Number(match[2]) + 1, total) : total;
  return { status: 206, start, end };
}

function headersOf(answer: Answer, slice: Slice, total: number): Record<string, string> {
  const headers: Record<string, string> = { 'content-type': 'text/csv' };
  if (answer.etag !== undefined) headers['etag'] = answer.etag;
  if (answer.lastModified !== undefined) headers['last-modified'] = answer.lastModified;
  if (answer.ranges !== false) headers['accept-ranges'] = 'bytes';
  if (answer.redirect !== undefined) headers['location'] = answer.redirect;
  if (slice.status === 416) headers['content-range'] = `bytes */${total}`;
  if (slice.status === 206) {
    headers['content-range'] = `bytes ${slice.start}-${slice.end - 1}/${total}`;
  }
  if (!answer.chunked) headers['content-length'] = String(slice.end - slice.start);
  return headers;
}

async function send(
  answer: Answer,
  response: ServerResponse,
  seen: SeenRequest,
  blocks: AsyncIterable<Uint8Array>,
): Promise<void> {
  const ends = [answer.cutAfterBytes, answer.resetAfterBytes, answer.stallAfterBytes];
  const limit = Math.min(...ends.map((each) => each ?? Infinity));
  let pause = answer.pauseAfterBytes;
  const rate = answer.bytesPerSecond ?? Infinity;
  const startedAtMs = performance.now();
  for await (const block of blocks) {
    for (let at = 0; at < block.length;) {
      const left = Math.min(limit, pause?.bytes ?? Infinity) - seen.bytesSent;
      const piece = block.subarray(at, at + left);
      at += piece.length;
      await write(response, piece);
      seen.bytesSent += piece.length;
      if (response.destroyed) return;
      const aheadMs = (seen.bytesSent / rate) * 1000 - (performance.now() - startedAtMs);
      if (aheadMs > 0) await delay(aheadMs);
      if (seen.bytesSent >= limit) {
        await misbehave(answer, response);
        return;
      }
      if (pause && seen.bytesSent >= pause.bytes) {
        await pause.until;
        pause = undefined;
      }
    }
  }
  response.end();
}

/** Resolves when the kernel has the bytes. Otherwise a reset could overtake them. */
async function write(response: ServerResponse, piece: Uint8Array): Promise<void> {
  if (piece.length === 0) return;
  await new Promise<void>((resolve) => {
    response.once('close', resolve);
    response.write(piece, () => {
      response.off('close', resolve);
      resolve();
    });
  });
}

async function misbehave(answer: Answer, response: ServerResponse): Promise<void> {
  const { socket } = response;
  if (answer.stallAfterBytes !== undefined) {
    response.flushHeaders();
    return;
  }
  if (answer.resetAfterBytes !== undefined) {
    socket?.resetAndDestroy();
    return;
  }
  await new Promise<void>((resolve) => {
    if (socket) socket.end(resolve);
    else resolve();
  });
}

async function bodyBytes(body: Body): Promise<number> {
  if (typeof body === 'string') return Buffer.byteLength(body);
  if ('file' in body) return (await stat(body.file)).size;
  return body instanceof Uint8Array ? body.length : body.bytes;
}

async function* readBody(
  { body = '', blockBytes = BLOCK_BYTES }: Answer,
  start: number,
  end: number,
): AsyncIterable<Uint8Array> {
  if (end <= start) return;
  if (typeof body === 'string' || body instanceof Uint8Array) {
    const bytes = typeof body === 'string' ? Buffer.from(body) : body;
    for (let at = start; at < end; at += blockBytes) {
      yield bytes.subarray(at, Math.min(at + blockBytes, end));
    }
  } else if ('file' in body) {
    yield* createReadStream(body.file, { start, end: end - 1, highWaterMark: 1 << 20 });
  } else {
    let left = end - start;
    for await (const block of body.read(start)) {
      yield block.subarray(0, left);
      left -= block.length;
      if (left <= 0) return;
    }
  }
}
