import type { AddressPolicy, HttpSettings } from '../config/settings.ts';
import type { Validator } from '../model/validator.ts';
import { assertAllowed } from './address-policy.ts';
import { openFile } from './file-source.ts';
import { openHttp } from './http-source.ts';

export interface OpenRequest {
  settings: HttpSettings;
  policy: AddressPolicy;
  signal: AbortSignal;
  /** Go on from here, if the source is still this version. */
  from?: { offset: number; validator: Validator; totalBytes?: number };
  /** Only the first bytes are wanted; a server may send all of them nevertheless. */
  headBytes?: number;
}

export interface OpenedSource {
  validator: Validator;
  /** Of the whole file; absent where the publisher does not say. */
  totalBytes?: number;
  /** Where the body starts: `from.offset`, or 0 where the source changed or cannot go on. */
  startOffset: number;
  /** To be read once. Throws LonghaulError, or the signal's reason. */
  body: AsyncIterable<Buffer>;
  /** Drops the connection; always to be called. */
  close(): Promise<void>;
}

/** @throws LonghaulError ADDRESS_REFUSED or one of the SOURCE_ codes; the signal's reason once it is aborted. */
export async function openSource(address: string, request: OpenRequest): Promise<OpenedSource> {
  const url = assertAllowed(address, request.policy);
  return url.protocol === 'file:' ? await openFile(url, request) : await openHttp(url, request);
}
