import {
  EMRClient,
  type $Command,
  type EMRClientResolvedConfig,
  type ServiceInputTypes,
  type ServiceOutputTypes,
} from '@aws-sdk/client-emr';
import { setTimeout as sleep } from 'node:timers/promises';
import { silenceVersionWarning } from '../storage/s3/client.ts';
import { emrError, isDoubtful, isRefusedCredentials, isThrottled } from './errors.ts';

/** Tries of one request that may safely be made again; what lasts longer is for Temporal's retries. */
const MAX_ATTEMPTS = 6;
/** Before the second try; each wait that follows is twice as long: EMR's limits are the account's, and it fills up again within seconds. */
const RETRY_DELAY_MS = 500;
const CONNECT_TIMEOUT_MS = 5000;
/** EMR answers within a second or two, RunJobFlow within ten. */
const REQUEST_TIMEOUT_MS = 30_000;

export interface RequestOptions {
  /** It makes something anew each time: it is sent once, and the caller asks EMR what is there before it sends it again. */
  once?: boolean | undefined;
  signal?: AbortSignal | undefined;
  /** For tests. */
  retryDelayMs?: number;
}

/** What all clients of the SDK have. */
interface Client {
  config: { credentials: (options: { forceRefresh: boolean }) => Promise<unknown> };
}

/**
 * A request with retries of our own: the SDK makes each exactly once. What was refused as "too often" was not carried
 * out, and is the one error after which even a request of `once` is repeated. One that was refused for its credentials is
 * made once more with credentials that are found anew.
 * @param service as IAM calls it.
 * @throws LonghaulError EMR_…; the signal's reason.
 */
export async function withRetries<Output>(
  service: string,
  { config }: Client,
  command: object,
  send: (options: { abortSignal?: AbortSignal }) => Promise<Output>,
  { once = false, signal, retryDelayMs = RETRY_DELAY_MS }: RequestOptions,
): Promise<Output> {
  let mayRenew = true;
  for (let attempt = 1; ; attempt += 1) {
    signal?.throwIfAborted();
    try {
      return await send(signal === undefined ? {} : { abortSignal: signal });
    } catch (error) {
      signal?.throwIfAborted();
      if (mayRenew && isRefusedCredentials(error)) {
        mayRenew = false;
        await config.credentials({ forceRefresh: true });
        continue;
      }
      const mayRepeat = isThrottled(error) || (!once && isDoubtful(error));
      if (!mayRepeat || attempt >= MAX_ATTEMPTS) {
        // `elasticmapreduce:RunJobFlow`.
        throw emrError(error, `${service}:${command.constructor.name.replace(/Command$/, '')}`);
      }
      // Half of it by chance, so that several workers do not come back at once.
      const waitMs = retryDelayMs * 2 ** (attempt - 1) * (0.5 + Math.random() / 2);
      await sleep(waitMs, undefined, { signal });
    }
  }
}

let shared: EMRClient | undefined;

/** A request to EMR. @throws LonghaulError EMR_…; the signal's reason. */
export async function askEmr<I extends ServiceInputTypes, O extends ServiceOutputTypes>(
  command: $Command<I, O, EMRClientResolvedConfig>,
  options: RequestOptions = {},
): Promise<O> {
  shared ??= new EMRClient(clientSettings());
  const client = shared;
  return await withRetries(
    'elasticmapreduce',
    client,
    command,
    async (sendOptions) => await client.send<I, O>(command, sendOptions),
    options,
  );
}

/** Of a client of the SDK: region, endpoint and credentials are found as every AWS SDK finds them. */
export function clientSettings() {
  silenceVersionWarning();
  return {
    maxAttempts: 1,
    requestHandler: { connectionTimeout: CONNECT_TIMEOUT_MS, requestTimeout: REQUEST_TIMEOUT_MS },
  };
}
