import type { AddressSecrets } from '../config/address-secrets.ts';
import type {
  AddressPolicy,
  ActivitySettings,
  DuckDbSettings,
  EmrSettings,
  HttpSettings,
} from '../config/settings.ts';
import type { SparkRunner } from '../conversion/spark/sessions.ts';
import type { Target } from '../model/run.ts';
import type { Store } from '../storage/store.ts';
import type { StepQueues } from './types.ts';

/** Everything that the activities of one lake touch, built once by the worker: one record of named ports. */
export interface ActivityDeps {
  raw: Store;
  converted: Store;
  http: HttpSettings;
  addresses: AddressPolicy;
  /** What the variables in an address stand for; never part of an input, a result or a heartbeat. */
  secretsOf: AddressSecrets;
  duckdb: DuckDbSettings;
  spark: SparkRunner;
  activity: ActivitySettings;
  emr: EmrSettings;
  /** The task queue of the workers that reach this lake: those of one host for a disk, any with its bucket for S3. */
  lakeQueue: string;
  /** Queues of the same workers, for steps that are many and long: each kind has slots of its own. */
  stepQueues: StepQueues;
  /** Of the same workers: what `stepQueues` are to other runs, to those of backfilled days. */
  backfillQueue: string;
}

/** @throws LonghaulError CONFIG_INVALID where this worker has no such lake. */
export type DepsOf = (target: Target) => ActivityDeps;
