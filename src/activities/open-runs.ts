import { isGrpcServiceError, ServiceError, type Client } from '@temporalio/client';
import { WorkflowNotFoundError } from '@temporalio/common';
import { emrWorkflowId, type ClusterName } from '../model/emr-names.ts';
import { LonghaulError } from '../model/errors.ts';
import { printable } from '../model/names.ts';
import type { HandInput } from '../model/run-input.ts';
import { ingestWorkflowId, type IngestInput } from '../model/run.ts';
import { inputOf } from '../runs/start-run.ts';
import type { Leftover } from '../storage/leftovers.ts';

/** Not `ExecutionStatus = 'Running'`: a paused run holds its things too. */
const OPEN_RUNS = "WorkflowType = 'ingestDataset' AND CloseTime IS NULL";

/**
 * Temporal's list of runs may lag behind the runs themselves, by seconds as a rule. A run that it does not know
 * and whose staging is older than this is one whose history has expired.
 */
const MAX_LISTING_LAG_MS = 600_000;

/**
 * What the runs under way hold: their staging, and the unfinished landings of their datasets and days. A run that
 * ended since `sinceMs` counts too: what was found may be of its last moments. In doubt everything is held.
 */
export class OpenRuns {
  readonly #client: Client;
  readonly #sinceMs: number;
  /** Ids of runs, and workflow ids of days. */
  readonly #held = new Set<string>();
  #isAnyUnreadable = false;

  private constructor(client: Client, sinceMs: number) {
    this.#client = client;
    this.#sinceMs = sinceMs;
  }

  /** @throws LonghaulError TEMPORAL_UNREACHABLE. */
  static async ask(client: Client, sinceMs: number): Promise<OpenRuns> {
    const runs = new OpenRuns(client, sinceMs);
    await asking(async () => {
      for await (const { workflowId, runId } of client.workflow.list({ query: OPEN_RUNS })) {
        if (await runs.#isOpen(workflowId, runId)) await runs.#note(workflowId, runId);
      }
    });
    return runs;
  }

  /**
   * To be asked right before each removal. Of a cluster: its run, or the child that is to end it, goes on.
   * @throws LonghaulError TEMPORAL_UNREACHABLE.
   */
  async hold(holder: Leftover['holder'] | ClusterName, ageMs: number): Promise<boolean> {
    return await asking(async () => {
      if (!('runId' in holder)) {
        const workflowId = ingestWorkflowId(holder.dataset, holder.ingestDate);
        if (this.#isAnyUnreadable || this.#held.has(workflowId)) return true;
        return await this.#isOpen(workflowId);
      }
      if (await this.#holdRun(holder.runId, ageMs)) return true;
      return 'dataset' in holder && (await this.#isOpen(emrWorkflowId(holder)));
    });
  }

  /** Whether Temporal remembers any run that had a cluster. */
  async hadClusters(): Promise<boolean> {
    return await asking(async () => {
      const query = "WorkflowType = 'convertOnEmr'";
      for await (const _ of this.#client.workflow.list({ query, pageSize: 1 })) return true;
      return false;
    });
  }

  async #holdRun(runId: string, ageMs: number): Promise<boolean> {
    if (this.#held.has(runId)) return true;
    for await (const { workflowId } of this.#client.workflow.list({
      query: `RunId = '${runId}'`,
    })) {
      return await this.#isOpen(workflowId, runId);
    }
    return ageMs < MAX_LISTING_LAG_MS;
  }

  /** Of the run itself, which no listing lags behind. */
  async #isOpen(workflowId: string, runId?: string): Promise<boolean> {
    try {
      const handle = this.#client.workflow.getHandle(workflowId, runId);
      const { closeTime } = await handle.describe();
      return closeTime === undefined || closeTime.getTime() >= this.#sinceMs;
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return false;
      throw error;
    }
  }

  /** The workflow's id tells its dataset and day as a rule; its input always does. */
  async #note(workflowId: string, runId: string): Promise<void> {
    this.#held.add(runId).add(workflowId);
    const input = await inputOf(this.#client, { workflowId, runId }).catch(() => undefined);
    const { dataset, ingestDate } = (input ?? {}) as Partial<IngestInput | HandInput>;
    // Started by hand: it holds nothing but what the run holds that has the day's own id.
    if (typeof dataset === 'string') return;
    if (dataset?.name === undefined || ingestDate === undefined) this.#isAnyUnreadable = true;
    else this.#held.add(ingestWorkflowId(dataset.name, ingestDate));
  }
}

async function asking<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof ServiceError) && !isGrpcServiceError(error)) throw error;
    const message = `Temporal does not tell which runs are under way: ${printable(error.message)}.`;
    throw new LonghaulError('TEMPORAL_UNREACHABLE', message, {}, { cause: error });
  }
}
