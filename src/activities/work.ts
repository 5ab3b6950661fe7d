import { Context } from '@temporalio/activity';
import { LonghaulError, type ErrorCode } from '../model/errors.ts';
import type { SourceStage, SourceTask, TransferHeartbeat } from '../model/run.ts';
import type { ActivityDeps } from './deps.ts';
import { toFailure } from './failure.ts';
import { StageMetrics } from './metrics.ts';

/** An attempt without news sends this many heartbeats in each heartbeat timeout, to show that its worker lives. */
const HEARTBEATS_PER_TIMEOUT = 4;
/** The worker's throttle would drop more frequent heartbeats. */
const MIN_HEARTBEAT_INTERVAL_MS = 250;
/**
 * Fewer new bytes are no progress. The slowest accepted body brings about this much in a minute. Without this limit, a
 * body with one byte a second would be read again and again for days.
 */
const PROGRESS_BYTES = 64 * 1024;

export interface Progress {
  bytes: number;
  totalBytes?: number | undefined;
  records?: number;
  totalRecords?: number | undefined;
  bytesWritten?: number | undefined;
  sources?: TransferHeartbeat['sources'];
}

/**
 * After these errors an attempt keeps nothing that it read, so reading it again is no progress. Otherwise a portal
 * whose count stays wrong would be read again and again for days.
 */
const WASTED: ReadonlySet<ErrorCode> = new Set(['PORTAL_ANSWER_INVALID', 'SOURCE_CHANGED']);

export interface Work {
  signal: AbortSignal;
  onProgress: (progress: Progress) => void;
  /** Shows the user what takes time while no bytes are done, until the next progress. */
  onNote: (text: string) => void;
  /** The failure that Temporal gets for an error. It says whether the activity is tried again. */
  failureOf: (error: unknown) => Error;
}

/** One source of one day, or several sources that are converted together. */
interface Task extends Pick<SourceTask, 'dataset' | 'ingestDate'> {
  source?: { id?: string };
  /** See `IngestInput`. */
  followed?: boolean | undefined;
}

/**
 * Runs one attempt of an activity. It sends heartbeats from the start, with bytes, total and rate, and maps errors
 * once. On this worker a source has one attempt at a time: an attempt that timed out stops before the next one writes.
 */
export async function runSourceActivity<T>(
  deps: Pick<ActivityDeps, 'activity'>,
  { dataset, ingestDate, source: { id: source } = {}, followed }: Task,
  stage: SourceStage,
  body: (work: Work) => Promise<T>,
): Promise<T> {
  const context = Context.current();
  const metrics = new StageMetrics(stage);
  const beat = new Heartbeats({ source, stage }, metrics);
  const failureOf = (error: unknown): Error => {
    const isWasted = error instanceof LonghaulError && WASTED.has(error.code);
    if (isWasted) beat.wastedAtMs ??= Date.now();
    return toFailure(error, {
      retryForMs: deps.activity.retryForMs,
      progressedAtMs: isWasted ? beat.wastedAtMs : beat.progressedAtMs,
      source,
      followed,
    });
  };
  const timer = setInterval(() => {
    beat.send();
  }, heartbeatIntervalMs(deps));
  try {
    beat.send();
    // The key has no stage: a source has one attempt at a time, whatever the stage.
    const key = `${dataset}/${ingestDate}/${source ?? '_spark'}`;
    return await exclusively(key, context.cancellationSignal, async (signal) => {
      const onProgress = (progress: Progress): void => beat.report(progress);
      const onNote = (text: string): void => beat.note(text);
      return await body({ signal, onProgress, onNote, failureOf });
    });
  } catch (error) {
    throw failureOf(error);
  } finally {
    clearInterval(timer);
    // The last heartbeat also informs the next attempt.
    beat.send();
    metrics.end();
  }
}

/**
 * Runs a short activity that concerns no single source. Its heartbeats only show that the worker lives.
 * @param onlyFinal if given, every other error is tried again.
 */
export async function runActivity<T>(
  deps: Pick<ActivityDeps, 'activity'>,
  body: () => Promise<T>,
  onlyFinal?: readonly ErrorCode[],
): Promise<T> {
  const context = Context.current();
  const timer = setInterval(() => {
    context.heartbeat();
  }, heartbeatIntervalMs(deps));
  try {
    return await body();
  } catch (error) {
    throw toFailure(error, { retryForMs: deps.activity.retryForMs, onlyFinal });
  } finally {
    clearInterval(timer);
  }
}

function heartbeatIntervalMs({ activity }: Pick<ActivityDeps, 'activity'>): number {
  return Math.max(MIN_HEARTBEAT_INTERVAL_MS, activity.heartbeatTimeoutMs / HEARTBEATS_PER_TIMEOUT);
}

class Heartbeats {
  progressedAtMs: number | undefined;
  wastedAtMs: number | undefined;
  readonly #context = Context.current();
  readonly #what: Pick<TransferHeartbeat, 'source' | 'stage'>;
  readonly #metrics: StageMetrics;
  readonly #startedAtMs = Date.now();
  #sentAtMs = 0;
  #first: Progress | undefined;
  #latest: Progress = { bytes: 0 };
  #note: string | undefined;
  /** Bytes at which progress was last recorded. */
  #markedBytes = 0;

  constructor(what: Pick<TransferHeartbeat, 'source' | 'stage'>, metrics: StageMetrics) {
    this.#what = what;
    this.#metrics = metrics;
    const before = this.#context.info.heartbeatDetails as TransferHeartbeat | undefined;
    this.progressedAtMs = before?.progressedAtMs;
    this.wastedAtMs = before?.wastedAtMs;
  }

  report(progress: Progress): void {
    // If a landing finds another version, it starts again within one attempt.
    if (!this.#first || progress.bytes < this.#latest.bytes) this.#markedBytes = progress.bytes;
    this.#first ??= progress;
    if (progress.bytes >= this.#markedBytes + PROGRESS_BYTES) {
      this.#markedBytes = progress.bytes;
      this.progressedAtMs = Date.now();
    }
    this.#latest = progress;
    this.#note = undefined;
    if (Date.now() - this.#sentAtMs >= MIN_HEARTBEAT_INTERVAL_MS) this.send();
  }

  note(text: string): void {
    this.#note = text;
    this.send();
  }

  send(): void {
    this.#sentAtMs = Date.now();
    const { bytes } = this.#latest;
    const seconds = Math.max(0.001, (this.#sentAtMs - this.#startedAtMs) / 1000);
    const bytesPerSecond = Math.round((bytes - (this.#first?.bytes ?? 0)) / seconds);
    const { progressedAtMs, wastedAtMs } = this;
    const details = {
      ...{ ...this.#what, ...this.#latest, bytesPerSecond, note: this.#note },
      ...{ progressedAtMs, wastedAtMs },
    };
    this.#context.heartbeat(details);
    this.#metrics.report({ first: this.#first, latest: this.#latest, bytesPerSecond });
  }
}

interface Holder {
  stop: AbortController;
  ended: Promise<unknown>;
}

const holders = new Map<string, Holder>();

/**
 * Runs `body` when no other body with the same key runs in this process. Temporal has given up any earlier attempt,
 * because it started this one. So the earlier attempt is stopped, and this one waits for its end.
 */
async function exclusively<T>(
  key: string,
  signal: AbortSignal,
  body: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  for (let before = holders.get(key); before; before = holders.get(key)) {
    before.stop.abort(new Error('A later attempt has taken over.'));
    await before.ended.catch(() => undefined);
  }
  signal.throwIfAborted();
  const stop = new AbortController();
  const running = body(AbortSignal.any([signal, stop.signal]));
  const holder: Holder = { stop, ended: running };
  holders.set(key, holder);
  try {
    return await running;
  } finally {
    if (holders.get(key) === holder) holders.delete(key);
  }
}
