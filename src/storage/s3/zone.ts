import type {
  $Command,
  S3Client,
  S3ClientResolvedConfig,
  ServiceInputTypes,
  ServiceOutputTypes,
} from '@aws-sdk/client-s3';
import type { S3Settings } from '../../config/settings.ts';
import { LonghaulError } from '../../model/errors.ts';
import { s3ClientOf } from './client.ts';
import { isExpired, s3Error } from './errors.ts';

/** A prefix of a bucket, and how requests to it are made: with errors of the catalogue, and credentials renewed once. */
export class S3Zone {
  readonly settings: S3Settings;
  readonly bucket: string;
  readonly #prefix: string;
  readonly #client: S3Client;

  constructor(settings: S3Settings, prefix: string, client = s3ClientOf(settings)) {
    this.settings = settings;
    this.bucket = settings.bucket;
    this.#prefix = prefix;
    this.#client = client;
  }

  /** The bucket's key. @throws LonghaulError NAME_INVALID for one that leaves the zone. */
  keyOf(key: string): string {
    const names = key.split('/');
    if (key.startsWith('/') || names.some((name) => name === '..' || name === '.')) {
      throw new LonghaulError('NAME_INVALID', `The key ${JSON.stringify(key)} leaves the lake.`);
    }
    return this.#prefix + key;
  }

  /** The other way round. */
  relative(bucketKey: string): string {
    return bucketKey.slice(this.#prefix.length);
  }

  /**
   * @param command with its Bucket, and its Key as `keyOf` says.
   * @param permission what IAM calls the right to do this, without `s3:`.
   * @throws LonghaulError STORE_…; the SDK's own error for a status that the caller asked for in `expected`.
   */
  async send<I extends ServiceInputTypes, O extends ServiceOutputTypes>(
    command: $Command<I, O, S3ClientResolvedConfig>,
    permission: string,
    options: { signal?: AbortSignal | undefined; expected?: (error: unknown) => boolean } = {},
  ): Promise<O> {
    const { signal, expected } = options;
    const once = async (): Promise<O> =>
      await this.#client.send(command, signal ? { abortSignal: signal } : {});
    try {
      return await once().catch(async (error: unknown) => {
        if (!isExpired(error)) throw error;
        await this.#renew();
        return await once();
      });
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      if (expected?.(error)) throw error;
      const { Key: key } = command.input as { Key?: string };
      throw s3Error(error, {
        permission,
        bucket: this.bucket,
        ...(key === undefined ? {} : { key }),
      });
    }
  }

  /** The SDK renews what says when it expires; a session that was ended before that is noticed only by S3. */
  async #renew(): Promise<void> {
    await this.#client.config.credentials({ forceRefresh: true });
  }
}
