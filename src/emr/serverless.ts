import {
  CancelJobRunCommand,
  EMRServerlessClient,
  GetApplicationCommand,
  GetJobRunCommand,
  StartJobRunCommand,
  type $Command,
  type EMRServerlessClientResolvedConfig,
  type JobRunState,
  type ServiceInputTypes,
  type ServiceOutputTypes,
} from '@aws-sdk/client-emr-serverless';
import { LonghaulError, type ErrorCode } from '../model/errors.ts';
import { printable } from '../model/names.ts';
import { clientSettings, withRetries } from './api.ts';
import type { Watch } from '../conversion/engine.ts';
import type { FailedSource } from '../conversion/spark/job.ts';
import {
  idsWithResult,
  putBatch,
  putScript,
  stageParts,
  takeResults,
  type RemoteBatch,
} from '../conversion/spark/remote-batch.ts';
import { pollUntil } from './poll.ts';
import { isLostNodes, DATASET_TAG, DATE_TAG, RUN_TAG } from '../model/emr.ts';
import { BatchAttempts } from '../model/batch-attempts.ts';
import { sourcePrefix, sparkBatchPrefix } from '../model/layout.ts';
import type { BatchInput, BatchSource } from '../model/run.ts';
import { logFolder, serverlessSettings, type EmrDeps, type ServerlessSettings } from './plan.ts';
import { LAST_LOG_WAIT_MS, LOG_WAIT_MS, readCause, resultErrors } from './outcome.ts';

/** A job run as EMR Serverless described it at one moment. */
export interface JobRun {
  state: JobRunState;
  /** EMR's message; '' if it has none. */
  details: string;
}

let shared: EMRServerlessClient | undefined;

async function ask<I extends ServiceInputTypes, O extends ServiceOutputTypes>(
  command: $Command<I, O, EMRServerlessClientResolvedConfig>,
  signal?: AbortSignal,
): Promise<O> {
  shared ??= new EMRServerlessClient(clientSettings());
  const client = shared;
  return await withRetries(
    'emr-serverless',
    client,
    command,
    async (options) => await client.send<I, O>(command, options),
    { signal },
  );
}

/** Text for the user: kind, release and state. */
export async function describeApplication(
  applicationId: string,
  signal: AbortSignal,
): Promise<string> {
  const { application } = await ask(new GetApplicationCommand({ applicationId }), signal);
  const { state = '?', releaseLabel = '?', type = '?' } = application ?? {};
  return printable(`${type} of ${releaseLabel}, ${state}`);
}

export interface ServerlessWatch extends Watch {
  /** Asked once the signal has aborted: true if no later attempt goes on with the job run. */
  isUnwanted: () => boolean;
}

/** EMR Serverless accepts no shorter limit. */
const MIN_LIMIT_MINUTES = 5;

/**
 * Converts staged sources to Parquet in S3 by one job run of EMR Serverless. If a session dies, another job run follows
 * while each gets further. A later attempt finds the same job runs by their tokens. If the run is cancelled, so is its
 * job run.
 * @throws LonghaulError EMR_…; the signal's reason.
 */
export async function convertServerless(
  deps: EmrDeps,
  input: BatchInput,
  watch: ServerlessWatch,
): Promise<FailedSource[]> {
  const { dataset, ingestDate, revision, runId } = input;
  const day = { dataset, ingestDate, revision, runId };
  const batch = { ...day, name: 'serverless', attempt: '00000001' };
  const on: Conversion = { deps, settings: serverlessSettings(deps), input, watch, batch };
  const attempts = new BatchAttempts(input.sources.length);
  const failed: FailedSource[] = [];
  const ids = input.sources.map(({ id }) => id);
  let open = ids;
  for (let number = 1, death = ''; open.length > 0; number += 1) {
    const id = await start(on, open, number);
    const ended = await untilEnd(on, id);
    const errorOf = resultErrors({ death, isLast: attempts.isLast });
    const taken = await takeResults(deps, batch, open, errorOf, watch.signal);
    failed.push(...taken.failed);
    open = taken.open;
    if (open.length === 0) break;
    const { cause, error, isWorthRetry } = await explain(on, id, ended, LOG_WAIT_MS);
    const leftOver = { open: open.length, deadStarts: taken.deadStarts };
    // A job run that is over its limit, or that the operator cancelled, is not started again.
    if (ended.state === 'CANCELLED' || !attempts.mayGoOn(leftOver, isWorthRetry)) {
      const why = await last(on, id, ended, error);
      if (open.length === ids.length) throw why;
      // The job run ended some sources, so only the others fail.
      failed.push(...open.map((each) => ({ id: each, error: why })));
      break;
    }
    death = cause;
  }
  return [...failed, ...(await stageParts(deps, batch, ids, watch.signal))];
}

interface Conversion {
  deps: EmrDeps;
  settings: ServerlessSettings;
  input: BatchInput;
  watch: ServerlessWatch;
  batch: RemoteBatch;
}

/**
 * This request is safe to repeat: EMR Serverless answers the same token with the same job run, whatever its state.
 * @returns the id of the job run, which an earlier attempt may have started.
 */
async function start(on: Conversion, open: readonly string[], number: number): Promise<string> {
  const { deps, settings, batch } = on;
  const { dataset, ingestDate, runId } = batch;
  const { converted, emr } = deps;
  const script = await putScript(deps, runId);
  const job = await putBatch(deps, batch, open, (source) => ({
    output: converted.uri(sourcePrefix({ ...batch, source })),
    staging: converted.uri(`${sparkBatchPrefix(runId, 'serverless')}writing/${source}/`),
  }));
  const command = new StartJobRunCommand({
    applicationId: settings.applicationId,
    clientToken: `${runId}-${number}`,
    executionRoleArn: settings.jobRoleArn,
    name: `longhaul/${dataset}/${ingestDate}`,
    executionTimeoutMinutes: Math.max(MIN_LIMIT_MINUTES, Math.ceil(emr.stepLimitMs / 60_000)),
    jobDriver: {
      sparkSubmit: { entryPoint: script, entryPointArguments: ['--job', job] },
    },
    configurationOverrides: {
      monitoringConfiguration: { s3MonitoringConfiguration: { logUri: logFolder(deps) } },
    },
    tags: { [RUN_TAG]: runId, [DATASET_TAG]: dataset, [DATE_TAG]: ingestDate },
  });
  const { jobRunId } = await ask(command, on.watch.signal);
  if (jobRunId !== undefined) return jobRunId;
  throw new LonghaulError(
    'EMR_UNAVAILABLE',
    'EMR Serverless took a job, and its answer has no id.',
  );
}

const ENDED: ReadonlySet<JobRunState> = new Set(['SUCCESS', 'FAILED', 'CANCELLED']);

async function untilEnd(on: Conversion, jobRunId: string): Promise<JobRun> {
  const { signal, onNote, isUnwanted } = on.watch;
  const { applicationId } = on.settings;
  const look = async (): Promise<JobRun> => {
    const { jobRun } = await ask(new GetJobRunCommand({ applicationId, jobRunId }), signal);
    const { state = 'SUBMITTED', stateDetails = '' } = jobRun ?? {};
    await report(on);
    if (state !== 'RUNNING') onNote(`EMR Serverless job run ${jobRunId}: ${state}`);
    return { state, details: printable(stateDetails) };
  };
  try {
    const { retryForMs } = on.deps;
    return await pollUntil({ signal, retryForMs }, look, ({ state }) => ENDED.has(state));
  } catch (error) {
    // If the worker stops, the next worker needs the job run. If the run is cancelled or has ended, no worker needs it.
    if (signal.aborted && isUnwanted()) {
      await ask(new CancelJobRunCommand({ applicationId, jobRunId }));
    }
    throw error;
  }
}

/** Reports how many of all sources have a result. */
async function report({ deps, batch, input: { sources }, watch }: Conversion): Promise<void> {
  const ids = sources.map(({ id }) => id);
  const done = new Set(await idsWithResult(deps, batch, ids));
  const ended = sources.filter(({ id }) => done.has(id));
  watch.onProgress({
    bytes: sumOf(ended),
    totalBytes: sumOf(sources),
    sources: { done: ended.length, total: sources.length },
  });
}

async function explain(
  { deps, settings }: Conversion,
  id: string,
  { state, details }: JobRun,
  waitMs: number,
) {
  // EMR Serverless puts the driver's log there.
  const uri = `${logFolder(deps)}applications/${settings.applicationId}/jobs/${id}/SPARK_DRIVER/stderr.gz`;
  const { cause, lines, text } = await readCause(deps, uri, details, waitMs);
  const code = codeOf({ state, details });
  const what = code === 'EMR_STEP_FAILED' ? `failed; ${text}` : `is ${state}: ${details}.`;
  const message = `The job run ${id} of EMR Serverless ${what}`;
  const error = new LonghaulError(code, message, { log: { uri, lines } });
  return { cause, error, isWorthRetry: isLostNodes([details, ...lines].join('\n')) };
}

/** If the log did not exist yet, the worker waits for it and reads it once more. */
async function last(
  on: Conversion,
  id: string,
  ended: JobRun,
  error: LonghaulError,
): Promise<LonghaulError> {
  const isTold = error.code !== 'EMR_STEP_FAILED' || (error.details.log?.lines ?? []).length > 0;
  return isTold ? error : (await explain(on, id, ended, LAST_LOG_WAIT_MS)).error;
}

function codeOf({ state, details }: JobRun): ErrorCode {
  if (state !== 'CANCELLED' && state !== 'CANCELLING') return 'EMR_STEP_FAILED';
  return /time(?:d)?[ -]?out/i.test(details) ? 'EMR_STEP_TIMED_OUT' : 'EMR_STEP_CANCELLED';
}

function sumOf(sources: readonly BatchSource[]): number {
  return sources.reduce((sum, { bytes }) => sum + bytes, 0);
}
