import {
  CancelJobRunCommand,
  EMRServerlessClient,
  GetApplicationCommand,
  GetJobRunCommand,
  StartJobRunCommand,
  type JobRunState,
  type StartJobRunCommandInput,
} from '@aws-sdk/client-emr-serverless';
import { LonghaulError } from '../model/errors.ts';
import { printable } from '../model/names.ts';
import { clientSettings, Requests } from './api.ts';

/** A job run as EMR Serverless described it at one moment. */
export interface JobRun {
  state: JobRunState;
  /** EMR's words; '' where it has none. */
  details: string;
}

/** What the engine `emr-serverless` asks of EMR Serverless. */
export class ServerlessApi {
  readonly #client = new EMRServerlessClient(clientSettings());
  readonly #requests = new Requests('emr-serverless', {
    renew: async () => await this.#client.config.credentials({ forceRefresh: true }),
  });

  /** Safe to repeat: the same token is the same job run, whatever became of it. @returns its id. */
  async start(request: StartJobRunCommandInput, signal: AbortSignal): Promise<string> {
    const command = new StartJobRunCommand(request);
    const send = async (options: object) => await this.#client.send(command, options);
    const { jobRunId } = await this.#requests.make(command, send, { signal });
    if (jobRunId !== undefined) return jobRunId;
    throw new LonghaulError('EMR_UNAVAILABLE', 'EMR Serverless took a job and did not say its id.');
  }

  async get(applicationId: string, jobRunId: string, signal: AbortSignal): Promise<JobRun> {
    const command = new GetJobRunCommand({ applicationId, jobRunId });
    const send = async (options: object) => await this.#client.send(command, options);
    const { jobRun } = await this.#requests.make(command, send, { signal });
    const { state = 'SUBMITTED', stateDetails = '' } = jobRun ?? {};
    return { state, details: printable(stateDetails) };
  }

  /** For people: state, release and kind. */
  async describe(applicationId: string, signal: AbortSignal): Promise<string> {
    const command = new GetApplicationCommand({ applicationId });
    const send = async (options: object) => await this.#client.send(command, options);
    const { application } = await this.#requests.make(command, send, { signal });
    const { state = '?', releaseLabel = '?', type = '?' } = application ?? {};
    return printable(`${type} of ${releaseLabel}, ${state}`);
  }

  async cancel(applicationId: string, jobRunId: string): Promise<void> {
    const command = new CancelJobRunCommand({ applicationId, jobRunId });
    await this.#requests.make(command, async () => await this.#client.send(command));
  }

  close(): void {
    this.#client.destroy();
  }
}

const ENDED: ReadonlySet<JobRunState> = new Set(['SUCCESS', 'FAILED', 'CANCELLED']);

export function hasJobEnded({ state }: Pick<JobRun, 'state'>): boolean {
  return ENDED.has(state);
}

/** Where EMR Serverless puts the driver's log. @param logUri ends with `/`. */
export function driverLogUri(logUri: string, applicationId: string, jobRunId: string): string {
  return `${logUri}applications/${applicationId}/jobs/${jobRunId}/SPARK_DRIVER/stderr.gz`;
}
