import type {
  JobRun as JobRunDescription,
  JobRunSummary,
  StartJobRunRequest,
} from '@aws-sdk/client-emr-serverless';
import { ApiError, validation } from '../emr/api-error.ts';
import { serveApi, type Action, type Call } from '../emr/api-server.ts';
import { pageOf } from '../emr/paging.ts';
import type { Identity } from '../emr/signature.ts';
import {
  JobRuns,
  type JobRun,
  type JobRuntime,
  type ServerlessDelays,
  type ServerlessFaults,
} from './job-runs.ts';

export interface ServerlessServerOptions {
  identity: Identity;
  runtime: JobRuntime;
  /** Default: some tens of milliseconds each. */
  delays?: Partial<ServerlessDelays>;
  faults?: ServerlessFaults;
}

export interface ServerlessServer {
  /** `http://127.0.0.1:<port>`. */
  endpoint: string;
  /** Of the one application, which is started. */
  applicationId: string;
  /** For `executionRoleArn`; the form of another one is looked at, and nothing else. */
  roleArn: string;
  /** What may still go wrong: set anew, or changed in place, at any time. */
  faults: ServerlessFaults;
  /** Cancels every job run, and ends when all have ended and the server has. */
  stop(): Promise<void>;
}

const DELAYS: ServerlessDelays = { stateMs: 20, logsMs: 300 };
const APPLICATION = '00flocal000spark';
/** AWS's own example. */
const ACCOUNT = '123456789012';
const ROLE = `arn:aws:iam::${ACCOUNT}:role/EMRServerlessRole`;
const RELEASE = 'emr-7.13.0';

/** The EMR Serverless API on loopback, with one Spark application. */
export async function startServerlessServer(
  options: ServerlessServerOptions,
): Promise<ServerlessServer> {
  const { identity, runtime, faults = {} } = options;
  const delays = { ...DELAYS, ...options.delays };
  const runs = new JobRuns({ runtime, delays, faults: () => handle.faults });
  const desk = { runs, region: identity.region, createdAt: new Date() };
  const server = await serveApi({
    service: 'emr-serverless',
    identity,
    contentType: 'application/json',
    faults: () => handle.faults,
    actionOf: (call) => calledAction(call, desk),
  });
  const handle: ServerlessServer = {
    endpoint: server.endpoint,
    applicationId: APPLICATION,
    roleArn: ROLE,
    faults,
    stop: async () => void (await Promise.all([server.close(), runs.stop()])),
  };
  return handle;
}

interface Desk {
  runs: JobRuns;
  region: string;
  createdAt: Date;
}

/** REST: method and path say what is asked for. */
function calledAction({ method, url }: Call, desk: Desk): Action {
  const [, application = '', isOfRuns, id] =
    /^\/applications\/([^/]+)(?:(\/jobruns)(?:\/([^/]+))?)?$/.exec(url.pathname) ?? [];
  const asked = [
    method,
    isOfRuns === undefined ? 'application' : id === undefined ? 'runs' : 'run',
  ];
  const name = ACTION_NAMES[asked.join(' ')];
  if (application === '' || name === undefined) {
    const message = `The local EMR Serverless has no ${method} ${url.pathname}.`;
    throw new ApiError('NotImplemented', message, { status: 501 });
  }
  if (application !== APPLICATION) throw notFound('Application', application);
  const perform = (body: unknown): object => {
    if (name === 'GetApplication') return { application: describeApplication(desk) };
    if (name === 'StartJobRun') return start(body as StartJobRunRequest, desk);
    if (name === 'ListJobRuns') return list(url.searchParams, desk);
    const run = desk.runs.find(id ?? '');
    if (!run) throw notFound('JobRun', id ?? '');
    return name === 'GetJobRun' ? { jobRun: describe(run, desk) } : cancel(run, desk);
  };
  return { name, perform };
}

const ACTION_NAMES: Readonly<Record<string, string>> = {
  'GET application': 'GetApplication',
  'POST runs': 'StartJobRun',
  'GET runs': 'ListJobRuns',
  'GET run': 'GetJobRun',
  'DELETE run': 'CancelJobRun',
};

function notFound(what: string, id: string): ApiError {
  return new ApiError('ResourceNotFoundException', `${what} ${id} does not exist`, { status: 404 });
}

function start(request: StartJobRunRequest, desk: Desk): object {
  checkStart(request);
  const { id } = desk.runs.start({ ...request, applicationId: APPLICATION });
  return { applicationId: APPLICATION, jobRunId: id, arn: arnOf(id, desk) };
}

/** What settings of Longhaul can get wrong. @throws ApiError ValidationException */
function checkStart(request: StartJobRunRequest): void {
  const { clientToken: token = '', executionTimeoutMinutes: minutes = 0 } = request;
  const spark = request.jobDriver?.sparkSubmit;
  const problems: [boolean, string][] = [
    [!TOKEN.test(token), `clientToken must match ${TOKEN.source}`],
    [!ROLE_ARN.test(request.executionRoleArn ?? ''), 'executionRoleArn is not the ARN of a role'],
    [(spark?.entryPoint ?? '') === '', 'jobDriver.sparkSubmit.entryPoint must not be empty'],
    [minutes !== 0 && minutes < MIN_LIMIT_MINUTES, 'executionTimeoutMinutes must be at least 5'],
    [(request.name ?? 'x').trim() === '', 'name must not be empty'],
  ];
  const [, problem] = problems.find(([isProblem]) => isProblem) ?? [];
  if (problem !== undefined) throw validation(problem);
}

const TOKEN = /^[A-Za-z0-9._-]{1,64}$/;
const ROLE_ARN = /^arn:aws[a-z-]*:iam::\d{12}:role\/.+$/;
const MIN_LIMIT_MINUTES = 5;

function cancel(run: JobRun, { runs }: Desk): object {
  if (!runs.cancel(run, 'Job run was cancelled by CancelJobRun'))
    throw validation(`JobRun ${run.id} is ${run.state} and cannot be cancelled`);
  return { applicationId: APPLICATION, jobRunId: run.id };
}

function list(query: URLSearchParams, desk: Desk): object {
  const states = query.getAll('states');
  const [after, before] = ['createdAtAfter', 'createdAtBefore'].map((name) => query.get(name));
  const found = desk.runs
    .newestFirst()
    .filter(({ state }) => states.length === 0 || states.includes(state))
    .filter(({ createdMs }) => !after || createdMs >= Date.parse(after))
    .filter(({ createdMs }) => !before || createdMs <= Date.parse(before));
  const size = Number(query.get('maxResults') ?? MAX_RESULTS);
  const { page, marker } = pageOf(found, query.get('nextToken') ?? undefined, size);
  return { jobRuns: page.map((run) => summarise(run, desk)), nextToken: marker };
}

const MAX_RESULTS = 50;

function describe(run: JobRun, desk: Desk): JobRunDescription {
  const { id, request, startedMs, endedMs } = run;
  const { jobDriver, configurationOverrides, tags, executionTimeoutMinutes } = request;
  return {
    ...commonOf(run, desk),
    jobRunId: id,
    jobDriver,
    configurationOverrides,
    tags,
    executionTimeoutMinutes,
    startedAt: startedMs === undefined ? undefined : new Date(startedMs),
    endedAt: endedMs === undefined ? undefined : new Date(endedMs),
  };
}

function summarise(run: JobRun, desk: Desk): JobRunSummary {
  return { ...commonOf(run, desk), id: run.id, type: 'Spark' };
}

function commonOf({ id, request, createdMs, updatedMs, state, details }: JobRun, desk: Desk) {
  return {
    applicationId: APPLICATION,
    arn: arnOf(id, desk),
    name: request.name,
    mode: 'BATCH',
    createdBy: `arn:aws:iam::${ACCOUNT}:user/local`,
    createdAt: new Date(createdMs),
    updatedAt: new Date(updatedMs),
    executionRole: request.executionRoleArn,
    state,
    stateDetails: details,
    releaseLabel: RELEASE,
  } as const;
}

function describeApplication(desk: Desk): object {
  return {
    applicationId: APPLICATION,
    name: 'local',
    arn: `arn:aws:emr-serverless:${desk.region}:${ACCOUNT}:/applications/${APPLICATION}`,
    releaseLabel: RELEASE,
    type: 'Spark',
    state: 'STARTED',
    createdAt: desk.createdAt,
    updatedAt: desk.createdAt,
  };
}

function arnOf(id: string, { region }: Desk): string {
  return `arn:aws:emr-serverless:${region}:${ACCOUNT}:/applications/${APPLICATION}/jobruns/${id}`;
}
