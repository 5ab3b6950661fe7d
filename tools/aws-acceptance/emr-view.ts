import {
  EMRClient,
  paginateListClusters,
  ListStepsCommand,
  SetTerminationProtectionCommand,
  TerminateJobFlowsCommand,
  type ClusterSummary,
} from '@aws-sdk/client-emr';
import { setTimeout as sleep } from 'node:timers/promises';
import { silenceVersionWarning } from '../../src/storage/s3/client.ts';

/** Each look sends one or two requests. An account may send a few in a second. */
const LOOK_INTERVAL_MS = 2000;
/** Longest time on AWS from TerminateJobFlows to the cluster's end. */
const END_LIMIT_MS = 15 * 60_000;
const ENDED = /^TERMINATED/;

/** Asks EMR directly, without the program that is tried. */
export class EmrView {
  readonly #client: EMRClient;
  readonly #since = new Date(Date.now() - 60_000);

  constructor() {
    silenceVersionWarning();
    this.#client = new EMRClient({});
  }

  close(): void {
    this.#client.destroy();
  }

  /** Clusters made since the start of this trial, in any state. @param prefix prefix of the dataset's name. */
  async clusters(prefix: string): Promise<ClusterSummary[]> {
    const clusters: ClusterSummary[] = [];
    const pages = paginateListClusters({ client: this.#client }, { CreatedAfter: this.#since });
    for await (const { Clusters = [] } of pages) clusters.push(...Clusters);
    return clusters.filter(({ Name = '' }) => Name.startsWith(`longhaul/${prefix}`));
  }

  /** Waits until a step runs. @param ended end of the run's command. @returns the id of the dataset's one cluster. */
  async runningStep(dataset: string, ended: Promise<unknown>): Promise<string> {
    for (;;) {
      const [cluster] = await this.clusters(`${dataset}/`);
      if (cluster && (await this.#isAtWork(cluster))) return cluster.Id ?? '';
      const isEnded = await Promise.race([ended.then(() => true), sleep(LOOK_INTERVAL_MS, false)]);
      if (isEnded) throw new Error('The run ended before one of its steps was seen running.');
    }
  }

  /** @returns EMR's reason for the end. @throws if the run made another cluster, or this one does not end. */
  async untilEnded(dataset: string, id: string, limitMs = END_LIMIT_MS): Promise<string> {
    for (const startedAt = Date.now(); Date.now() - startedAt < limitMs;) {
      const [cluster, ...others] = await this.clusters(`${dataset}/`);
      if (others.length > 0 || cluster?.Id !== id) throw new Error('There is another cluster.');
      const { State = '', StateChangeReason: reason } = cluster.Status ?? {};
      if (ENDED.test(State)) return `${State}, ${reason?.Message ?? reason?.Code ?? 'no reason'}`;
      await sleep(LOOK_INTERVAL_MS);
    }
    throw new Error(`The cluster ${id} did not end within ${limitMs / 60_000} minutes.`);
  }

  /** Terminates the clusters that still run. @returns their ids. */
  async endAll(prefix: string): Promise<string[]> {
    const alive = (await this.clusters(prefix)).filter(
      ({ Status }) => !(Status?.State ?? '').startsWith('TERMINAT'),
    );
    const JobFlowIds = alive.map(({ Id = '' }) => Id);
    if (JobFlowIds.length === 0) return [];
    const unprotected = { JobFlowIds, TerminationProtected: false };
    await this.#client.send(new SetTerminationProtectionCommand(unprotected));
    await this.#client.send(new TerminateJobFlowsCommand({ JobFlowIds }));
    return JobFlowIds;
  }

  async #isAtWork({ Id: ClusterId, Status }: ClusterSummary): Promise<boolean> {
    if (Status?.State !== 'RUNNING' && Status?.State !== 'WAITING') return false;
    const command = new ListStepsCommand({ ClusterId, StepStates: ['RUNNING'] });
    const { Steps = [] } = await this.#client.send(command);
    return Steps.length > 0;
  }
}
