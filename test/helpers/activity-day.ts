import { join } from 'node:path';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import type { ActivityDeps } from '../../src/activities/deps.ts';
import { createSnapshotActivities } from '../../src/activities/days.ts';
import { createSourceActivities } from '../../src/activities/sources.ts';
import type {
  IngestResult,
  LandedSource,
  SourceResult,
  SourceTask,
  TransferHeartbeat,
} from '../../src/model/run.ts';
import { DiskStore } from '../../src/storage/disk-store.ts';
import type { Origin } from './origin.ts';
import { withTempFolder } from './temp-folder.ts';

export const FIRST_DAY = '2026-11-23';
export const SECOND_DAY = '2026-11-24';

/** A worker's activities over a lake on disk, for one source of a publisher. */
export class Day {
  readonly raw: DiskStore;
  readonly converted: DiskStore;
  readonly heartbeats: TransferHeartbeat[] = [];
  readonly #origin: Origin;
  readonly #activities;

  constructor(folder: string, origin: Origin) {
    this.#origin = origin;
    this.raw = new DiskStore(join(folder, 'raw'));
    this.converted = new DiskStore(join(folder, 'converted'));
    const deps = {
      ...{ raw: this.raw, converted: this.converted },
      activity: { heartbeatTimeoutMs: 60_000, retryForMs: 0 },
      duckdb: { memoryLimit: '1GiB', threads: 1 },
      http: { connectTimeoutMs: 5000, stallTimeoutMs: 5000 },
      addresses: { allowPrivate: true },
      secretsOf: () => ({}),
    } as unknown as ActivityDeps;
    this.#activities = { ...createSourceActivities(deps), ...createSnapshotActivities(deps) };
  }

  async probe(at: Partial<SourceTask> = {}): Promise<{ result?: LandedSource }> {
    return await this.#run(this.#activities.probeSource, { ...this.taskOf(at), again: false });
  }

  async land(at: Partial<SourceTask> = {}): Promise<LandedSource> {
    return await this.#run(this.#activities.landSource, { ...this.taskOf(at), again: false });
  }

  async find(at: Partial<SourceTask> = {}): Promise<LandedSource> {
    return await this.#run(this.#activities.findLanding, this.taskOf(at));
  }

  /** Runs all activities from the landing to the publication of the day. */
  async publish(
    { rawKey = '' }: LandedSource,
    at: Partial<SourceTask> = {},
  ): Promise<IngestResult> {
    await this.convert({ ...this.taskOf(at), rawKey });
    return await this.publishOnly(at);
  }

  /** Runs the activities from the landing to verified Parquet. */
  async convert(task: SourceTask & { rawKey: string }): Promise<void> {
    await this.#run(this.#activities.inspectSource, task);
    const { stagedPrefix } = await this.#run(this.#activities.convertSource, task);
    await this.#run(this.#activities.verifySource, { ...task, stagedPrefix });
  }

  async publishOnly(
    at: Partial<SourceTask>,
    unchanged: SourceResult[] = [],
  ): Promise<IngestResult> {
    const { source, ...task } = this.taskOf(at);
    const dataset = { name: task.dataset, timeZone: 'UTC', sources: [source] };
    const input = { ...task, dataset, accept: false, missing: [], unchanged };
    return await this.#run(this.#activities.publishSnapshot, input);
  }

  async landings(): Promise<string[]> {
    const keys: string[] = [];
    for await (const { key } of this.raw.list('d/')) keys.push(key);
    return keys.filter((key) => key.endsWith('.csv'));
  }

  taskOf(at: Partial<SourceTask>): SourceTask {
    const address = this.#origin.address('/a.csv');
    return {
      ...{ dataset: 'd', ingestDate: FIRST_DAY, revision: 1, engine: 'duckdb' },
      runId: '0b0e1a52-7c3a-4a4e-9f4e-2f1f5a3f0c11',
      source: { id: 'a', address, optional: false, overrides: {} },
      ...at,
    };
  }

  async #run<I, O>(activity: (input: I) => Promise<O>, input: I): Promise<O> {
    const logger = new DefaultLogger('ERROR');
    const environment = new MockActivityEnvironment({}, { logger });
    environment.on('heartbeat', (beat: TransferHeartbeat) => this.heartbeats.push(beat));
    return (await environment.run(activity, input)) as O;
  }
}

/** Creates a lake on disk and a day whose publisher serves the file `/a.csv`. */
export async function withDay(origin: Origin, body: (day: Day) => Promise<void>): Promise<void> {
  await withTempFolder(async (folder) => await body(new Day(folder, origin)));
}
