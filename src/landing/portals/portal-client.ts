import { isUtf8 } from 'node:buffer';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { brotliDecompress, gunzip, inflate } from 'node:zlib';
import type { Agent } from 'undici';
import { LonghaulError, type ErrorCode } from '../../model/errors.ts';
import type { Geometry } from '../../model/dataset.ts';
import { printable } from '../../model/names.ts';
import { failureOf, header, refusalOf } from '../http-answers.ts';
import {
  allowedHop,
  bodyOf,
  drop,
  follow,
  newAgent,
  type Asked,
  type HttpRequest,
  type Response,
} from '../http-request.ts';
import { parseExactJson, type ExactJson } from './json.ts';
import { NoSuchPortal } from './portal.ts';

const MIB = 1024 * 1024;
/** A description of thousands of fields or resources fits. A longer answer does not describe one table. */
const MAX_METADATA_BYTES = 8 * MIB;
/** 32,000 records of 2 kB fit. Known portals send no longer pages. */
export const MAX_PAGE_BYTES = 64 * MIB;

/**
 * The waits before the second try and later ones. Behind a load balancer, every second call may fail. Temporal retries
 * a failure that lasts longer.
 */
const RETRY_DELAYS_MS = [0, 1000, 4000];
/** For a longer Retry-After, Temporal waits. */
const MAX_WAIT_SECONDS = 60;

/** The wait if a portal does not say one. Portals limit the requests of a minute. */
const BUSY_SECONDS = 20;

/** The errors of hosts that are not the portal. `SOURCE_REFUSED` stands for the statuses 400 and 405. */
const NO_PORTAL = new Set<ErrorCode>([
  'SOURCE_NOT_FOUND',
  'SOURCE_IS_HTML',
  'SOURCE_NOT_CSV',
  'SOURCE_REFUSED',
]);

/** The statuses of servers that refuse forms. The client then sends the same fields in the address. */
const NO_FORM = new Set([404, 405, 501]);

/** The request for a portal's address. */
export interface PortalRequest extends HttpRequest {
  geometry: Geometry | undefined;
}

export interface PortalAsked extends Asked {
  /** The limit of the uncompressed body. The default fits a description. */
  maxBytes?: number;
  /** The largest number of tries. */
  tries?: number;
  /** Other statuses than 200 whose body is an answer. */
  statuses?: readonly number[];
  /** The host has answered as a portal before. A web page is then a page of its maintenance, and a retry may help. */
  isPortal?: boolean;
}

export interface PortalAnswer {
  text: string;
  response: Response;
}

/** One connection to a portal. It returns whole answers of limited length, and retries if that may help. */
export class PortalClient {
  readonly request: PortalRequest;
  readonly #agent: Agent;
  /** Aborted when the source is closed. The client then does not retry a page that it requested in advance. */
  readonly #closing = new AbortController();

  constructor(request: PortalRequest) {
    this.request = request;
    this.#agent = newAgent(request);
  }

  /**
   * Requests JSON and passes it to `read`. An error of `read` counts as a failure of the request, because portals may
   * answer 200 with an error in the body.
   * @throws as `text`; LonghaulError SOURCE_NOT_CSV if the answer is not JSON.
   */
  async json<T = ExactJson>(
    url: URL,
    asked: PortalAsked = {},
    read: (json: ExactJson, response: Response) => T = (json) => json as T,
  ): Promise<T> {
    return await this.text(url, asked, (answer) =>
      read(jsonOf(url, answer, asked), answer.response),
    );
  }

  /**
   * Requests the JSON that shows whether a host is a portal.
   * @throws NoSuchPortal if the host has no such JSON; LonghaulError as `json`.
   */
  async metadata(url: URL, asked?: PortalAsked): Promise<ExactJson> {
    try {
      return await this.json(url, asked);
    } catch (error) {
      if (error instanceof LonghaulError && NO_PORTAL.has(error.code)) throw new NoSuchPortal();
      throw error;
    }
  }

  /**
   * Does the same as `json` for answers that are too long to parse.
   * @param url if it is not the source's own address, it is checked as a redirect is.
   * @throws LonghaulError for a status other than 200, a body over `maxBytes`, or a network error; what `read` throws.
   */
  async text<T>(url: URL, asked: PortalAsked, read: (answer: PortalAnswer) => T): Promise<T> {
    const { signal, headersFor } = this.request;
    const { tries = RETRY_DELAYS_MS.length + 1 } = asked;
    const allowed = allowedHop(url, headersFor, this.request);
    for (let tried = 1; ; tried += 1) {
      try {
        return read(await this.#ask(allowed, asked));
      } catch (error) {
        if (signal.aborted) throw signal.reason;
        const failure = failureOf(error, shownOf(url));
        const waitMs = tried < tries ? waitBefore(failure, tried) : undefined;
        if (waitMs === undefined || this.#closing.signal.aborted) throw failure;
        const ended = AbortSignal.any([signal, this.#closing.signal]);
        await delay(waitMs, undefined, { signal: ended }).catch(() => signal.throwIfAborted());
      }
    }
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#agent.destroy();
  }

  async #ask(url: URL, asked: PortalAsked): Promise<PortalAnswer> {
    const { form, statuses = [], maxBytes = MAX_METADATA_BYTES } = asked;
    const headers = { accept: 'application/json', 'accept-encoding': 'gzip', ...asked.headers };
    let response = await follow(url, this.request, this.#agent, { headers, ...(form && { form }) });
    if (form && NO_FORM.has(response.statusCode)) {
      await drop(response);
      const withQuery = new URL(url);
      withQuery.search = form.toString();
      response = await follow(withQuery, this.request, this.#agent, { headers });
    }
    if (response.statusCode !== 200 && !statuses.includes(response.statusCode)) {
      const refusal = await refusalOf(response, `${shownOf(url)}${challengeIn(response)}`);
      throw response.statusCode === 429 ? withWait(refusal) : refusal;
    }
    const body = await unpacked(
      url,
      await this.#whole(url, response, maxBytes),
      response,
      maxBytes,
    );
    if (!isUtf8(body)) {
      const what = `${shownOf(url)} answered in what is not UTF-8, as JSON is.`;
      throw new LonghaulError('PORTAL_ANSWER_INVALID', what);
    }
    return { text: body.toString('utf8').replace(/^\uFEFF/, ''), response };
  }

  async #whole(url: URL, response: Response, maxBytes: number): Promise<Buffer> {
    const length = header(response, 'content-length');
    const expected = length === undefined ? undefined : Number(length);
    const { signal, settings } = this.request;
    const pieces: Buffer[] = [];
    let received = 0;
    for await (const piece of bodyOf(
      response,
      { signal, settings, shown: shownOf(url) },
      expected,
    )) {
      received += piece.length;
      if (received > maxBytes) throw tooLong(url, maxBytes);
      pieces.push(piece);
    }
    return Buffer.concat(pieces);
  }
}

/** Returns the address without its query, which may be long or hold a secret. */
export function shownOf({ origin, pathname }: URL): string {
  return printable(`${origin}${pathname}`);
}

/** @throws LonghaulError SOURCE_IS_HTML, SOURCE_NOT_CSV, PORTAL_ANSWER_INVALID. */
export function jsonOf(
  url: URL,
  { text, response }: PortalAnswer,
  { isPortal = false }: Pick<PortalAsked, 'isPortal'>,
): ExactJson {
  try {
    return parseExactJson(text);
  } catch (error) {
    if (/^\s*</.test(text)) {
      const challenge = challengeIn(response);
      const what = `${shownOf(url)} answered with a web page${challenge} in place of JSON.`;
      const code = isPortal && challenge === '' ? 'PORTAL_ANSWER_INVALID' : 'SOURCE_IS_HTML';
      throw new LonghaulError(code, what, {}, { cause: error });
    }
    // The JSON is cut off if the server failed while it wrote.
    const isDamaged = /^\s*[[{]/.test(text);
    const what = `${shownOf(url)} answered with ${isDamaged ? 'damaged JSON' : 'what is no JSON'}.`;
    const code = isDamaged ? 'PORTAL_ANSWER_INVALID' : 'SOURCE_NOT_CSV';
    throw new LonghaulError(code, what, {}, { cause: error });
  }
}

/** Cloudflare stands in front of many portals, and sends a challenge to programs that it does not know. */
function challengeIn(response: Response): string {
  return header(response, 'cf-mitigated') === undefined ? '' : ' (a challenge to prove a browser)';
}

/** Adds a wait to the error of a portal that limits requests, if the portal does not say when to retry. */
function withWait({ code, message, details, cause }: LonghaulError): LonghaulError {
  const waits = { retryAfterSeconds: BUSY_SECONDS, ...details };
  return new LonghaulError(code, message, waits, { cause });
}

/** Errors after which a retry may help. Only one of several servers behind the address may send invalid answers. */
const PASSING: ReadonlySet<ErrorCode> = new Set([
  'SOURCE_UNAVAILABLE',
  'SOURCE_UNREACHABLE',
  'SOURCE_TRUNCATED',
  'PORTAL_ANSWER_INVALID',
]);

/** Returns undefined if another try does not help, or not soon. `tried` is at least 1. */
function waitBefore({ code, details }: LonghaulError, tried: number): number | undefined {
  const delayMs = RETRY_DELAYS_MS[tried - 1];
  if (delayMs === undefined || !PASSING.has(code)) return undefined;
  const { retryAfterSeconds } = details;
  if (retryAfterSeconds === undefined) return delayMs;
  return retryAfterSeconds <= MAX_WAIT_SECONDS ? retryAfterSeconds * 1000 : undefined;
}

const UNPACKERS: Record<
  string,
  (body: Buffer, cap: { maxOutputLength: number }) => Promise<Buffer>
> = {
  gzip: promisify(gunzip),
  'x-gzip': promisify(gunzip),
  deflate: promisify(inflate),
  br: promisify(brotliDecompress),
};

/** Returns the uncompressed body. Compressed answers are allowed here, because nothing depends on offsets. */
async function unpacked(
  url: URL,
  body: Buffer,
  response: Response,
  maxBytes: number,
): Promise<Buffer> {
  const coding = header(response, 'content-encoding')?.trim().toLowerCase() ?? 'identity';
  if (coding === 'identity' || coding === '') return body;
  const unpack = UNPACKERS[coding];
  if (!unpack) {
    const what = `${shownOf(url)} answers in Content-Encoding ${JSON.stringify(coding.slice(0, 40))}.`;
    throw new LonghaulError('SOURCE_COMPRESSED', what);
  }
  try {
    return await unpack(body, { maxOutputLength: maxBytes });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE')
      throw tooLong(url, maxBytes);
    const what = `${shownOf(url)} answered in a damaged ${coding}.`;
    throw new LonghaulError('SOURCE_TRUNCATED', what, {}, { cause: error });
  }
}

function tooLong(url: URL, maxBytes: number): LonghaulError {
  const what = `${shownOf(url)} answers with more than ${maxBytes} bytes.`;
  return new LonghaulError('ANSWER_TOO_LONG', what);
}
