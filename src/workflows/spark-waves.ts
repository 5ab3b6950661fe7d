import { condition, executeChild, isCancellation, ParentClosePolicy } from '@temporalio/workflow';
import { emrWorkflowId, type EmrPlan } from '../model/emr.ts';
import { stagedSparkPrefix } from '../model/layout.ts';
import type {
  EmrInput,
  EmrResult,
  PreparedSource,
  RunDay,
  RunError,
  RunPlan,
  SourceResult,
  TaskQueues,
} from '../model/run.ts';
import { activities } from './activities.ts';
import { failRun, toRunError } from './failures.ts';
import { megabytes, stage, verify, verifyOnHdfs, type SequenceOptions } from './source-sequence.ts';

/** Longest wait of a job for sources that are almost staged. A separate start of Spark would take as long. */
const STAGING_WAIT = '10s';
/** Sources verified at once. They read footers and checksums on the queue of the short steps. */
const MAX_VERIFYING = 16;

export interface WaveOptions {
  day: RunDay;
  backfill: boolean | undefined;
  plan: Pick<RunPlan, 'emr' | 'engine' | 'heartbeatTimeoutMs' | 'stageBytes'>;
  /** True while no source has failed that the day needs. */
  isWhole: () => boolean;
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
 * Converts a run's sources by one Spark job after the other. Each job takes all sources that are staged when Spark is
 * free. Later sources go into the next job, so a slow publisher delays no other source. Other machines cost money while
 * they wait, so their one job starts when the last source is staged.
 */
export class SparkWaves {
  /** Engine `emr` only: the result of its cluster. */
  onEmr: EmrResult | undefined;
  readonly #options: WaveOptions;
  readonly #limitBytes: number;
  /** Bytes of the copies on the disk: those staged, about to be staged, or in work. */
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
   * Stages a source once there is room for its copies. A source that is larger than all the room waits until it is
   * alone. A later job converts the source; this call does not wait for that.
   * @throws the error of staging.
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
    if (this.#options.plan.engine === 'spark') this.#start();
  }

  #start(): void {
    this.#wave ??= this.#run();
    // `finish` reports the failure.
    this.#wave.catch(() => undefined);
  }

  /** Sources get room in turn. Otherwise several would take the same room, and a large source would wait for ever. */
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

  /** Waits until every added source has ended. @throws if the run is cancelled. */
  async finish(): Promise<void> {
    if (this.#staged.length > 0) this.#start();
    const waved = await Promise.allSettled([this.#wave]);
    const verified = await Promise.allSettled(this.#verifications);
    const broken = [...waved, ...verified].find((each) => each.status === 'rejected');
    if (broken) throw broken.reason;
  }

  async #run(): Promise<void> {
    while (this.#staged.length > 0) {
      // The job also waits for sources that are almost staged.
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

  /** @returns the sources that failed. */
  async #convert(wave: readonly Staged[]): Promise<Map<string, RunError>> {
    const { day, backfill, plan } = this.#options;
    if (plan.emr) return byId((await this.#convertOnEmr(wave, plan.emr)).failed);
    const { convertBatch } = activities('BATCH', {
      summary: `${sizeText(wave)} → Parquet by one job of Spark`,
      queue: this.#queue(),
      backfill,
      heartbeatTimeoutMs: plan.heartbeatTimeoutMs,
    });
    const sources = wave.map(({ source: { task, rawKey }, bytes: size }) => ({
      ...{ id: task.source.id, rawKey, bytes: size },
    }));
    try {
      const engine = plan.engine === 'spark' ? 'spark' : 'emr-serverless';
      return byId((await convertBatch({ ...day, engine, sources })).failed);
    } catch (failure) {
      if (isCancellation(failure)) throw failure;
      return new Map(sources.map(({ id }) => [id, toRunError(failure, id)]));
    }
  }

  /** Other machines convert without using this one's slots. */
  #queue(): keyof TaskQueues {
    const { backfill, plan } = this.#options;
    if (plan.engine !== 'spark') return 'control';
    return backfill ? 'backfill' : 'convert';
  }

  /** @throws the fault of the cluster as the run's error, once each source has got it. */
  async #convertOnEmr(wave: readonly Staged[], emr: EmrPlan): Promise<EmrResult> {
    const { day, plan, isWhole, onFail } = this.#options;
    const sources = wave.map(({ source: { task, rawKey } }) => ({ source: task.source, rawKey }));
    try {
      this.onEmr = await executeChild<(input: EmrInput) => Promise<EmrResult>>('convertOnEmr', {
        workflowId: emrWorkflowId(day),
        args: [
          {
            ...{ ...day, plan: emr, heartbeatTimeoutMs: plan.heartbeatTimeoutMs },
            ...{ sources, isWhole: isWhole() },
          },
        ],
        // If the run is terminated, Temporal cancels the child, and the child ends the cluster.
        parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
        staticSummary: `${sizeText(wave)} → Parquet by one job on one EMR cluster`,
      });
      return this.onEmr;
    } catch (failure) {
      if (isCancellation(failure)) throw failure;
      const error = toRunError(failure);
      for (const { source } of sources) onFail(source.id, error);
      return failRun(error);
    }
  }

  async #verify(source: PreparedSource, options: SequenceOptions): Promise<void> {
    const { onDone, onFail, day } = this.#options;
    const { id } = source.task.source;
    // Several may find the same slot free, so each checks again.
    while (this.#verifying >= MAX_VERIFYING) {
      await condition(() => this.#verifying < MAX_VERIFYING);
    }
    this.#verifying += 1;
    try {
      const isOnHdfs = this.#options.plan.emr?.output === 'hdfs';
      onDone(
        isOnHdfs
          ? await verifyOnHdfs(source, options)
          : await verify(source, stagedSparkPrefix(day.runId, id), options),
      );
    } catch (failure) {
      if (isCancellation(failure)) throw failure;
      onFail(id, toRunError(failure, id));
    } finally {
      this.#verifying -= 1;
    }
  }
}

function byId(failed: readonly RunError[]): Map<string, RunError> {
  return new Map(failed.map((error) => [error.source ?? '', error]));
}

function sizeText(wave: readonly Staged[]): string {
  return `${wave.length} sources, ${megabytes(wave.reduce((sum, { bytes }) => sum + bytes, 0))}`;
}
