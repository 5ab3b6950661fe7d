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

export interface RequestsOptions {
  throttle?: Throttle;
  /** Finds the credentials anew, once for a request that was refused with those it had. */
  renew?: () => Promise<unknown>;
}

/**
 * Requests with retries of our own: the SDK makes each exactly once. "Too often" slows all requests down; what was refused
 * so was not carried out, and is the one error after which even a request of `once` is repeated.
 */
export class Requests {
  readonly #service: string;
  readonly #throttle: Throttle;
  readonly #renew: RequestsOptions['renew'];

  /** @param service as IAM calls it. */
  constructor(service: string, { throttle = new Throttle(), renew }: RequestsOptions = {}) {
    this.#service = service;
    this.#throttle = throttle;
    this.#renew = renew;
  }

  /** @throws LonghaulError EMR_…; the signal's reason. */
  async make<Output>(
    command: { constructor: { name: string } },
    send: (options: { abortSignal?: AbortSignal }) => Promise<Output>,
    { once = false, signal }: EmrRequest = {},
  ): Promise<Output> {
    let mayRenew = this.#renew !== undefined;
    for (let attempt = 1; ; attempt += 1) {
      if (this.#throttle.waitMs > 0) await sleep(this.#throttle.waitMs, undefined, { signal });
      signal?.throwIfAborted();
      try {
        const output = await send(signal === undefined ? {} : { abortSignal: signal });
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
        if (!mayRepeat || attempt >= MAX_ATTEMPTS) {
          throw emrError(error, `${this.#service}:${actionOf(command)}`);
        }
        if (!isThrottled(error)) await sleep(RETRY_DELAY_MS * attempt, undefined, { signal });
      }
    }
  }
}

/** Requests to EMR. */
export class EmrApi {
  readonly #sender: EmrSender;
  readonly #requests: Requests;

  constructor(sender: EmrSender, options: RequestsOptions = {}) {
    this.#sender = sender;
    this.#requests = new Requests('elasticmapreduce', options);
  }

  /** @throws LonghaulError EMR_…; the signal's reason. */
  async send<I extends ServiceInputTypes, O extends ServiceOutputTypes>(
    command: $Command<I, O, EMRClientResolvedConfig>,
    request: EmrRequest = {},
  ): Promise<O> {
    const send = async (options: { abortSignal?: AbortSignal }): Promise<O> =>
      await this.#sender.send<I, O>(command, options);
    return await this.#requests.make(command, send, request);
  }
}

/** `RunJobFlow`, as IAM calls it. */
function actionOf({ constructor: { name } }: { constructor: { name: string } }): string {
  return name.replace(/Command$/, '');
}

/** Of a client of the SDK: region, endpoint and credentials are found as every AWS SDK finds them. */
export function clientSettings() {
  silenceVersionWarning();
  return {
    maxAttempts: 1,
    requestHandler: { connectionTimeout: CONNECT_TIMEOUT_MS, requestTimeout: REQUEST_TIMEOUT_MS },
  };
}

export function createEmrApi(changes: EMRClientConfig = {}): EmrApi {
  const client = new EMRClient({ ...clientSettings(), ...changes });
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
