import {
  EMRClient,
  type $Command,
  type EMRClientConfig,
  type EMRClientResolvedConfig,
  type ServiceInputTypes,
  type ServiceOutputTypes,
} from '@aws-sdk/client-emr';
import { setTimeout as sleep } from 'node:timers/promises';
import { silenceVersionWarning } from '../storage/s3/client.ts';
import { emrError, isDoubtful, isRefusedCredentials, isThrottled } from './errors.ts';
import { Throttle } from './throttle.ts';

/** Tries of one request that may safely be made again; what lasts longer is for Temporal's retries. */
const MAX_ATTEMPTS = 6;
/** Between two tries after no answer or a 5xx, times the number of the try. */
const RETRY_DELAY_MS = 500;
const CONNECT_TIMEOUT_MS = 5000;
/** EMR answers within a second or two, RunJobFlow within ten. */
const REQUEST_TIMEOUT_MS = 30_000;

export interface EmrRequest {
  /** It makes something anew each time: it is sent once, and the caller asks EMR what is there before it sends it again. */
  once?: boolean;
  signal?: AbortSignal | undefined;
}

/** What sends a command: the SDK's client, or a test's. */
export type EmrSender = Pick<EMRClient, 'send'>;

/**
 * Requests to EMR with retries of our own: the SDK makes each exactly once. "Too often" slows all requests down;
 * what was refused so was not carried out, and is the one error after which even a request of `once` is repeated.
 */
export class EmrApi {
  readonly #sender: EmrSender;
  readonly #throttle: Throttle;
  readonly #renew: (() => Promise<unknown>) | undefined;

  /** @param renew finds the credentials anew, once for a request that EMR refused with those it had. */
  constructor(
    sender: EmrSender,
    {
      throttle = new Throttle(),
      renew,
    }: { throttle?: Throttle; renew?: () => Promise<unknown> } = {},
  ) {
    this.#sender = sender;
    this.#throttle = throttle;
    this.#renew = renew;
  }

  /** @throws LonghaulError EMR_…; the signal's reason. */
  async send<I extends ServiceInputTypes, O extends ServiceOutputTypes>(
    command: $Command<I, O, EMRClientResolvedConfig>,
    { once = false, signal }: EmrRequest = {},
  ): Promise<O> {
    let mayRenew = this.#renew !== undefined;
    for (let attempt = 1; ; attempt += 1) {
      if (this.#throttle.waitMs > 0) await sleep(this.#throttle.waitMs, undefined, { signal });
      signal?.throwIfAborted();
      try {
        const output = await this.#sender.send<I, O>(
          command,
          signal === undefined ? {} : { abortSignal: signal },
        );
        this.#throttle.answered();
        return output;
      } catch (error) {
        signal?.throwIfAborted();
        if (isThrottled(error)) this.#throttle.throttled();
        if (mayRenew && isRefusedCredentials(error)) {
          mayRenew = false;
          await this.#renew?.();
          continue;
        }
        const mayRepeat = isThrottled(error) || (!once && isDoubtful(error));
        if (!mayRepeat || attempt >= MAX_ATTEMPTS) throw emrError(error, actionOf(command));
        if (!isThrottled(error)) await sleep(RETRY_DELAY_MS * attempt, undefined, { signal });
      }
    }
  }
}

/** `RunJobFlow`, as IAM calls it. */
function actionOf({ constructor: { name } }: { constructor: { name: string } }): string {
  return name.replace(/Command$/, '');
}

/** Region, endpoint and credentials are found as every AWS SDK finds them. */
export function createEmrApi(changes: EMRClientConfig = {}): EmrApi {
  silenceVersionWarning();
  const client = new EMRClient({
    maxAttempts: 1,
    requestHandler: { connectionTimeout: CONNECT_TIMEOUT_MS, requestTimeout: REQUEST_TIMEOUT_MS },
    ...changes,
  });
  const renew = async (): Promise<unknown> =>
    await client.config.credentials({ forceRefresh: true });
  return new EmrApi(client, { renew });
}

let shared: EmrApi | undefined;

/** One for the process: so its throttle knows EMR's rate. */
export function sharedEmrApi(): EmrApi {
  shared ??= createEmrApi();
  return shared;
}
