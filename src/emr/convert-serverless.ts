import type { FailedSource } from '../conversion/spark/convert-batch.ts';
import {
  idsWithResult,
  putBatch,
  putScript,
  stageParts,
  takeResults,
  type RemoteBatch,
} from '../conversion/spark/remote-batch.ts';
import { pollUntil } from './poll.ts';
import { driverLogUri, hasJobEnded, ServerlessApi, type JobRun } from './serverless.ts';
import { isLostNodes, DATASET_TAG, DATE_TAG, RUN_TAG } from '../model/emr.ts';
import { BatchAttempts } from '../model/batch-attempts.ts';
import { LonghaulError, type ErrorCode } from '../model/errors.ts';
import { sourcePrefix, sparkBatchPrefix } from '../model/layout.ts';
import type { BatchInput, BatchSource } from '../model/run.ts';
import type { EmrDeps } from './plan.ts';
import { LAST_LOG_WAIT_MS, LOG_WAIT_MS, readCause } from './explain-step.ts';
import { serverlessSettings, type ServerlessSettings } from './plan.ts';
import { resultErrors } from './results.ts';

export interface ServerlessWatch {
  signal: AbortSignal;
  onProgress: (progress: {
    bytes: number;
    totalBytes: number;
    sources: { done: number; total: number };
  }) => void;
  onNote: (note: string) => void;
  /** Once the signal has aborted: no later attempt goes on with the job run. */
  isUnwanted: () => boolean;
}

/** EMR Serverless takes no shorter limit. */
const MIN_LIMIT_MINUTES = 5;

/**
 * Staged sources to Parquet in S3 by one job run of EMR Serverless, and by further ones as long as a session dies and
 * another gets further. An attempt after this one finds the same job runs, by their tokens.
 * @throws LonghaulError EMR_…; the signal's reason. Where the run is cancelled, its job run is too.
 */
export async function convertServerless(
  deps: EmrDeps,
  input: BatchInput,
  watch: ServerlessWatch,
): Promise<FailedSource[]> {
  const settings = serverlessSettings(deps);
  const api = new ServerlessApi();
  try {
    return await new ServerlessConversion(deps, settings, input, watch, api).convert();
  } finally {
    api.close();
  }
}

class ServerlessConversion {
  readonly #deps: EmrDeps;
  readonly #settings: ServerlessSettings;
  readonly #input: BatchInput;
  readonly #watch: ServerlessWatch;
  readonly #api: ServerlessApi;
  readonly #batch: RemoteBatch;

  constructor(
    deps: EmrDeps,
    settings: ServerlessSettings,
    input: BatchInput,
    watch: ServerlessWatch,
    api: ServerlessApi,
  ) {
    this.#deps = deps;
    this.#settings = settings;
    this.#input = input;
    this.#watch = watch;
    this.#api = api;
    const { dataset, ingestDate, revision, runId } = input;
    this.#batch = { dataset, ingestDate, revision, runId, name: 'serverless', attempt: '00000001' };
  }

  async convert(): Promise<FailedSource[]> {
    const { signal } = this.#watch;
    const attempts = new BatchAttempts(this.#input.sources.length);
    const failed: FailedSource[] = [];
    let open = this.#input.sources.map(({ id }) => id);
    for (let number = 1, death = ''; open.length > 0; number += 1) {
      const id = await this.#start(open, number);
      const ended = await this.#untilEnd(id);
      const errorOf = resultErrors({ death, isLast: attempts.isLast });
      const taken = await takeResults(this.#deps, this.#batch, open, errorOf, signal);
      failed.push(...taken.failed);
      open = taken.open;
      if (open.length === 0) break;
      const { cause, error, isWorthRetry } = await this.#explain(id, ended, LOG_WAIT_MS);
      const mayGoOn =
        attempts.mayGoOn({ open: open.length, deadStarts: taken.deadStarts }, isWorthRetry) &&
        ended.state !== 'CANCELLED';
      if (!mayGoOn) throw await this.#last(id, ended, error);
      death = cause;
    }
    const ids = this.#input.sources.map(({ id }) => id);
    return [...failed, ...(await stageParts(this.#deps, this.#batch, ids, signal))];
  }

  /** @returns the id of the job run, also of one that an attempt before this one started. */
  async #start(open: readonly string[], number: number): Promise<string> {
    const { converted, emr } = this.#deps;
    const { applicationId, jobRoleArn } = this.#settings;
    const { dataset, ingestDate, runId } = this.#input;
    const script = await putScript(this.#deps, runId, 'convert.py');
    const job = await putBatch(this.#deps, this.#batch, open, (source) => ({
      output: converted.uri(sourcePrefix({ ...this.#batch, source })),
      staging: converted.uri(`${sparkBatchPrefix(runId, 'serverless')}writing/${source}/`),
    }));
    const request = {
      applicationId,
      clientToken: `${runId}-${number}`,
      executionRoleArn: jobRoleArn,
      name: `longhaul/${dataset}/${ingestDate}`,
      executionTimeoutMinutes: Math.max(MIN_LIMIT_MINUTES, Math.ceil(emr.stepLimitMs / 60_000)),
      jobDriver: {
        sparkSubmit: { entryPoint: script, entryPointArguments: ['--job', job] },
      },
      configurationOverrides: {
        monitoringConfiguration: { s3MonitoringConfiguration: { logUri: this.#logUri } },
      },
      tags: { [RUN_TAG]: runId, [DATASET_TAG]: dataset, [DATE_TAG]: ingestDate },
    };
    return await this.#api.start(request, this.#watch.signal);
  }

  async #untilEnd(id: string): Promise<JobRun> {
    const { signal, onNote } = this.#watch;
    const { retryForMs } = this.#deps;
    const { applicationId } = this.#settings;
    try {
      return await pollUntil(
        { signal, retryForMs },
        async () => {
          const run = await this.#api.get(applicationId, id, signal);
          await this.#report();
          if (run.state !== 'RUNNING') onNote(`EMR Serverless job run ${id}: ${run.state}`);
          return run;
        },
        hasJobEnded,
      );
    } catch (error) {
      // A worker that stops leaves it to the next one; a run that is cancelled, or gone, needs it no more.
      if (signal.aborted && this.#watch.isUnwanted()) await this.#api.cancel(applicationId, id);
      throw error;
    }
  }

  /** Sources with an end, of all. */
  async #report(): Promise<void> {
    const { sources } = this.#input;
    const ids = sources.map(({ id }) => id);
    const done = new Set(await idsWithResult(this.#deps, this.#batch, ids));
    const ended = sources.filter(({ id }) => done.has(id));
    this.#watch.onProgress({
      bytes: sumOf(ended),
      totalBytes: sumOf(sources),
      sources: { done: ended.length, total: sources.length },
    });
  }

  async #explain(id: string, { state, details }: JobRun, waitMs: number) {
    const { applicationId } = this.#settings;
    const uri = driverLogUri(this.#logUri, applicationId, id);
    const { cause, lines, text } = await readCause(this.#deps, uri, details, waitMs);
    const code = codeOf({ state, details });
    const what = code === 'EMR_STEP_FAILED' ? `failed; ${text}` : `is ${state}: ${details}.`;
    const message = `The job run ${id} of EMR Serverless ${what}`;
    const error = new LonghaulError(code, message, { log: { uri, lines } });
    return { cause, error, isWorthRetry: isLostNodes([details, ...lines].join('\n')) };
  }

  /** Once more where the log was not there yet. */
  async #last(id: string, ended: JobRun, error: LonghaulError): Promise<LonghaulError> {
    const isTold = error.code !== 'EMR_STEP_FAILED' || (error.details.log?.lines ?? []).length > 0;
    return isTold ? error : (await this.#explain(id, ended, LAST_LOG_WAIT_MS)).error;
  }

  get #logUri(): string {
    return this.#deps.emr.logUri ?? this.#deps.converted.uri('_emr-logs/');
  }
}

function codeOf({ state, details }: JobRun): ErrorCode {
  if (state !== 'CANCELLED' && state !== 'CANCELLING') return 'EMR_STEP_FAILED';
  return /time(?:d)?[ -]?out/i.test(details) ? 'EMR_STEP_TIMED_OUT' : 'EMR_STEP_CANCELLED';
}

function sumOf(sources: readonly BatchSource[]): number {
  return sources.reduce((sum, { bytes }) => sum + bytes, 0);
}
