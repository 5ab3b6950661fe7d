import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { JobRunState, StartJobRunRequest } from '@aws-sdk/client-emr-serverless';
import { takePlainFault, type ActionFaults } from '../emr/faults.ts';
import { FOR_EVER_MS } from '../emr/model.ts';
import type { StepEnd } from '../emr/runtime.ts';

/** As those of the local EMR, each this often. */
export interface ServerlessFaults extends ActionFaults {
  /** Job runs that start and never end by themselves. */
  hang?: number;
  /** Job runs that do the same, and are at their time limit as soon as they run. */
  timeLimit?: number;
}

/** What job runs run on: this machine, or in tests of the protocol something quicker. */
export interface JobRuntime {
  start(run: JobRun, isHanging: boolean): Promise<RunningJob>;
}

export interface RunningJob {
  /** Never rejects. */
  ended: Promise<StepEnd>;
  cancel(): void;
  /** After its end: brings its logs to where they belong, and leaves nothing on this machine. Never rejects. */
  close(): Promise<void>;
}

export interface JobRun {
  readonly id: string;
  readonly request: StartJobRunRequest;
  readonly createdMs: number;
  updatedMs: number;
  startedMs?: number;
  endedMs?: number;
  state: JobRunState;
  details: string;
  /** Aborted when it is to be cancelled. */
  readonly abort: AbortController;
}

export interface ServerlessDelays {
  /** Of each state before RUNNING; on AWS seconds to minutes. */
  stateMs: number;
  /** From a job run's end to its logs in S3. */
  logsMs: number;
}

export interface ServerlessContext {
  runtime: JobRuntime;
  delays: ServerlessDelays;
  faults: () => ServerlessFaults;
}

const ENDED: ReadonlySet<JobRunState> = new Set(['SUCCESS', 'FAILED', 'CANCELLED']);
/** Of a request that names no limit. */
const DEFAULT_LIMIT_MINUTES = 720;

/** All job runs of a server. They are kept until it ends. */
export class JobRuns {
  readonly #context: ServerlessContext;
  readonly #runs: JobRun[] = [];
  readonly #lives: Promise<void>[] = [];
  readonly #stopping = new AbortController();

  constructor(context: ServerlessContext) {
    this.#context = context;
  }

  /** The same token is the same job run, whatever became of it. */
  start(request: StartJobRunRequest): JobRun {
    const known = this.#runs.find((run) => run.request.clientToken === request.clientToken);
    if (known) return known;
    const now = Date.now();
    const run: JobRun = {
      id: `00${randomBytes(7).toString('hex')}`,
      request,
      createdMs: now,
      updatedMs: now,
      state: 'SUBMITTED',
      details: 'SUBMITTED',
      abort: new AbortController(),
    };
    this.#runs.unshift(run);
    this.#lives.push(this.#live(run));
    return run;
  }

  find(id: string): JobRun | undefined {
    return this.#runs.find((run) => run.id === id);
  }

  newestFirst(): readonly JobRun[] {
    return this.#runs;
  }

  /** @returns whether it could be asked: it has not ended. */
  cancel(run: JobRun, why: string): boolean {
    if (ENDED.has(run.state)) return false;
    move(run, 'CANCELLING', why);
    run.abort.abort();
    return true;
  }

  /** Cancels those that run, and ends when nothing of any is left. */
  async stop(): Promise<void> {
    for (const run of this.#runs) this.cancel(run, 'The local EMR Serverless ends.');
    this.#stopping.abort();
    await Promise.all(this.#lives);
  }

  /** From SUBMITTED to its end, whatever its runtime does. Never rejects. */
  async #live(run: JobRun): Promise<void> {
    const { runtime, delays, faults } = this.#context;
    const { signal } = run.abort;
    let job: RunningJob | undefined;
    let limit: NodeJS.Timeout | undefined;
    let end: StepEnd = { isCompleted: false };
    try {
      for (const state of ['PENDING', 'SCHEDULED', 'RUNNING'] as const) {
        await delay(delays.stateMs, undefined, { signal });
        move(run, state);
      }
      run.startedMs = run.updatedMs;
      const isAtLimit = takePlainFault(faults(), 'timeLimit');
      job = await runtime.start(run, isAtLimit || takePlainFault(faults(), 'hang'));
      const cancel = job.cancel.bind(job);
      signal.addEventListener('abort', cancel);
      if (signal.aborted) cancel();
      const overTime = (): boolean => this.cancel(run, 'Job run timed out');
      limit = setTimeout(overTime, isAtLimit ? 0 : limitMs(run.request));
      end = await job.ended;
    } catch (error) {
      end = { isCompleted: false, message: error instanceof Error ? error.message : String(error) };
    }
    clearTimeout(limit);
    settle(run, end);
    await delay(delays.logsMs, undefined, { signal: this.#stopping.signal }).catch(() => undefined);
    await job?.close();
  }
}

/** None where it is 0. */
function limitMs({ executionTimeoutMinutes: minutes }: StartJobRunRequest): number {
  const ms = (minutes ?? DEFAULT_LIMIT_MINUTES) * 60_000;
  return ms === 0 ? FOR_EVER_MS : Math.min(ms, FOR_EVER_MS);
}

function settle(run: JobRun, end: StepEnd): void {
  if (run.abort.signal.aborted) move(run, 'CANCELLED', run.details);
  else if (end.isCompleted) move(run, 'SUCCESS');
  else move(run, 'FAILED', failureOf(end.message ?? ''));
  run.endedMs = run.updatedMs;
}

function failureOf(cause: string): string {
  const text = `${FAILED_WORDS} Last few exceptions: ${cause}...`;
  return text.slice(0, MAX_DETAILS_LENGTH);
}

const FAILED_WORDS =
  'Job execution failed, please check complete logs in configured logging destination. ExitCode: 1.';
/** Of the API's model. */
const MAX_DETAILS_LENGTH = 256;

/** Without more to say, the details are the state. */
function move(run: JobRun, state: JobRunState, details: string = state): void {
  run.state = state;
  run.details = details;
  run.updatedMs = Date.now();
}
