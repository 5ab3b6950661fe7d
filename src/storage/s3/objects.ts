import {
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  type GetObjectCommandOutput,
} from '@aws-sdk/client-s3';
import type { Readable } from 'node:stream';
import { crc32 } from 'node:zlib';
import { formatChecksum } from '../../model/texts.ts';
import type { S3Settings } from '../../config/settings.ts';
import { LonghaulError } from '../../model/errors.ts';
import type { LocationReader, ReadOptions } from '../location.ts';
import { isTaken, statusOf } from './errors.ts';
import { S3Prefix } from './prefix.ts';

/** An object as S3 now has it. */
export interface FoundObject {
  bytes: number;
  etag: string;
  /** `crc32:` and 8 hex digits, for the whole object. Undefined if S3 keeps none. */
  checksum?: string;
}

/** Returns undefined if there is no object with the key. */
export async function findObject(
  s3: S3Prefix,
  key: string,
  signal?: AbortSignal,
): Promise<FoundObject | undefined> {
  const ChecksumMode = s3.settings.checksums ? 'ENABLED' : undefined;
  const command = new HeadObjectCommand({ ...s3.at(key), ChecksumMode });
  const isAbsent = (error: unknown): boolean => statusOf(error) === 404;
  const head = await s3.find(command, 'GetObject', isAbsent, signal);
  return (
    head && {
      bytes: head.ContentLength ?? 0,
      etag: unquoted(head.ETag),
      checksum: fromS3Checksum(head.ChecksumCRC32, head.ChecksumType),
    }
  );
}

interface PutOptions {
  /** Puts the object only if the key is free. */
  ifFree?: boolean;
  signal?: AbortSignal;
}

/**
 * Puts an object in one request.
 * @returns the object's ETag.
 * @throws with `ifFree` the SDK's error for 409 and 412; LonghaulError STORE_….
 */
export async function putObject(
  s3: S3Prefix,
  key: string,
  body: Buffer,
  { ifFree = false, signal }: PutOptions = {},
): Promise<string> {
  const command = new PutObjectCommand({
    ...s3.at(key),
    ...s3.encryption,
    Body: body,
    ContentLength: body.length,
    IfNoneMatch: ifFree ? '*' : undefined,
    ChecksumCRC32: s3.settings.checksums ? toS3Checksum(crc32(body)) : undefined,
  });
  const expected = ifFree ? isTaken : undefined;
  return unquoted((await s3.send(command, 'PutObject', { signal, expected })).ETag);
}

export function unquoted(etag: string | undefined): string {
  return (etag ?? '').replaceAll('"', '');
}

/** Returns a CRC-32 in S3's form: base64 of its four bytes, the highest first. */
export function toS3Checksum(crc32: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(crc32 >>> 0);
  return bytes.toString('base64');
}

/** Returns `crc32:` and 8 hex digits. Undefined if S3 has none of the whole (`…-2` is a checksum of checksums). */
function fromS3Checksum(checksum: string | undefined, type?: string): string | undefined {
  if (checksum === undefined || type === 'COMPOSITE' || checksum.includes('-')) return undefined;
  const bytes = Buffer.from(checksum, 'base64');
  return bytes.length === 4 ? formatChecksum(bytes.readUInt32BE()) : undefined;
}

/** The number of tries without a new byte. S3 closes the connection of a reader that does not read for some time. */
const MAX_ATTEMPTS = 5;

/**
 * Reads an object as one long answer. Another position needs another request. If an answer breaks off, the reader
 * continues there if the object is still the same.
 */
export class S3ObjectReader implements LocationReader {
  readonly #s3: S3Prefix;
  readonly #key: string;
  readonly #end: number | undefined;
  readonly #signal: AbortSignal | undefined;
  #etag: string | undefined;
  #answer: { body: Readable; chunks: AsyncIterator<Buffer>; position: number } | undefined;
  #rest: Buffer = Buffer.alloc(0);

  constructor(settings: S3Settings, key: string, { end, signal }: ReadOptions = {}) {
    this.#s3 = new S3Prefix(settings, '');
    this.#key = key;
    this.#end = end;
    this.#signal = signal;
    signal?.addEventListener('abort', this.#drop, { once: true });
  }

  async read(target: Uint8Array, position: number): Promise<number> {
    let filled = 0;
    for (let failures = 0; filled < target.length;) {
      try {
        const chunk = await this.#next(position + filled, target.length - filled);
        if (!chunk) {
          this.#signal?.throwIfAborted();
          break;
        }
        target.set(chunk, filled);
        filled += chunk.length;
        failures = 0;
      } catch (error) {
        this.#drop();
        this.#signal?.throwIfAborted();
        failures += 1;
        if (error instanceof LonghaulError || failures >= MAX_ATTEMPTS) throw this.#broken(error);
      }
    }
    return filled;
  }

  async close(): Promise<void> {
    this.#signal?.removeEventListener('abort', this.#drop);
    await Promise.resolve(this.#drop());
  }

  /** Returns undefined at the object's end. */
  async #next(position: number, most: number): Promise<Buffer | undefined> {
    if (this.#answer?.position !== position) {
      this.#drop();
      if (!(await this.#open(position))) return undefined;
    }
    while (this.#rest.length === 0) {
      const next = await this.#answer?.chunks.next();
      if (!next || next.done) return undefined;
      this.#rest = next.value;
    }
    const piece = this.#rest.subarray(0, most);
    this.#rest = this.#rest.subarray(piece.length);
    if (this.#answer) this.#answer.position += piece.length;
    return piece;
  }

  /** Returns false if the object ends before `position`. */
  async #open(position: number): Promise<boolean> {
    if (this.#end !== undefined && position >= this.#end) return false;
    const command = new GetObjectCommand({
      ...this.#s3.at(this.#key),
      Range: `bytes=${position}-${this.#end === undefined ? '' : this.#end - 1}`,
      IfMatch: this.#etag,
    });
    const expected = (error: unknown): boolean => [404, 412, 416].includes(statusOf(error) ?? 0);
    let output: GetObjectCommandOutput;
    try {
      output = await this.#s3.send(command, 'GetObject', { expected, signal: this.#signal });
    } catch (error) {
      const status = statusOf(error);
      if (status === 416) return false;
      const what = status === 404 ? 'is gone' : 'was replaced while it was being read';
      if (status === 404 || status === 412) throw this.#corrupt(what, error);
      throw error;
    }
    this.#etag ??= output.ETag;
    const body = output.Body as unknown as Readable;
    this.#answer = {
      body,
      chunks: body[Symbol.asyncIterator]() as AsyncIterator<Buffer>,
      position,
    };
    return true;
  }

  readonly #drop = (): void => {
    this.#answer?.body.destroy();
    this.#answer = undefined;
    this.#rest = Buffer.alloc(0);
  };

  #corrupt(what: string, cause: unknown): LonghaulError {
    const message = `${this.#s3.uri(this.#key)} ${what}.`;
    return new LonghaulError('LAKE_CORRUPT', message, {}, { cause });
  }

  #broken(error: unknown): unknown {
    if (error instanceof LonghaulError) return error;
    const why = error instanceof Error ? error.message : String(error);
    const message = `Reading ${this.#s3.uri(this.#key)} broke off ${MAX_ATTEMPTS} times (${why}).`;
    return new LonghaulError('STORE_UNREACHABLE', message, {}, { cause: error });
  }
}
