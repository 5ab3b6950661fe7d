import { GetObjectCommand, type GetObjectCommandOutput } from '@aws-sdk/client-s3';
import type { Readable } from 'node:stream';
import type { S3Settings } from '../../config/settings.ts';
import { LonghaulError } from '../../model/errors.ts';
import type { LocationReader, ReadOptions } from '../location.ts';
import { statusOf } from './errors.ts';
import { S3Prefix } from './prefix.ts';

/** Without a byte of progress; S3 drops connections of readers that are busy with something else. */
const MAX_ATTEMPTS = 5;

/**
 * An object as one long answer that is read on and on; another place is another request. An answer that breaks
 * off is gone on with where it broke, if the object is still the same one.
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

  /** Undefined at the object's end. */
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

  /** False where the object ends before `position`. */
  async #open(position: number): Promise<boolean> {
    if (this.#end !== undefined && position >= this.#end) return false;
    const command = new GetObjectCommand({
      Bucket: this.#s3.bucket,
      Key: this.#key,
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
    const uri = `s3://${this.#s3.bucket}/${this.#key}`;
    return new LonghaulError('LAKE_CORRUPT', `${uri} ${what}.`, {}, { cause });
  }

  #broken(error: unknown): unknown {
    if (error instanceof LonghaulError) return error;
    const uri = `s3://${this.#s3.bucket}/${this.#key}`;
    const why = error instanceof Error ? error.message : String(error);
    const message = `Reading ${uri} broke off ${MAX_ATTEMPTS} times (${why}).`;
    return new LonghaulError('STORE_UNREACHABLE', message, {}, { cause: error });
  }
}
