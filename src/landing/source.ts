import type { AddressPolicy, HttpSettings } from '../config/settings.ts';
import type { Validator } from '../model/validator.ts';
import { filledAddress, shownAddress } from '../model/addresses.ts';
import type { SourceSpec } from '../model/dataset.ts';
import { LonghaulError } from '../model/errors.ts';
import { assertAllowed } from './address-policy.ts';
import { openFile } from './file-source.ts';
import { openHttp } from './http-source.ts';
import type { Secrets } from './secrets.ts';

export interface OpenRequest {
  settings: HttpSettings;
  policy: AddressPolicy;
  signal: AbortSignal;
  /** The values of the variables in the address; never shown. */
  secrets?: Secrets;
  /** Go on from here, if the source is still this version. */
  from?: { offset: number; validator: Validator; totalBytes?: number | undefined };
  /** Only the first bytes are wanted; a server may send all of them nevertheless. */
  headBytes?: number;
}

export interface OpenedSource {
  validator: Validator;
  /** The length of the whole file; absent where the publisher does not say. */
  totalBytes?: number;
  /** Where the body starts: `from.offset`, or 0 where the source changed or cannot go on. */
  startOffset: number;
  /** To be read once. Throws LonghaulError, or the signal's reason. */
  body: AsyncIterable<Buffer>;
  /** Drops the connection; always to be called. */
  close(): Promise<void>;
}

/** @throws LonghaulError ADDRESS_REFUSED SOURCE_TOO_LARGE, or another of the SOURCE_ codes; the signal's reason once it is aborted. */
export async function openSource(
  { address }: Pick<SourceSpec, 'address'>,
  request: OpenRequest,
): Promise<OpenedSource> {
  const { secrets = {} } = request;
  const shown = shownAddress(address);
  const url = assertAllowed(filledAddress(address, secrets), request.policy, shown);
  const opened = await (url.protocol === 'file:'
    ? openFile(url, request)
    : openHttp(url, { ...request, secrets, shown }));
  const { maxBytes } = request.settings;
  return maxBytes === undefined ? opened : await limited(opened, maxBytes, shown);
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
