import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
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
 *     origin.requestsTo('/good.csv'); // what was asked, and how many bytes were sent
 *     await origin.close();
 *
 * A route is an answer, or a function from the request's number for its path (1 is the first) to an answer.
 * Note that a probe is a request too (`Range: bytes=0-1048575`).
 * @param options a port for a publisher that comes back where it was; by default a free one.
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

export interface Origin {
  /** `http://127.0.0.1:<port>`, without a slash at the end. */
  url: string;
  /** Every request so far, oldest first. */
  requests: SeenRequest[];
  address(path: string): string;
  requestsTo(path: string): SeenRequest[];
  /** Adds a route, or replaces one: a publisher's new version. */
  set(path: string, route: Route): void;
  /** Adds a route at a path of its own, so that tests do not see each other's requests. @returns the path. */
  serve(route: Route): string;
  /** Drops every connection, stalled ones too. */
  close(): Promise<void>;
}

export type Route = Answer | ((requestNumber: number, request: SeenRequest) => Answer);

export interface Answer {
  /** Default 200 (206 and 416 follow from the request's Range by themselves); others send `body` as their page. */
  status?: number;
  body?: Body;
  /** With its quotes: `"v1"`, `W/"v1"`. None by default, so by default nothing can be resumed. */
  etag?: string;
  lastModified?: string;
  /** False: Range is ignored, and every answer is 200 with everything. */
  ranges?: boolean;
  /** True: no Content-Length. */
  chunked?: boolean;
  /** Location of a 302 (or of `status`, where it is given). */
  redirect?: string;
  /** Further headers; they win over the ones made here (`Retry-After`, a wrong Content-Length or Content-Range). */
  headers?: Record<string, string>;
  bytesPerSecond?: number;
  /** How much is sent at once; 64 KiB by default. */
  blockBytes?: number;
  /** After that many bytes of this answer's body: the connection ends politely, too early. */
  cutAfterBytes?: number;
  /** … it is reset. */
  resetAfterBytes?: number;
  /** … no byte more is sent, and the connection stays open. */
  stallAfterBytes?: number;
  /** … waits for the promise, then goes on: lets a test act in mid-transfer without sleeping. */
  pauseAfterBytes?: { bytes: number; until: Promise<unknown> };
  /** True: not even a header is ever sent. */
  silent?: boolean;
}

/** `read(start)` yields the bytes from an offset on: for bodies too big for memory. */
export type Body =
  | string
  | Uint8Array
  | { file: string }
  | { bytes: number; read: (start: number) => AsyncIterable<Uint8Array> };

export interface SeenRequest {
  method: string;
  path: string;
  /** Of the address, without its `?`. */
  query: string;
  headers: IncomingMessage['headers'];
  /** The Range header. */
  range: string | undefined;
  /** 0 until it is answered. */
  status: number;
  /** Body bytes handed to the connection so far: an upper bound of what the client got. */
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

/** Resolves when the bytes have been handed to the kernel, so that a reset does not overtake them here. */
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
