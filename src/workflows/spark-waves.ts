import { condition, isCancellation } from '@temporalio/workflow';
import { stagedSparkPrefix } from '../model/layout.ts';
import type { DayInput, PreparedSource, RunError, RunPlan, SourceResult } from '../model/run.ts';
import { activities } from './activities.ts';
import { toRunError } from './failures.ts';
import * as policies from './policies.ts';
import { megabytes, stage, verify, type SequenceOptions } from './source-sequence.ts';

/** As long as Spark takes to start, for one source or for all. */
const STAGING_WAIT = '10s';
/** Sources verified at once: footers and checksums, on the queue of the short steps. */
const MAX_VERIFYING = 16;

export interface WaveOptions {
  input: Pick<DayInput, 'dataset' | 'ingestDate' | 'backfill'>;
  plan: Pick<RunPlan, 'heartbeatTimeoutMs' | 'stageBytes'>;
  revision: number;
  runId: string;
  onDone: (result: SourceResult) => void;
  onFail: (source: string, error: RunError) => void;
}

interface Staged {
  source: PreparedSource;
  options: SequenceOptions;
  bytes: number;
  stagedBytes: number;
}

/**
 * Sources of one run, converted by one job of Spark after the other: each takes all that is staged when Spark is free. What
 * is landed later goes with the next one, so a slow publisher delays no other source.
 */
export class SparkWaves {
  readonly #options: WaveOptions;
  readonly #limitBytes: number;
  /** Of copies on the disk: staged, about to be, or in work. */
  #stagedBytes = 0;
  #lastRoom: Promise<void> = Promise.resolve();
  #staging = 0;
  #staged: Staged[] = [];
  #wave: Promise<void> | undefined;
  readonly #verifications: Promise<void>[] = [];
  #verifying = 0;

  constructor(options: WaveOptions) {
    this.#options = options;
    this.#limitBytes = options.plan.stageBytes ?? Number.MAX_SAFE_INTEGER;
  }

  /**
   * Stages a source, once there is room for its copies: one that is larger than all of it has it alone. It is converted
   * afterwards, whoever waits for that.
   * @throws what staging fails of.
   */
  async add(source: PreparedSource, options: SequenceOptions): Promise<void> {
    const { bytes } = source;
    await this.#room(bytes);
    this.#staging += 1;
    try {
      const made = await stage(source, options);
      this.#stagedBytes += made.stagedBytes - bytes;
      this.#staged.push({ source, options, ...made });
    } catch (error) {
      this.#stagedBytes -= bytes;
      throw error;
    } finally {
      this.#staging -= 1;
    }
    this.#wave ??= this.#run();
    // Its failure is found at the end.
    this.#wave.catch(() => undefined);
  }

  /** In turn: several would find the same room, and a large source none for ever. */
  async #room(bytes: number): Promise<void> {
    const room = this.#lastRoom.then(async () => {
      await condition(
        () => this.#stagedBytes === 0 || this.#stagedBytes + bytes <= this.#limitBytes,
      );
      this.#stagedBytes += bytes;
    });
    this.#lastRoom = room.catch(() => undefined);
    await room;
  }

  /** Until all that was added has its end. @throws where the run is cancelled. */
  async finish(): Promise<void> {
    const waved = await Promise.allSettled([this.#wave]);
    const verified = await Promise.allSettled(this.#verifications);
    const broken = [...waved, ...verified].find((each) => each.status === 'rejected');
    if (broken) throw broken.reason;
  }

  async #run(): Promise<void> {
    while (this.#staged.length > 0) {
      // Those that are all but ready come along.
      if (this.#staging > 0) await condition(() => this.#staging === 0, STAGING_WAIT);
      const wave = this.#staged.splice(0);
      const failed = await this.#convert(wave);
      for (const { source, options, stagedBytes } of wave) {
        this.#stagedBytes -= stagedBytes;
        const { id } = source.task.source;
        const error = failed.get(id);
        if (error) this.#options.onFail(id, error);
        else this.#verifications.push(this.#verify(source, options));
      }
    }
    this.#wave = undefined;
  }

  /** @returns those that failed. */
  async #convert(wave: readonly Staged[]): Promise<Map<string, RunError>> {
    const { input, plan, revision, runId } = this.#options;
    const { dataset, ingestDate, backfill } = input;
    const bytes = wave.reduce((sum, each) => sum + each.bytes, 0);
    const policy = backfill ? { ...policies.BATCH, ...policies.BACKFILL } : policies.BATCH;
    const { convertBatch } = activities(policy, {
      summary: `${wave.length} sources, ${megabytes(bytes)} → Parquet by one job of Spark`,
      queue: backfill ? 'backfill' : 'convert',
      heartbeatTimeoutMs: plan.heartbeatTimeoutMs,
    });
    const sources = wave.map(({ source: { task, rawKey }, bytes: size }) => ({
      ...{ id: task.source.id, rawKey, bytes: size },
    }));
    try {
      const { failed } = await convertBatch({ dataset, ingestDate, revision, runId, sources });
      return new Map(failed.map((error) => [error.source ?? '', error]));
    } catch (failure) {
      if (isCancellation(failure)) throw failure;
      return new Map(sources.map(({ id }) => [id, toRunError(failure, id)]));
    }
  }

  async #verify(source: PreparedSource, options: SequenceOptions): Promise<void> {
    const { onDone, onFail, runId } = this.#options;
    const { id } = source.task.source;
    // Several find the same slot free.
    while (this.#verifying >= MAX_VERIFYING) {
      await condition(() => this.#verifying < MAX_VERIFYING);
    }
    this.#verifying += 1;
    try {
      onDone(await verify(source, stagedSparkPrefix(runId, id), options));
    } catch (failure) {
      if (isCancellation(failure)) throw failure;
      onFail(id, toRunError(failure, id));
    } finally {
      this.#verifying -= 1;
    }
  }
}
