import type {
  JobRun as JobRunDescription,
  JobRunState,
  StartJobRunRequest,
} from '@aws-sdk/client-emr-serverless';
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import {
  ApiError,
  notImplemented,
  serveApi,
  validation,
  type Action,
  type Call,
  type Identity,
} from '../aws-api.ts';
import { FOR_EVER_MS, type ProgramEnd, type RunningProgram } from '../emr/cluster.ts';
import { takeFault, type ServerlessFaults } from '../faults.ts';

export interface ServerlessOptions {
  identity: Identity;
  runtime: JobRuntime;
  /** Default: some tens of milliseconds for each state. */
  delays?: ServerlessDelays;
  faults?: ServerlessFaults;
}

/** Runs job runs on this machine. Tests of the protocol have a quicker one. */
export interface JobRuntime {
  start(run: JobRun, isHanging: boolean): Promise<RunningProgram>;
  /** Saves the logs of a job run that has ended, and removes its files from this machine. Never rejects. */
  close(run: JobRun): Promise<void>;
}

export interface ServerlessDelays {
  /** Length of each state before RUNNING. On AWS it is seconds to minutes. */
  stateMs: number;
  /** Time from a job run's end to its logs in S3. */
  logsMs: number;
}

export interface JobRun {
  readonly id: string;
  readonly request: StartJobRunRequest;
  readonly created: Date;
  updated: Date;
  started?: Date;
  ended?: Date;
  state: JobRunState;
  details: string;
  /** Aborted when the job run must be cancelled. */
  readonly abort: AbortController;
}

export interface ServerlessServer {
  /** `http://127.0.0.1:<port>`. */
  endpoint: string;
  /** Id of the one application, which is started. */
  applicationId: string;
  /** Value for `executionRoleArn`. Of any other role, the server checks only the form. */
  roleArn: string;
  /** Faults that are left. They may be replaced or changed in place at any time. */
  faults: ServerlessFaults;
  /** All job runs of this server, newest first. */
  jobRuns(): readonly JobRun[];
  /** Cancels every job run. Resolves when all job runs and the server have ended. */
  stop(): Promise<void>;
}

const DELAYS: ServerlessDelays = { stateMs: 20, logsMs: 300 };
const APPLICATION = '00flocal000spark';
const ROLE = 'arn:aws:iam::123456789012:role/EMRServerlessRole';

/** The EMR Serverless API on loopback, with one Spark application. */
export async function startServerlessServer(options: ServerlessOptions): Promise<ServerlessServer> {
  const { identity, runtime, delays = DELAYS } = options;
  const faults = (): ServerlessFaults => handle.faults;
  const runs = new JobRuns(runtime, delays, faults);
  const server = await serveApi({
    ...{ service: 'emr-serverless', contentType: 'application/json', identity, faults },
    actionOf: (call) => actionOf(call, runs),
  });
  const handle: ServerlessServer = {
    endpoint: server.endpoint,
    applicationId: APPLICATION,
    roleArn: ROLE,
    faults: options.faults ?? {},
    jobRuns: () => runs.newestFirst,
    stop: async () => void (await Promise.all([server.close(), runs.stop()])),
  };
  return handle;
}

/** The API is REST: method and path name the action. */
function actionOf({ method, path }: Call, runs: JobRuns): Action {
  const [, application = '', isOfRuns, id] =
    /^\/applications\/([^/?]+)(?:(\/jobruns)(?:\/([^/?]+))?)?(?:\?.*)?$/.exec(path) ?? [];
  if (application === '') throw notImplemented(`${method} ${path}`);
  if (application !== APPLICATION) throw notFound('Application', application);
  const knownRun = (): JobRun => {
    const run = runs.newestFirst.find((each) => each.id === id);
    if (!run) throw notFound('JobRun', id ?? '');
    return run;
  };
  const what = id === undefined ? (isOfRuns ?? '') : '/jobruns/<id>';
  switch (`${method} ${what}`.trim()) {
    case 'GET':
      return { name: 'GetApplication', perform: () => ({ application: APPLICATION_DETAILS }) };
    case 'POST /jobruns':
      return { name: 'StartJobRun', perform: (body) => start(body as StartJobRunRequest, runs) };
    case 'GET /jobruns/<id>':
      return { name: 'GetJobRun', perform: () => ({ jobRun: describe(knownRun()) }) };
    case 'DELETE /jobruns/<id>':
      return { name: 'CancelJobRun', perform: () => cancel(knownRun(), runs) };
    default:
      throw notImplemented(`${method} ${path}`);
  }
}

function notFound(what: string, id: string): ApiError {
  return new ApiError('ResourceNotFoundException', `${what} ${id} does not exist`, 404);
}

const APPLICATION_DETAILS = {
  ...{ applicationId: APPLICATION, name: 'local', type: 'Spark', state: 'STARTED' },
  releaseLabel: 'emr-7.13.0',
};

/** Refuses values that settings of Longhaul can get wrong. @throws ApiError ValidationException */
function start(request: StartJobRunRequest, runs: JobRuns): object {
  const { clientToken: token = '', executionTimeoutMinutes: minutes = 0 } = request;
  const { entryPoint = '' } = request.jobDriver?.sparkSubmit ?? {};
  const problems: [boolean, string][] = [
    [!TOKEN.test(token), `clientToken must match ${TOKEN.source}`],
    [!ROLE_ARN.test(request.executionRoleArn ?? ''), 'executionRoleArn is not the ARN of a role'],
    [entryPoint === '', 'jobDriver.sparkSubmit.entryPoint must not be empty'],
    [minutes !== 0 && minutes < 5, 'executionTimeoutMinutes must be at least 5'],
    [(request.name ?? 'x').trim() === '', 'name must not be empty'],
  ];
  const [, problem] = problems.find(([isProblem]) => isProblem) ?? [];
  if (problem !== undefined) throw validation(problem);
  const { id } = runs.start({ ...request, applicationId: APPLICATION });
  return { applicationId: APPLICATION, jobRunId: id };
}

const TOKEN = /^[A-Za-z0-9._-]{1,64}$/;
const ROLE_ARN = /^arn:aws[a-z-]*:iam::\d{12}:role\/.+$/;

function cancel(run: JobRun, runs: JobRuns): object {
  if (!runs.cancel(run, 'Job run was cancelled by CancelJobRun'))
    throw validation(`JobRun ${run.id} is ${run.state} and cannot be cancelled`);
  return { applicationId: APPLICATION, jobRunId: run.id };
}

function describe({ id, request, ...run }: JobRun): Partial<JobRunDescription> {
  return {
    applicationId: APPLICATION,
    jobRunId: id,
    name: request.name,
    executionRole: request.executionRoleArn,
    jobDriver: request.jobDriver,
    configurationOverrides: request.configurationOverrides,
    executionTimeoutMinutes: request.executionTimeoutMinutes,
    state: run.state,
    stateDetails: run.details,
    createdAt: run.created,
    updatedAt: run.updated,
    startedAt: run.started,
    endedAt: run.ended,
  };
}

/** All job runs of a server. They are kept until it ends. */
class JobRuns {
  readonly newestFirst: JobRun[] = [];
  readonly #runtime: JobRuntime;
  readonly #delays: ServerlessDelays;
  readonly #faults: () => ServerlessFaults;
  readonly #lives: Promise<void>[] = [];
  readonly #stopping = new AbortController();

  constructor(runtime: JobRuntime, delays: ServerlessDelays, faults: () => ServerlessFaults) {
    this.#runtime = runtime;
    this.#delays = delays;
    this.#faults = faults;
  }

  /** Starts a job run. The same token returns the same job run, in any state. */
  start(request: StartJobRunRequest): JobRun {
    const { clientToken } = request;
    const known = this.newestFirst.find((run) => run.request.clientToken === clientToken);
    if (known) return known;
    const [created, state] = [new Date(), 'SUBMITTED'] as const;
    const id = `00${randomBytes(7).toString('hex')}`;
    const abort = new AbortController();
    const run = { id, request, created, updated: created, state, details: state, abort };
    this.newestFirst.unshift(run);
    this.#lives.push(this.#live(run));
    return run;
  }

  /** @returns false if the job run has ended already. */
  cancel(run: JobRun, why: string): boolean {
    if (run.ended) return false;
    move(run, 'CANCELLING', why);
    run.abort.abort();
    return true;
  }

  /** Cancels the job runs that still run. Resolves when all have ended. */
  async stop(): Promise<void> {
    for (const run of this.newestFirst) this.cancel(run, 'The local EMR Serverless ends.');
    this.#stopping.abort();
    await Promise.all(this.#lives);
  }

  /** The life of a job run from SUBMITTED to its end, for any result of its runtime. Never rejects. */
  async #live(run: JobRun): Promise<void> {
    const { signal } = run.abort;
    let limit: NodeJS.Timeout | undefined;
    let end: ProgramEnd;
    try {
      for (const state of ['PENDING', 'SCHEDULED', 'RUNNING'] as const) {
        await delay(this.#delays.stateMs, undefined, { signal });
        move(run, state);
      }
      run.started = run.updated;
      const isAtLimit = takeFault(this.#faults(), 'timeLimit') !== undefined;
      const isHanging = isAtLimit || takeFault(this.#faults(), 'hang') !== undefined;
      const job = await this.#runtime.start(run, isHanging);
      signal.addEventListener('abort', () => job.cancel());
      if (signal.aborted) job.cancel();
      const overTime = (): boolean => this.cancel(run, 'Job run timed out');
      limit = setTimeout(overTime, isAtLimit ? 0 : limitMs(run.request));
      end = await job.ended;
    } catch (error) {
      end = { isCompleted: false, message: String(error) };
    }
    clearTimeout(limit);
    settle(run, end);
    const { signal: isStopping } = this.#stopping;
    await delay(this.#delays.logsMs, undefined, { signal: isStopping }).catch(() => undefined);
    await this.#runtime.close(run);
  }
}

/** 0 minutes mean no limit. */
function limitMs({ executionTimeoutMinutes: minutes = DEFAULT_LIMIT_MINUTES }: StartJobRunRequest) {
  return minutes === 0 ? FOR_EVER_MS : Math.min(minutes * 60_000, FOR_EVER_MS);
}

/** The limit of a request that names none. */
const DEFAULT_LIMIT_MINUTES = 720;

function settle(run: JobRun, { isCompleted, message = '' }: ProgramEnd): void {
  const words =
    'Job execution failed, please check complete logs in configured logging destination.';
  const failure = `${words} ExitCode: 1. Last few exceptions: ${message}...`;
  if (run.abort.signal.aborted) move(run, 'CANCELLED', run.details);
  else if (isCompleted) move(run, 'SUCCESS');
  else move(run, 'FAILED', failure.slice(0, MAX_DETAILS_LENGTH));
  run.ended = run.updated;
}

/** The API's model sets this limit. */
const MAX_DETAILS_LENGTH = 256;

/** Without other details, the details are the state. */
function move(run: JobRun, state: JobRunState, details: string = state): void {
  Object.assign(run, { state, details, updated: new Date() });
}
