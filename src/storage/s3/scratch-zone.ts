import type {
  $Command,
  S3ClientResolvedConfig,
  ServiceInputTypes,
  ServiceOutputTypes,
} from '@aws-sdk/client-s3';
import { LonghaulError } from '../../model/errors.ts';
import type { S3Trial } from './trial.ts';
import { S3Zone } from './zone.ts';

/** A zone that keeps which permissions S3 denied, whatever asked for them. */
export class ScratchZone extends S3Zone {
  /** As IAM calls them: `s3:PutObject`, or `kms:GenerateDataKey` where S3 says so. */
  readonly denied = new Set<string>();
  /** For every request that has none of its own. */
  signal: AbortSignal;

  constructor({ settings, client }: S3Trial, prefix: string, signal: AbortSignal) {
    super(settings, prefix, client);
    this.signal = signal;
  }

  override async send<I extends ServiceInputTypes, O extends ServiceOutputTypes>(
    command: $Command<I, O, S3ClientResolvedConfig>,
    permission: string,
    options: { signal?: AbortSignal | undefined; expected?: (error: unknown) => boolean } = {},
  ): Promise<O> {
    try {
      return await super.send(command, permission, { signal: this.signal, ...options });
    } catch (error) {
      if (error instanceof LonghaulError && error.code === 'STORE_FORBIDDEN') {
        this.denied.add(namedBy(error.cause) ?? `s3:${permission}`);
      }
      throw error;
    }
  }
}

/** AWS says what it missed, which may be another thing than what was asked: a key's use, a tag's copy. */
function namedBy(cause: unknown): string | undefined {
  if (!(cause instanceof Error)) return undefined;
  return /not authorized to perform: ((?:s3|kms):\w+)/.exec(cause.message)?.[1];
}
