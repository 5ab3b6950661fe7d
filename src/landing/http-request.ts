import { Agent, request as undiciRequest, type Dispatcher } from 'undici';
import { filledHeaders } from '../model/addresses.ts';
import { LonghaulError } from '../model/errors.ts';
import { assertAllowed, policedLookup } from './address-policy.ts';
import { failureOf, header } from './http-answers.ts';
import { secretHeldBy, type Secrets } from './secrets.ts';
import type { OpenRequest } from './source.ts';

/** Publishers redirect to a portal, and the portal to its storage. A longer chain is a loop. */
const MAX_REDIRECTS = 5;

/** Bytes that the body's stream holds before the socket waits. With a larger buffer, the stream copies its chunks. */
const READ_AHEAD_BYTES = 64 * 1024;

const PRODUCT = 'longhaul/0.1';

const REDIRECTS = new Set([301, 302, 303, 307, 308]);

export type Response = Dispatcher.ResponseData;

/** The settings that are the same for all requests of one source. */
export interface HttpRequest extends OpenRequest {
  secrets: Secrets;
  /** The address in the form for messages, without secrets. */
  shown: string;
  /** The host that gets the source's own headers. The worker does not send them to other hosts. */
  headersFor: URL;
}

export interface Asked {
  headers?: Record<string, string>;
  /** The worker sends the form as a POST, and sends it again after each redirect. */
  form?: URLSearchParams;
}

/** The connections of one source. The worker connects only to the IP addresses that `policedLookup` checked. */
export function newAgent({ settings, policy }: Pick<OpenRequest, 'settings' | 'policy'>): Agent {
  return new Agent({
    connect: { timeout: settings.connectTimeoutMs, lookup: policedLookup(policy) },
    headersTimeout: settings.stallTimeoutMs,
    bodyTimeout: settings.stallTimeoutMs,
    pipelining: 1,
    connections: 1,
  });
}

/**
 * Follows redirects by hand, so that the worker checks each hop. If a redirect leads to a 403, the worker asks the
 * first address once more. A cached redirect may hold an expired signature, and the publisher then signs a new address.
 */
export async function follow(
  first: URL,
  request: HttpRequest,
  agent: Agent,
  asked: Asked,
): Promise<Response> {
  const { response, hops } = await followOnce(first, request, agent, asked);
  if (hops === 0 || response.statusCode !== 403) return response;
  await drop(response);
  return (await followOnce(first, request, agent, asked)).response;
}

async function followOnce(
  first: URL,
  request: HttpRequest,
  agent: Agent,
  asked: Asked,
): Promise<{ response: Response; hops: number }> {
  let url = first;
  for (let hops = 0; hops <= MAX_REDIRECTS; hops += 1) {
    const response = await undiciRequest(url, {
      dispatcher: agent,
      signal: request.signal,
      highWaterMark: READ_AHEAD_BYTES,
      ...(asked.form && { method: 'POST', body: asked.form.toString() }),
      headers: headersTo(url, request, asked),
    });
    if (!REDIRECTS.has(response.statusCode)) return { response, hops };
    url = target({ first, from: url, response }, request);
    await drop(response);
  }
  throw new LonghaulError(
    'SOURCE_REDIRECT_LOOP',
    `${request.shown} leads through more than ${MAX_REDIRECTS} redirects.`,
  );
}

function headersTo(
  url: URL,
  { headers = {}, headersFor, secrets, settings }: HttpRequest,
  asked: Asked,
): Record<string, string> {
  const { contact } = settings;
  const form = asked.form && { 'content-type': 'application/x-www-form-urlencoded' };
  return {
    'user-agent': contact === undefined ? PRODUCT : `${PRODUCT} (+${contact})`,
    accept: '*/*',
    'accept-encoding': 'identity',
    ...(isSameHost(headersFor, url) && filledHeaders(headers, secrets)),
    ...form,
    ...asked.headers,
  };
}

interface Redirect {
  first: URL;
  from: URL;
  response: Response;
}

function target({ first, from, response }: Redirect, request: HttpRequest): URL {
  const location = header(response, 'location');
  if (location === undefined || !URL.canParse(location, from.href)) {
    throw new LonghaulError(
      'SOURCE_REFUSED',
      `${request.shown} answered ${response.statusCode} without an address to go to.`,
    );
  }
  return allowedHop(new URL(location, from), first, request);
}

/**
 * Returns an address that the publisher names, if a worker may read it.
 * @param first the address that the secrets are for.
 * @throws LonghaulError ADDRESS_REFUSED.
 */
export function allowedHop(to: URL, first: URL, request: HttpRequest): URL {
  // A publisher must not redirect a worker to the worker's own files, so no setting allows this.
  const allowed = assertAllowed(to.href, { ...request.policy, fileMarks: undefined });
  const secret = isSameHost(first, allowed)
    ? undefined
    : secretHeldBy(allowed.href, request.secrets);
  if (secret === undefined) return allowed;
  throw new LonghaulError(
    'ADDRESS_REFUSED',
    `${request.shown} redirects to ${allowed.origin} with the value of ${secret} in the address, which was not sent there.`,
    {
      hint: 'Use the address that it leads to in datasets.yaml, if that host may have the secret.',
    },
  );
}

/** Whether the secrets may be sent to `to`: the origin is the same, or it is the https address of the same host. */
function isSameHost(first: URL, to: URL): boolean {
  const isUpgrade = first.protocol === 'http:' && to.protocol === 'https:';
  return first.origin === to.origin || (isUpgrade && first.hostname === to.hostname);
}

/** Reads the rest of a body so that undici can use the connection again. Closes the connection if the rest is long. */
export async function drop(response: Response): Promise<void> {
  await response.body.dump({ limit: 16_384 }).catch(() => undefined);
}

/**
 * Yields the body. It ends without an error only after exactly the bytes that the headers announced.
 * @throws LonghaulError SOURCE_TOO_SLOW, SOURCE_TRUNCATED, or one that `failureOf` makes; the signal's reason.
 */
export async function* bodyOf(
  response: Response,
  { signal, settings, shown }: Pick<HttpRequest, 'signal' | 'settings' | 'shown'>,
  expected: number | undefined,
): AsyncGenerator<Buffer> {
  const tooSlow = rateGuard(settings.minRate);
  let received = 0;
  let askedAt = performance.now();
  try {
    for await (const chunk of response.body) {
      received += (chunk as Buffer).length;
      const slow = tooSlow((chunk as Buffer).length, performance.now() - askedAt);
      if (slow !== undefined && received !== expected) {
        const what = `${shown} sends too slowly: ${slow}, after ${received} bytes of its body.`;
        throw new LonghaulError('SOURCE_TOO_SLOW', what);
      }
      yield chunk as Buffer;
      askedAt = performance.now();
    }
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw failureOf(error, shown, { received, expected, stallTimeoutMs: settings.stallTimeoutMs });
  }
  if (expected !== undefined && received !== expected) {
    throw new LonghaulError(
      'SOURCE_TRUNCATED',
      `${shown} announced ${expected} bytes and sent ${received}.`,
    );
  }
}

/**
 * Measures how fast a body arrives. Only the time in which the worker waits for the publisher counts. If the lake is
 * slow, the next chunk has already arrived.
 * @returns a function that takes each chunk, and returns text that says what was too slow; undefined if the body is fast
 *   enough or that is not yet known.
 */
function rateGuard(
  minRate: OpenRequest['settings']['minRate'],
): (chunkBytes: number, chunkWaitMs: number) => string | undefined {
  let [bytes, waitedMs] = [0, 0];
  return (chunkBytes, chunkWaitMs) => {
    if (!minRate) return undefined;
    bytes += chunkBytes;
    waitedMs += chunkWaitMs;
    if (waitedMs < minRate.overMs) return undefined;
    const seconds = waitedMs / 1000;
    if (bytes < minRate.bytesPerSecond * seconds) {
      return `${bytes} bytes in ${seconds.toFixed(1)} s; the minimum is ${minRate.bytesPerSecond} a second`;
    }
    [bytes, waitedMs] = [0, 0];
    return undefined;
  };
}
