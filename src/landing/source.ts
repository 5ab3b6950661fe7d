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
  /** The values of the variables in the address. Longhaul never shows them. */
  secrets?: Secrets;
  /** The headers that datasets.yaml sets for the source. They name variables and do not hold the values. */
  headers?: Record<string, string> | undefined;
  /** If the source still has this version, continue at its end. */
  from?: From | undefined;
  /** The worker wants only this many first bytes. A server may still send all of them. */
  headBytes?: number;
}

export interface From {
  validator: Validator;
  totalBytes?: number | undefined;
  end: {
    bytes: number;
    /** CRC-32 of the bytes before the end. */
    crc32: number;
    /** What `positionAt` returned for the end, if the source cannot continue at any byte. */
    position?: SourcePosition | undefined;
  };
}

/** An offset of a source's bytes at which the worker can ask the source to continue. */
export interface SourcePosition {
  bytes: number;
  /** CRC-32 of the first `bytes` bytes. */
  crc32: number;
  /** The place where the portal continues, as plain JSON. */
  cursor: Readonly<Record<string, unknown>>;
}

export interface OpenedSource {
  validator: Validator;
  /** The length of the whole file. Absent if the publisher does not announce it. */
  totalBytes?: number;
  /** The records of the whole table. Absent for a file. */
  totalRecords?: number | undefined;
  /** Where the body starts: `from.end.bytes`, or 0 if the source changed or cannot continue there. */
  startOffset: number;
  /** How to read bytes that Longhaul itself wrote. These settings replace those of datasets.yaml. */
  reading?: SourceOverrides;
  /** Returns the last position up to an offset that the body has passed. Absent if the source continues at any byte. */
  positionAt?(bytes: number): SourcePosition | undefined;
  /** What a portal says about the table. Known when the body has ended. */
  portal?(): PortalTable | undefined;
  /** Can be read once. Throws LonghaulError or the signal's reason. */
  body: AsyncIterable<Buffer>;
  /** Closes the connection. The caller must always call this. */
  close(): Promise<void>;
}

/**
 * @throws LonghaulError ADDRESS_REFUSED, SOURCE_TOO_LARGE or another SOURCE_ code; once aborted, the signal's reason.
 */
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
 * Describes the table that the address leads to. If it leads to several tables, returns their addresses. Returns
 * undefined for the address of a file.
 * @throws LonghaulError as `openSource`.
 */
export async function describeSource(
  spec: AskedSource,
  given: OpenRequest,
): Promise<Description | Choice[] | undefined> {
  const request = requestFor(spec, given);
  const url = request.headersFor;
  if (!portalAddressOf(url)) return undefined;
  const { describePortal } = await import('./portals/open-portal.ts');
  return await describePortal(url, { ...request, geometry: spec.geometry });
}

type AskedSource = Pick<SourceSpec, 'address' | 'headers' | 'geometry'>;

/** @throws LonghaulError ADDRESS_REFUSED. */
function requestFor({ address, headers }: AskedSource, given: OpenRequest): HttpRequest {
  const { secrets = {} } = given;
  const shown = shownAddress(address);
  const headersFor = assertAllowed(filledAddress(address, secrets), given.policy, shown);
  return { ...given, headers, secrets, shown, headersFor };
}

/** A portal's page stands for a table or a file. Any other address is the address of a file. */
async function openRemote(
  url: URL,
  request: HttpRequest,
  geometry: Geometry | undefined,
): Promise<OpenedSource> {
  if (!portalAddressOf(url)) return await openHttp(url, request);
  const { openPortal } = await import('./portals/open-portal.ts');
  return await openPortal(url, { ...request, geometry });
}

/**
 * Refuses a body with too great a length before the first byte, and a body without a length when it passes the limit.
 */
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
