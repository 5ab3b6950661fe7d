import { Context } from '@temporalio/activity';
import { LonghaulError, type ErrorCode } from '../model/errors.ts';
import type { SourceStage, SourceTask, TransferHeartbeat } from '../model/run.ts';
import type { ActivityDeps } from './deps.ts';
import { toFailure } from './failure.ts';
import { StageMetrics, type StageProgress } from './metrics.ts';

/** How often an attempt with nothing new to report still says that it lives, as a share of the heartbeat timeout. */
const HEARTBEATS_PER_TIMEOUT = 4;
/** More often would only be dropped by the worker's throttle. */
const MIN_HEARTBEAT_INTERVAL_MS = 250;
/**
 * Fewer new bytes are no progress: about what the slowest body that is not given up brings in a minute. Else one that
 * sends a byte a second would be read again and again for days.
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
 * Nothing of what was read stays, so that reading it again is no progress: a portal whose count is wrong for good would be
 * read again and again for days.
 */
const WASTED: ReadonlySet<ErrorCode> = new Set(['PORTAL_ANSWER_INVALID', 'SOURCE_CHANGED']);

export interface Work {
  signal: AbortSignal;
  onProgress: (progress: Progress) => void;
  /** What takes time where no bytes are done, for people; until the next progress. */
  onNote: (text: string) => void;
  /** What Temporal is told of an error: it says whether the activity is tried again. */
  failureOf: (error: unknown) => Error;
}

/** One source of one day, or several that are converted together. */
interface Task extends Pick<SourceTask, 'dataset' | 'ingestDate'> {
  source?: { id?: string };
  /** See `IngestInput`. */
  followed?: boolean | undefined;
}

/**
 * Runs one activity attempt: heartbeats from the first moment with bytes, total and rate; errors mapped once;
 * one attempt at a time for one source on this worker, so that a timed-out one has stopped before its successor
 * writes.
 */
export async function runSourceActivity<T>(
  deps: Pick<ActivityDeps, 'activity'>,
  { dataset, ingestDate, source: { id: source } = {}, followed }: Task,
  stage: SourceStage,
  body: (work: Work) => Promise<T>,
): Promise<T> {
  const context = Context.current();
  const before = context.info.heartbeatDetails as TransferHeartbeat | undefined;
  const metrics = new StageMetrics(stage);
  const beat = new Heartbeats({ source, stage }, before, (details, done) => {
    context.heartbeat(details);
    metrics.report(done);
  });
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
    // Whatever the stage: a source is one attempt's at a time.
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
    // The last word, also to the next attempt.
    beat.send();
    metrics.end();
  }
}

/**
 * For short activities that are of no one source: they heartbeat only to show that their worker lives.
 * @param onlyFinal where given, every other error is tried again.
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
  readonly #what: { source: string | undefined; stage: SourceStage };
  readonly #emit: (details: TransferHeartbeat, done: StageProgress) => void;
  readonly #startedAtMs = Date.now();
  #sentAtMs = 0;
  #first: Progress | undefined;
  #latest: Progress = { bytes: 0 };
  #note: string | undefined;
  /** Where the last progress was noted. */
  #markedBytes = 0;

  constructor(
    what: { source: string | undefined; stage: SourceStage },
    before: Pick<TransferHeartbeat, 'progressedAtMs' | 'wastedAtMs'> | undefined,
    emit: (details: TransferHeartbeat, done: StageProgress) => void,
  ) {
    this.#what = what;
    this.#emit = emit;
    this.progressedAtMs = before?.progressedAtMs;
    this.wastedAtMs = before?.wastedAtMs;
  }

  report(progress: Progress): void {
    // A landing that finds another version starts again within one attempt.
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
    const { bytes, totalBytes, records, totalRecords, bytesWritten, sources } = this.#latest;
    const seconds = Math.max(0.001, (this.#sentAtMs - this.#startedAtMs) / 1000);
    const bytesPerSecond = Math.round((bytes - (this.#first?.bytes ?? 0)) / seconds);
    const details = {
      source: this.#what.source,
      stage: this.#what.stage,
      bytes,
      bytesPerSecond,
      totalBytes,
      records,
      totalRecords,
      bytesWritten,
      sources,
      note: this.#note,
      progressedAtMs: this.progressedAtMs,
      wastedAtMs: this.wastedAtMs,
    };
    this.#emit(details, { first: this.#first, latest: this.#latest, bytesPerSecond });
  }
}

interface Holder {
  stop: AbortController;
  ended: Promise<unknown>;
}

const holders = new Map<string, Holder>();

/**
 * Runs `body` once no other body of the same key runs in this process: an earlier one, which Temporal has given
 * up or it would not have started this one, is stopped and waited for.
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
