import { Readable } from 'node:stream';
import type { Agent } from 'undici';
import { LonghaulError } from '../model/errors.ts';
import { failureOf, header, parseContentRange, refusalOf, validatorOf } from './http-answers.ts';
import { bodyOf, drop, follow, newAgent, type HttpRequest, type Response } from './http-request.ts';
import { mayBeSame } from '../model/manifest.ts';
import type { OpenedSource } from './source.ts';

/** Opens an address over HTTP(S). The worker follows redirects by hand, so that it checks each hop. */
export async function openHttp(url: URL, request: HttpRequest): Promise<OpenedSource> {
  const agent = newAgent(request);
  const close = async (): Promise<void> => await agent.destroy();
  try {
    return { ...(await answer(url, request, agent)), close };
  } catch (error) {
    await close();
    throw request.signal.aborted ? request.signal.reason : failureOf(error, request.shown);
  }
}

type Answered = Omit<OpenedSource, 'close'>;

/** Returns the answer to a range request if it is usable, else the whole file from its first byte. */
async function answer(url: URL, request: HttpRequest, agent: Agent): Promise<Answered> {
  const range = rangeHeaders(request);
  if (range) {
    const response = uncompressed(await follow(url, request, agent, { headers: range }), request);
    const answered = await ranged(request, response);
    if (answered) return answered;
    await drop(response);
  }
  const response = uncompressed(await follow(url, request, agent, {}), request);
  if (response.statusCode !== 200) throw await refusalOf(response, request.shown);
  return whole(request, response);
}

/** Without a validator, a range could come from another version, so the worker then asks for the whole file. */
function rangeHeaders({ from, headBytes }: HttpRequest): Record<string, string> | undefined {
  if (from && from.end.bytes > 0) {
    const version = from.validator.etag ?? from.validator.lastModified;
    return version === undefined
      ? undefined
      : { range: `bytes=${from.end.bytes}-`, 'if-range': version };
  }
  return headBytes === undefined ? undefined : { range: `bytes=0-${headBytes - 1}` };
}

/** Returns undefined if the answer to a range has another place or version, or headers that do not agree. */
async function ranged(request: HttpRequest, response: Response): Promise<Answered | undefined> {
  if (response.statusCode === 200) return whole(request, response);
  const validator = validatorOf(response);
  const offset = request.from?.end.bytes ?? 0;
  const total = request.from?.totalBytes;
  const range = parseContentRange(header(response, 'content-range'));
  const agrees = !request.from || mayBeSame(request.from.validator, validator);
  if (response.statusCode === 416) {
    const complete = agrees && range?.total === offset && (total ?? offset) === offset;
    if (!complete) return undefined;
    return {
      validator: { ...request.from?.validator, ...validator },
      totalBytes: offset,
      startOffset: offset,
      body: Readable.from([]),
    };
  }
  if (response.statusCode !== 206) throw await refusalOf(response, request.shown);
  if (!agrees || range?.start !== offset || range.end === undefined) return undefined;
  if (total !== undefined && range.total !== undefined && range.total !== total) return undefined;
  const length = header(response, 'content-length');
  const expected = range.end + 1 - offset;
  if (length !== undefined && Number(length) !== expected) return undefined;
  if (request.from && range.total !== undefined && range.end + 1 !== range.total) return undefined;
  const totalBytes = range.total ?? total;
  return {
    // A 206 answer to If-Range may omit headers that the client knows already.
    validator: { ...request.from?.validator, ...validator },
    totalBytes,
    startOffset: offset,
    body: bodyOf(response, request, expected),
  };
}

function whole(request: HttpRequest, response: Response): Answered {
  const length = header(response, 'content-length');
  const totalBytes = length === undefined ? undefined : Number(length);
  return {
    validator: validatorOf(response),
    totalBytes,
    startOffset: 0,
    body: bodyOf(response, request, totalBytes),
  };
}

/** Some servers compress although the worker asked for identity. Then offsets and lengths are of no use. */
function uncompressed(response: Response, request: HttpRequest): Response {
  const coding = header(response, 'content-encoding')?.trim().toLowerCase() ?? 'identity';
  if (coding === 'identity' || coding === '') return response;
  throw new LonghaulError(
    'SOURCE_COMPRESSED',
    `${request.shown} answers in Content-Encoding ${JSON.stringify(coding.slice(0, 40))} although identity was asked for.`,
  );
}
