import {
  HeadObjectCommand,
  ListObjectsV2Command,
  type $Command,
  type PutObjectRequest,
  type S3Client,
  type S3ClientResolvedConfig,
  type ServiceInputTypes,
  type ServiceOutputTypes,
} from '@aws-sdk/client-s3';
import type { S3Settings } from '../../config/settings.ts';
import { LonghaulError } from '../../model/errors.ts';
import { s3ClientOf } from './client.ts';
import { isExpired, isOfStore, s3Error, statusOf } from './errors.ts';

export interface SendOptions {
  signal?: AbortSignal;
  /** Whether the caller handles an error about the object. `send` throws it as the SDK's error. */
  expected?: (error: unknown) => boolean;
}

/** A prefix of a bucket. Its requests throw errors of the catalogue, and renew expired credentials once. */
export class S3Prefix {
  readonly settings: S3Settings;
  readonly bucket: string;
  readonly #prefix: string;
  readonly #client: S3Client;
  readonly #signal: AbortSignal | undefined;
  /** Whether the bucket has answered a request. */
  #isBucketSeen = false;

  /** @param signal ends all requests that have no own signal. */
  constructor(
    settings: S3Settings,
    prefix: string,
    client = s3ClientOf(settings),
    signal?: AbortSignal,
  ) {
    this.settings = settings;
    this.bucket = settings.bucket;
    this.#prefix = prefix;
    this.#client = client;
    this.#signal = signal;
  }

  /** Returns the same zone for requests that wait at least this long for a byte. */
  patient(stallTimeoutMs: number): S3Prefix {
    const longer = Math.max(this.settings.stallTimeoutMs, stallTimeoutMs);
    const settings = { ...this.settings, stallTimeoutMs: longer };
    return new S3Prefix(settings, this.#prefix, undefined, this.#signal);
  }

  /** Returns the key in the bucket. @throws LonghaulError NAME_INVALID if the key leaves the zone. */
  keyOf(key: string): string {
    const names = key.split('/');
    if (key.startsWith('/') || names.some((name) => name === '..' || name === '.')) {
      throw new LonghaulError('NAME_INVALID', `The key ${JSON.stringify(key)} leaves the lake.`);
    }
    return this.#prefix + key;
  }

  uri(key: string): string {
    return `s3://${this.bucket}/${this.keyOf(key)}`;
  }

  /** Returns the fields that each request for an object needs. */
  at(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.bucket, Key: this.keyOf(key) };
  }

  /** The encryption fields of a request that begins an object. A request for an upload's part must not have them. */
  get encryption(): Pick<PutObjectRequest, 'ServerSideEncryption' | 'SSEKMSKeyId'> {
    const { kmsKeyId } = this.settings;
    return kmsKeyId === undefined ? {} : { ServerSideEncryption: 'aws:kms', SSEKMSKeyId: kmsKeyId };
  }

  /** Returns the key in the zone for a key in the bucket. */
  relative(bucketKey: string): string {
    return bucketKey.slice(this.#prefix.length);
  }

  /**
   * @param command has its Bucket, and its Key from `keyOf`.
   * @param permission the name of the IAM permission, without `s3:`.
   * @throws LonghaulError STORE_…; the SDK's own error if `expected` accepts it; the signal's reason.
   */
  async send<I extends ServiceInputTypes, O extends ServiceOutputTypes>(
    command: $Command<I, O, S3ClientResolvedConfig>,
    permission: string,
    options: SendOptions = {},
  ): Promise<O> {
    const { signal = this.#signal, expected } = options;
    const ask = async (): Promise<O> => await this.#client.send(command, { abortSignal: signal });
    const once = async (): Promise<O> => {
      const output =
        command instanceof HeadObjectCommand
          ? await ask().catch(async (error: unknown) => await this.#explain(error, ask, signal))
          : await ask();
      this.#isBucketSeen = true;
      return output;
    };
    try {
      return await once().catch(async (error: unknown) => {
        if (!isExpired(error)) throw error;
        // The SDK renews credentials at their expiry time. Only S3 knows that a session has ended before.
        await this.#client.config.credentials({ forceRefresh: true });
        return await once();
      });
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      if (!isOfStore(error) && expected?.(error)) throw error;
      throw this.#error(error, permission, command.input);
    }
  }

  /** Does the same as `send`, but returns undefined for an error that means that there is nothing (`isNone`). */
  async find<I extends ServiceInputTypes, O extends ServiceOutputTypes>(
    command: $Command<I, O, S3ClientResolvedConfig>,
    permission: string,
    isNone: (error: unknown) => boolean,
    signal?: AbortSignal,
  ): Promise<O | undefined> {
    try {
      return await this.send(command, permission, { signal, expected: isNone });
    } catch (error) {
      if (isNone(error)) return undefined;
      throw error;
    }
  }

  /**
   * A HEAD's error has no body that says whether it is about the object, the bucket or the credentials. A LIST below
   * the prefix says it, and any working lake allows it. A 404 needs no LIST after the bucket has answered once.
   */
  async #explain<O>(error: unknown, again: () => Promise<O>, signal?: AbortSignal): Promise<O> {
    const status = statusOf(error) ?? 0;
    const isBare = [301, 400, 403, 404].includes(status);
    if (!isBare || (status === 404 && this.#isBucketSeen)) throw error;
    const list = { Bucket: this.bucket, Prefix: this.#prefix, MaxKeys: 1 };
    try {
      await this.#client.send(new ListObjectsV2Command(list), { abortSignal: signal });
    } catch (named) {
      // Without the right to list, S3 answers 403 for a missing object too. So the right to list is reported first.
      if (statusOf(named) !== 403 || isOfStore(named)) throw named;
      throw status === 403 ? this.#error(named, 'ListBucket', {}) : error;
    }
    this.#isBucketSeen = true;
    if (status === 404) throw error;
    // The two answers gave S3's time to the SDK, but the SDK does not retry after the error of a HEAD.
    return await again();
  }

  #error(error: unknown, permission: string, input: object): unknown {
    const { Key: key } = input as { Key?: string };
    return s3Error(error, { permission, bucket: this.bucket, key });
  }
}
