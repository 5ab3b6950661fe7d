import type { Dispatcher } from 'undici';
import { LonghaulError, type ErrorCode } from '../model/errors.ts';
import { printable } from '../model/names.ts';
import type { Validator } from '../model/manifest.ts';
import { fieldOf, numberOf, textOf } from './portals/json.ts';

/** The wait of ArcGIS Hub's own client between two requests for an export that the Hub still makes. */
const NOT_READY_SECONDS = 10;

/** Returns the catalogue's error for a status that does not bring the file. `shown` is the address for messages. */
export async function refusalOf(
  response: Dispatcher.ResponseData,
  shown: string,
): Promise<LonghaulError> {
  const { statusCode } = response;
  const code = codeOfStatus(statusCode);
  const given = parseRetryAfter(header(response, 'retry-after'), new Date());
  const retryAfterSeconds = given ?? (code === 'SOURCE_NOT_READY' ? NOT_READY_SECONDS : undefined);
  const waits = given === undefined ? '' : `, to be tried again in ${given} s`;
  const reason = await reportOf(response);
  return new LonghaulError(
    code,
    `${shown} answered ${statusCode}${waits}${reason && `: ${reason}`}.`,
    retryAfterSeconds === undefined ? {} : { retryAfterSeconds },
  );
}

function codeOfStatus(status: number): ErrorCode {
  // 202 means that the portal makes the file on request. It is ready after seconds or minutes.
  if (status === 202) return 'SOURCE_NOT_READY';
  if (status === 404 || status === 410) return 'SOURCE_NOT_FOUND';
  if (status === 401 || status === 403) return 'SOURCE_FORBIDDEN';
  if (status === 408 || status === 425 || status === 429) return 'SOURCE_UNAVAILABLE';
  // The server does not support the method, so another try would give the same answer.
  if (status === 501) return 'SOURCE_REFUSED';
  return status >= 500 ? 'SOURCE_UNAVAILABLE' : 'SOURCE_REFUSED';
}

export interface Progress {
  received: number;
  expected: number | undefined;
  stallTimeoutMs: number;
}

/** Error codes of Node and OpenSSL for certificates. A retry does not help, because the certificate stays wrong. */
const CERTIFICATE_CODE = /^(?:CERT_|ERR_TLS|ERR_SSL|SELF_SIGNED|DEPTH_ZERO|UNABLE_TO_|HOSTNAME_)/;

/**
 * Returns the catalogue's error for an error of undici or the network.
 * @param progress of the body, if the body had begun.
 */
export function failureOf(error: unknown, shown: string, progress?: Progress): LonghaulError {
  const chain = causesOf(error);
  const known = chain.find((each) => each instanceof LonghaulError);
  if (known instanceof LonghaulError) return known;
  const codes = chain.map((each) => (each as NodeJS.ErrnoException).code ?? '');
  const has = (...wanted: string[]): boolean => wanted.some((each) => codes.includes(each));
  const fail = (code: ErrorCode, what: string): LonghaulError =>
    new LonghaulError(code, `${shown} ${what}.`, {}, { cause: error });
  const at = progress ? ` after ${progress.received} bytes of its body` : '';
  if (has('UND_ERR_BODY_TIMEOUT')) {
    return fail('SOURCE_STALLED', `sent no byte for ${progress?.stallTimeoutMs ?? 0} ms${at}`);
  }
  if (has('ENOTFOUND'))
    return fail('SOURCE_NO_SUCH_HOST', 'has a host name that DNS does not know');
  if (codes.some((code) => CERTIFICATE_CODE.test(code))) {
    return fail('SOURCE_REFUSED', `has no certificate that can be trusted (${codes.join(' ')})`);
  }
  if (has('ECONNRESET')) return fail('SOURCE_UNREACHABLE', `reset the connection${at}`);
  if (progress && endedEarly(codes, progress)) {
    const expected = progress.expected === undefined ? '' : ` of ${progress.expected}`;
    return fail('SOURCE_TRUNCATED', `ended its body after ${progress.received} bytes${expected}`);
  }
  const reason = codes.filter(Boolean).join(' ') || printable(String(error)).slice(0, 200);
  return fail('SOURCE_UNREACHABLE', `could not be read${at} (${reason})`);
}

function endedEarly(codes: string[], { received, expected }: Progress): boolean {
  if (codes.includes('UND_ERR_RES_CONTENT_LENGTH_MISMATCH')) return true;
  const closed = codes.includes('UND_ERR_SOCKET') || codes.includes('UND_ERR_ABORTED');
  return closed && (expected === undefined || received < expected);
}

function causesOf(error: unknown): unknown[] {
  const chain: unknown[] = [];
  for (let each = error; each instanceof Error && !chain.includes(each); each = each.cause) {
    chain.push(each);
    if (each instanceof AggregateError) chain.push(...(each.errors as unknown[]));
  }
  return chain.length > 0 ? chain : [error ?? {}];
}

/** A portal's JSON about an export has some hundred bytes. Messages do not quote longer answers. */
export const MAX_PORTAL_JSON_BYTES = 4096;
/** The worker does not wait for a body that comes slowly, because the status alone is enough for the error. */
const PORTAL_JSON_LIMIT_MS = 5000;
/** How much of a publisher's sentence an error message quotes. */
const MAX_SENTENCE_LENGTH = 200;

/** A portal's report about an export, which it sends instead of the file. */
export interface PortalStatus {
  status: string | undefined;
  /** The whole report as printable text: `PagingData, 50 %`. Empty if the answer is no report, such as a web page. */
  text: string;
}

/**
 * Reads `status`, `progressInPercent` and `message` of a portal's JSON. ArcGIS Hub puts `message` at the top, in
 * `errors` or in `error`.
 */
export function portalStatusIn(json: string): PortalStatus {
  const answer = parsed(json);
  const status = textOf(answer, 'status');
  const percent = numberOf(answer, 'progressInPercent');
  const sentence = [answer, fieldOf(answer, 'errors'), fieldOf(answer, 'error')]
    .map((each) => textOf(each, 'message'))
    .find(Boolean);
  const parts = [status, percent === undefined ? undefined : `${percent} %`, sentence];
  const text = printable(parts.filter(Boolean).join(', ').slice(0, MAX_SENTENCE_LENGTH));
  return { status, text };
}

/** Reads the report that comes with an error status. Never throws, because the status alone is enough for the error. */
async function reportOf(response: Dispatcher.ResponseData): Promise<string> {
  if (Number(header(response, 'content-length') ?? 0) > MAX_PORTAL_JSON_BYTES) return '';
  try {
    const body = response.body as AsyncIterable<Buffer>;
    const { head, ended } = await headOf(body, MAX_PORTAL_JSON_BYTES, PORTAL_JSON_LIMIT_MS);
    return ended ? portalStatusIn(head.toString('utf8')).text : '';
  } catch {
    return '';
  }
}

/** Reads until there are `maxBytes` or `limitMs` has passed. `ended` means that the bytes are the whole body. */
export async function headOf(
  body: AsyncIterable<Buffer>,
  maxBytes: number,
  limitMs: number,
): Promise<{ head: Buffer; ended: boolean }> {
  const pieces: Buffer[] = [];
  const startedAt = performance.now();
  let bytes = 0;
  for await (const piece of body) {
    pieces.push(piece);
    bytes += piece.length;
    if (bytes > maxBytes || performance.now() - startedAt > limitMs)
      return { head: Buffer.concat(pieces).subarray(0, maxBytes), ended: false };
  }
  return { head: Buffer.concat(pieces), ended: true };
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

type Response = Pick<Dispatcher.ResponseData, 'headers'>;

export function header(response: Response, name: string): string | undefined {
  const value = response.headers[name];
  return Array.isArray(value) ? value[0] : value;
}

/** Ignores weak ETags, because they do not promise equal bytes. */
export function validatorOf(response: Response): Validator {
  const etag = header(response, 'etag');
  const lastModified = header(response, 'last-modified');
  return {
    ...(etag !== undefined && /^"[^"]*"$/.test(etag) ? { etag } : {}),
    lastModified,
  };
}

export interface ContentRange {
  /** Absent in a 416 answer, which gives only the total. */
  start?: number;
  /** The offset of the last byte. */
  end?: number;
  /** Absent if the server does not know it (`bytes 0-9/*`). */
  total?: number;
}

export function parseContentRange(text: string | undefined): ContentRange | undefined {
  const match = /^bytes (?:(\d{1,15})-(\d{1,15})|\*)\/(\d{1,15}|\*)$/i.exec(text?.trim() ?? '');
  if (!match) return undefined;
  const [start, end, total] = match
    .slice(1)
    .map((each) => (each === undefined || each === '*' ? undefined : Number(each)));
  return { start, end, total };
}

/** Reads both forms of Retry-After. Returns seconds from now, or undefined for anything else. */
function parseRetryAfter(text: string | undefined, now: Date): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,9}$/.test(text.trim())) return Number(text);
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : Math.max(0, Math.ceil((at - now.getTime()) / 1000));
}
