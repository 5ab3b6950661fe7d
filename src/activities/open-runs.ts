import { isGrpcServiceError, ServiceError, type Client } from '@temporalio/client';
import { WorkflowNotFoundError } from '@temporalio/common';
import { emrWorkflowId, type ClusterName } from '../model/emr.ts';
import { LonghaulError } from '../model/errors.ts';
import { printable } from '../model/names.ts';
import { ingestWorkflowId } from '../model/run.ts';
import type { Leftover } from '../storage/leftovers.ts';

/**
 * Temporal's list of runs may lag behind, usually by seconds. If the list does not have a run and its staging is older
 * than this, the run's history has expired.
 */
const MAX_LISTING_LAG_MS = 600_000;

/**
 * Answers whether a run under way holds a file: in its staging, or as an unfinished landing of its dataset and day. A
 * run that ended since `sinceMs` counts too, because it may just have written the file. In doubt everything is held.
 */
export class OpenRuns {
  readonly #client: Client;
  readonly #sinceMs: number;
  /** Whether a run of a dataset is under way. The sweep asks once for each dataset, because Temporal must search. */
  readonly #datasets = new Map<string, Promise<boolean>>();

  constructor(client: Client, sinceMs: number) {
    this.#client = client;
    this.#sinceMs = sinceMs;
  }

  /**
   * The sweep asks this right before each removal. A cluster is held while its run, or the child that ends it, goes on.
   * @throws LonghaulError TEMPORAL_UNREACHABLE.
   */
  async hold(holder: Leftover['holder'] | ClusterName, ageMs: number): Promise<boolean> {
    return await asking(async () => {
      if (!('runId' in holder)) {
        if (!('ingestDate' in holder)) return await this.#holdDataset(holder.dataset);
        return await this.#isOpen(ingestWorkflowId(holder.dataset, holder.ingestDate));
      }
      if (await this.#holdRun(holder.runId, ageMs)) return true;
      return 'dataset' in holder && (await this.#isOpen(emrWorkflowId(holder)));
    });
  }

  /** Whether Temporal remembers any run that had a cluster. */
  async hadClusters(): Promise<boolean> {
    const query = "WorkflowType = 'convertOnEmr'";
    return await asking(async () => (await this.#client.workflow.count(query)).count > 0);
  }

  async #holdDataset(dataset: string): Promise<boolean> {
    const known = this.#datasets.get(dataset) ?? this.#isAnyOpen(ingestWorkflowId(dataset, ''));
    this.#datasets.set(dataset, known);
    return await known;
  }

  async #isAnyOpen(idPrefix: string): Promise<boolean> {
    const query = "WorkflowType = 'ingestDataset' AND ExecutionStatus = 'Running'";
    for await (const { workflowId } of this.#client.workflow.list({ query })) {
      if (workflowId.startsWith(idPrefix)) return true;
    }
    return false;
  }

  async #holdRun(runId: string, ageMs: number): Promise<boolean> {
    for await (const { workflowId } of this.#client.workflow.list({
      query: `RunId = '${runId}'`,
    })) {
      return await this.#isOpen(workflowId, runId);
    }
    return ageMs < MAX_LISTING_LAG_MS;
  }

  /** Asks for the run itself, because the list of runs may lag behind. */
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
}

async function asking<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof ServiceError) && !isGrpcServiceError(error)) throw error;
    const message = `Temporal does not say which runs are under way: ${printable(error.message)}.`;
    throw new LonghaulError('TEMPORAL_UNREACHABLE', message, {}, { cause: error });
  }
}
