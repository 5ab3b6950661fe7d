import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { S3Settings, SparkSettings } from '../../config/settings.ts';
import { BatchAttempts } from '../../model/batch-attempts.ts';
import { LonghaulError } from '../../model/errors.ts';
import {
  partPrefix,
  sourcePrefix,
  sparkBatchPrefix,
  sparkJobKey,
  sparkShardsPrefix,
  stagedSparkPrefix,
} from '../../model/layout.ts';
import type { BatchInput, BatchSource } from '../../model/run.ts';
import { locateHadoopJars } from '../../programs/hadoop.ts';
import { submitSpark, type SparkEnd, type SparkCommand } from '../../programs/spark-submit.ts';
import { keepingReserve } from '../../storage/free-space.ts';
import { newAttempt, stagedPartsKey } from '../../storage/staged.ts';
import { hadoopUri, type Lake, type Store } from '../../storage/store.ts';
import { openTemporaryFolder } from '../../storage/temporary-folder.ts';
import { keepPrivate, writtenFolder } from '../convert-source.ts';
import type { Watch } from '../engine.ts';
import { openScratch } from '../parts.ts';
import { SMALL_REQUESTS, together } from '../together.ts';
import { deathError, memoryError, sparkError } from './errors.ts';
import {
  SESSION_DIED,
  type FailedSource,
  type SparkBatch,
  type SparkError,
  type SparkPart,
  type SparkResult,
} from './job.ts';
import { putParts } from './remote-batch.ts';

const SCRIPT = fileURLToPath(new URL('convert.py', import.meta.url));

/** Wait between two looks for results on this machine's disk. */
const LOOK_INTERVAL_MS = 200;
/** Sources whose parts are moved at once. For a lake in S3 a move is an upload. */
const MOVES = 4;

type Deps = Lake & { spark: SparkSettings };

export type SubmitSpark = (command: SparkCommand) => Promise<SparkEnd>;

/**
 * Converts staged sources to Parquet by one `spark-submit`. If the session dies, another one follows as long as each
 * gets further. When Spark has made a source's parts, they move to their keys, which frees disk for the others. Parts
 * of an earlier attempt stay. If a source fails, the others go on.
 * @param submit tests of many small batches replace it, because a JVM for each would be slow.
 * @throws the signal's reason when it aborts. Errors of sources are returned.
 */
export async function convertBatch(
  deps: Deps,
  input: BatchInput,
  watch: Watch,
  submit: SubmitSpark = submitSpark,
): Promise<FailedSource[]> {
  const attempt = newAttempt();
  const scratchPrefix = sparkBatchPrefix(input.runId, `attempt=${attempt}`);
  const own = await openTemporaryFolder();
  const written = await openScratch(deps.converted.location(scratchPrefix));
  try {
    await mkdir(join(own.folder, RESULTS));
    for (const { rawKey } of input.sources) await keepPrivate(deps, rawKey, scratchPrefix);
    const options = { deps, input, watch, submit, attempt, folder: own.folder };
    return await new BatchConversion({ ...options, outputFolder: written.folder }).convert();
  } finally {
    await own.close();
    await written.close();
    await deps.converted.deletePrefix(scratchPrefix).catch(() => undefined);
  }
}

interface Options {
  deps: Deps;
  input: BatchInput;
  watch: Watch;
  submit: SubmitSpark;
  attempt: string;
  /** Spark's folder on this machine, with its job and its results. */
  folder: string;
  /** Folder for Parquet until it is moved. If the lake is on a disk, the folder is on the same disk. */
  outputFolder: string;
}

class BatchConversion {
  readonly #options: Options;
  /** Sources that have neither parts nor an error yet. */
  readonly #open = new Map<string, BatchSource>();
  readonly #failed: FailedSource[] = [];
  /** Errors of open sources, as reported by the running session. */
  readonly #errors = new Map<string, SparkError>();
  readonly #starts: string;
  /** Error of the last session that died. Sources that are given up because of it get this error. */
  #death: LonghaulError | undefined;
  /** Set if S3 refused the session's credentials. */
  #expired: LonghaulError | undefined;

  constructor(options: Options) {
    this.#options = options;
    this.#starts = sparkBatchPrefix(options.input.runId, 'starts');
  }

  async convert(): Promise<FailedSource[]> {
    const { deps, input, watch } = this.#options;
    const { signal: stop } = watch;
    const sizes = await together(
      input.sources,
      { signal: stop, concurrency: SMALL_REQUESTS },
      async (each) => deps.converted.size(stagedPartsKey(stagedSparkPrefix(input.runId, each.id))),
    );
    for (const [index, source] of input.sources.entries()) {
      if (sizes[index] === undefined) this.#open.set(source.id, source);
    }
    const before = await this.#deadStarts();
    try {
      await keepingReserve(writtenFolder(deps.converted), stop, async (signal) =>
        this.#untilNoneIsOpen(signal),
      );
    } catch (error) {
      if (stop.aborted) {
        // If the operator stops a worker, the sources in work are not at fault.
        for (const key of await this.#deadStarts()) {
          if (!before.includes(key)) await deps.converted.delete(key);
        }
        stop.throwIfAborted();
      }
      if (!(error instanceof LonghaulError)) throw error;
      for (const id of this.#open.keys()) this.#fail(id, error);
    }
    return this.#failed;
  }

  async #untilNoneIsOpen(signal: AbortSignal): Promise<void> {
    const attempts = new BatchAttempts(this.#open.size, (await this.#deadStarts()).length);
    let isRenewed = false;
    while (this.#open.size > 0) {
      const openBefore = this.#open.size;
      this.#expired = undefined;
      const end = await this.#session(signal);
      const open = this.#open.size;
      if (open === 0) return;
      const cause = this.#expired ?? deathError(end, this.#bucket);
      const isExpired = cause.code === 'STORE_CREDENTIALS';
      // The next session loads new credentials. If no source gets further with them, the worker does not try again.
      const isWorthRetry = isExpired && (!isRenewed || open < openBefore);
      const deadStarts = (await this.#deadStarts()).length;
      if (!attempts.mayGoOn({ open, deadStarts }, isWorthRetry)) throw cause;
      isRenewed = isExpired;
      if (!isExpired) this.#death = cause;
    }
  }

  /** Runs one Spark session from its start to its end. */
  async #session(signal: AbortSignal): Promise<SparkEnd> {
    const stop = new AbortController();
    const ended = this.#submit(AbortSignal.any([signal, stop.signal]));
    const over = ended.then(
      () => true,
      () => true,
    );
    try {
      do await this.#takeResults(signal);
      while (!(await Promise.race([over, sleep(LOOK_INTERVAL_MS, false, { ref: false })])));
      const end = await ended;
      await this.#takeResults(signal);
      await this.#takeErrors(memoryError(end) !== undefined);
      return end;
    } finally {
      stop.abort();
      await over;
    }
  }

  /** Submits the job with the current credentials. */
  async #submit(signal: AbortSignal): Promise<SparkEnd> {
    const { deps, input, watch, submit, folder } = this.#options;
    const { converted, spark } = deps;
    const { onNote } = watch;
    const total = sumOf(input.sources);
    const before = total - sumOf([...this.#open.values()]);
    const path = join(folder, 'batch.json');
    await writeFile(path, JSON.stringify(this.#batch()));
    const s3 = converted.s3?.settings;
    return await submit({
      ...spark,
      ...(s3 ? await access(s3, { given: spark.hadoopJars, signal, onNote }) : {}),
      script: SCRIPT,
      args: ['--job', `file://${path}`],
      scratchFolder: folder,
      ...{ signal, onNote },
      onLine: (line) => {
        // Spark and Java may print other lines.
        const read = /^\{"bytes": ?(\d+)\}$/.exec(line)?.[1];
        if (read === undefined) return;
        const done = input.sources.length - this.#open.size;
        const sources = { done, total: input.sources.length };
        watch.onProgress({ bytes: before + Number(read), totalBytes: total, sources });
      },
    });
  }

  #batch(): SparkBatch {
    const { deps, input, attempt, outputFolder } = this.#options;
    const converted = hadoopRoot(deps.converted);
    return {
      format: 'longhaul/spark-batch/1',
      raw: hadoopRoot(deps.raw),
      converted,
      starts: converted + this.#starts,
      sources: [...this.#open.keys()].map((id) => ({
        id,
        job: sparkJobKey(stagedSparkPrefix(input.runId, id)),
        output: `file://${join(outputFolder, id, OUTPUT)}/`,
        partPrefix: partPrefix(input.runId, attempt),
        staging: `file://${join(outputFolder, id, 'staging')}/`,
        result: `file://${this.#resultPath(id)}`,
      })),
      progress: true,
    };
  }

  /** Takes the results of open sources that exist now. */
  async #takeResults(signal: AbortSignal): Promise<void> {
    const names = await readdir(join(this.#options.folder, RESULTS));
    const sources = [...this.#open.values()].filter(
      ({ id }) => names.includes(`${id}.json`) && !this.#errors.has(id),
    );
    await together(sources, { signal, concurrency: MOVES }, async (source, _, stopped) => {
      const { id } = source;
      const result = JSON.parse(await readFile(this.#resultPath(id), 'utf8')) as SparkResult;
      if ('error' in result) this.#errors.set(id, result.error);
      else await this.#move(source, result.parts, stopped);
    });
  }

  /**
   * Takes the errors when the session has ended.
   * @param ranOutOfMemory if true, the errors say nothing about their sources.
   */
  async #takeErrors(ranOutOfMemory: boolean): Promise<void> {
    for (const [id, said] of this.#errors) {
      const error = this.#errorOf(said);
      const isExpired = error.code === 'STORE_CREDENTIALS';
      if (isExpired) this.#expired = error;
      // The source goes on in the next session, which may have enough memory or valid credentials.
      if (isExpired || ranOutOfMemory) await rm(this.#resultPath(id));
      else this.#fail(id, error);
    }
    this.#errors.clear();
  }

  #errorOf(said: SparkError): LonghaulError {
    if (said.kind !== SESSION_DIED) return sparkError(said, this.#bucket);
    return this.#death ?? new LonghaulError('ENGINE_FAILED', said.message);
  }

  /** Moves parts to their keys in the lake. Verification finds them there as for any other engine. */
  async #move(
    { id, rawKey }: BatchSource,
    parts: readonly SparkPart[],
    signal: AbortSignal,
  ): Promise<void> {
    const { deps, input, attempt, outputFolder } = this.#options;
    const { converted } = deps;
    const target = sourcePrefix({ ...input, source: id });
    try {
      await keepPrivate(deps, rawKey, target);
      for (const { name } of parts) {
        await converted.putFile(target + name, join(outputFolder, id, OUTPUT, name), signal);
      }
      await keepPrivate(deps, rawKey, target);
      await putParts(converted, input, id, parts, signal);
    } catch (error) {
      const own = target + partPrefix(input.runId, attempt);
      await converted.deletePrefix(own).catch(() => undefined);
      if (signal.aborted || !(error instanceof LonghaulError)) throw error;
      return this.#fail(id, error);
    }
    this.#open.delete(id);
    await converted.deletePrefix(sparkShardsPrefix(stagedSparkPrefix(input.runId, id)));
  }

  #fail(id: string, error: LonghaulError): void {
    this.#open.delete(id);
    this.#failed.push({ id, error });
  }

  /** Keys of starts without a result. Each is a source that was in work when a session died. */
  async #deadStarts(): Promise<string[]> {
    const keys: string[] = [];
    for await (const { key } of this.#options.deps.converted.list(this.#starts)) keys.push(key);
    return keys;
  }

  #resultPath(id: string): string {
    return join(this.#options.folder, RESULTS, `${id}.json`);
  }

  get #bucket(): string | undefined {
    return this.#options.deps.converted.s3?.bucket;
  }
}

const RESULTS = 'results';
const OUTPUT = 'output';

function sumOf(sources: readonly BatchSource[]): number {
  return sources.reduce((sum, { bytes }) => sum + bytes, 0);
}

function hadoopRoot(zone: Store): string {
  return `${hadoopUri(zone, '').replace(/\/$/, '')}/`;
}

async function access(
  s3: S3Settings,
  options: Parameters<typeof locateHadoopJars>[0],
): Promise<Pick<SparkCommand, 'conf' | 'env'>> {
  // This loads the AWS SDK. A conversion on disk does not need it.
  const { s3aAccess } = await import('../../storage/s3/engine-access.ts');
  return await s3aAccess(s3, await locateHadoopJars(options));
}
