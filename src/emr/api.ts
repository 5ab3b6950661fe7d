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

/** Most tries of a request that is safe to repeat. Temporal's retries deal with longer failures. */
const MAX_ATTEMPTS = 6;
/** Wait before the second try. Each wait doubles: EMR limits the whole account, and recovers within seconds. */
const RETRY_DELAY_MS = 500;
const CONNECT_TIMEOUT_MS = 5000;
/** EMR answers within a second or two, RunJobFlow within ten. */
const REQUEST_TIMEOUT_MS = 30_000;

export interface RequestOptions {
  /** The request makes something new, so the client sends it once. The caller asks EMR first, then repeats it. */
  once?: boolean | undefined;
  signal?: AbortSignal | undefined;
  /** Only tests set this. */
  retryDelayMs?: number;
}

/** The members that all clients of the SDK share. */
interface Client {
  config: { credentials: (options: { forceRefresh: boolean }) => Promise<unknown> };
}

/**
 * Sends a request with Longhaul's own retries: the SDK sends each one exactly once. EMR does not carry out a throttled
 * request, so even a request with `once` is then repeated. If EMR refuses the credentials, the client loads new ones
 * and sends the request once more.
 * @param service the service's name in IAM.
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
        // An example is `elasticmapreduce:RunJobFlow`.
        throw emrError(error, `${service}:${command.constructor.name.replace(/Command$/, '')}`);
      }
      // Half of the wait is random, so that several workers do not come back at once.
      const waitMs = retryDelayMs * 2 ** (attempt - 1) * (0.5 + Math.random() / 2);
      await sleep(waitMs, undefined, { signal });
    }
  }
}

let shared: EMRClient | undefined;

/** Sends a request to EMR. @throws LonghaulError EMR_…; the signal's reason. */
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

/** Settings of an SDK client. The SDK finds region, endpoint and credentials as in every AWS program. */
export function clientSettings() {
  silenceVersionWarning();
  return {
    maxAttempts: 1,
    requestHandler: { connectionTimeout: CONNECT_TIMEOUT_MS, requestTimeout: REQUEST_TIMEOUT_MS },
  };
}
