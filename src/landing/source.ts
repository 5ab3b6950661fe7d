import type { AddressPolicy, HttpSettings } from '../config/settings.ts';
import type { Validator, PortalTable } from '../model/manifest.ts';
import { filledAddress, shownAddress } from '../model/addresses.ts';
import type { Geometry, SourceOverrides, SourceSpec } from '../model/dataset.ts';
import { LonghaulError } from '../model/errors.ts';
import { assertAllowed } from './address-policy.ts';
import { openFile } from './file-source.ts';
import type { HttpRequest } from './http-request.ts';
import { openHttp } from './http-source.ts';
import type { Choice, Description } from './portals/portal.ts';
import { portalAddressOf } from './portals/recognise.ts';
import type { Secrets } from './secrets.ts';

export interface OpenRequest {
  settings: HttpSettings;
  policy: AddressPolicy;
  signal: AbortSignal;
  /** The values of the variables in the address; never shown. */
  secrets?: Secrets;
  /** The source's own headers, with the names of their variables. */
  headers?: Record<string, string> | undefined;
  /** Go on from here, if the source is still this version. */
  from?: From | undefined;
  /** Only the first bytes are wanted; a server may send all of them nevertheless. */
  headBytes?: number;
}

export interface From {
  offset: number;
  /** CRC-32 of the bytes before `offset`: with a position only. */
  crc32?: number | undefined;
  validator: Validator;
  totalBytes?: number | undefined;
  /** For a source that does not go on at any byte: what its `positionAt` said of `offset`. */
  position?: SourcePosition | undefined;
}

/** A place in a source's bytes from which it can be asked for again. */
export interface SourcePosition {
  bytes: number;
  /** CRC-32 of the bytes before it. */
  crc32: number;
  /** Where the portal goes on; plain JSON. */
  cursor: Readonly<Record<string, unknown>>;
}

export interface OpenedSource {
  validator: Validator;
  /** The length of the whole file; absent where the publisher does not say. */
  totalBytes?: number;
  /** The records of the whole table; absent where it is a file. */
  totalRecords?: number | undefined;
  /** Where the body starts: `from.offset`, or 0 where the source changed or cannot go on. */
  startOffset: number;
  /** How the bytes are to be read, where Longhaul wrote them itself: whatever datasets.yaml says. */
  reading?: SourceOverrides;
  /** The newest place at or before an offset that the body has passed. Absent: it goes on at any byte. */
  positionAt?(bytes: number): SourcePosition | undefined;
  /** What a portal says of the table, once the body has ended. */
  portal?(): PortalTable | undefined;
  /** To be read once. Throws LonghaulError, or the signal's reason. */
  body: AsyncIterable<Buffer>;
  /** Drops the connection; always to be called. */
  close(): Promise<void>;
}

/** @throws LonghaulError ADDRESS_REFUSED SOURCE_TOO_LARGE, or another of the SOURCE_ codes; the signal's reason once it is aborted. */
export async function openSource(spec: AskedSource, given: OpenRequest): Promise<OpenedSource> {
  const request = requestFor(spec, given);
  const { headersFor: url, shown } = request;
  const opened = await (url.protocol === 'file:'
    ? openFile(url, request)
    : openRemote(url, request, spec.geometry));
  const { maxBytes } = request.settings;
  return maxBytes === undefined ? opened : await limited(opened, maxBytes, shown);
}

/**
 * What a portal says of the table that the address leads to; of several tables, the addresses. Undefined: the address of a
 * file.
 * @throws LonghaulError as `openSource`.
 */
export async function describeSource(
  spec: AskedSource,
  given: OpenRequest,
): Promise<Description | Choice[] | undefined> {
  const request = requestFor(spec, given);
  const portal = portalAddressOf(request.headersFor);
  if (!portal) return undefined;
  const { describePortal } = await import('./portals/open-portal.ts');
  return await describePortal(portal, { ...request, geometry: spec.geometry });
}

type AskedSource = Pick<SourceSpec, 'address' | 'headers' | 'geometry'>;

/** @throws LonghaulError ADDRESS_REFUSED. */
function requestFor({ address, headers }: AskedSource, given: OpenRequest): HttpRequest {
  const { secrets = {} } = given;
  const shown = shownAddress(address);
  const headersFor = assertAllowed(filledAddress(address, secrets), given.policy, shown);
  return { ...given, headers, secrets, shown, headersFor };
}

/** A portal's page stands for a table or a file; any other address is that of a file. */
async function openRemote(
  url: URL,
  request: HttpRequest,
  geometry: Geometry | undefined,
): Promise<OpenedSource> {
  const portal = portalAddressOf(url);
  if (!portal) return await openHttp(url, request);
  const { openPortal } = await import('./portals/open-portal.ts');
  return await openPortal(portal, { ...request, geometry });
}

/** A length that is too great ends it before the first byte, a body without a length where it passes the limit. */
async function limited(
  opened: OpenedSource,
  maxBytes: number,
  shown: string,
): Promise<OpenedSource> {
  const refusal = (what: string): LonghaulError =>
    new LonghaulError('SOURCE_TOO_LARGE', `${shown} ${what}; MAX_SOURCE_SIZE is ${maxBytes}.`);
  if ((opened.totalBytes ?? 0) > maxBytes) {
    await opened.close();
    throw refusal(`has ${opened.totalBytes} bytes`);
  }
  const { body, startOffset } = opened;
  const counted = async function* (): AsyncGenerator<Buffer> {
    let bytes = startOffset;
    for await (const piece of body) {
      bytes += piece.length;
      if (bytes > maxBytes) throw refusal('goes on after so many bytes');
      yield piece;
    }
  };
  return { ...opened, body: counted() };
}
