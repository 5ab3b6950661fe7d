import { setTimeout as delay } from 'node:timers/promises';
import type { EmrFaults } from './faults.ts';
import type { Cluster } from './model.ts';
import type { EmrRuntime } from './runtime.ts';
import type { EmrWorldFacts } from './validate-cluster.ts';

/** How long a state lasts, in ms; on AWS minutes. */
export interface EmrDelays {
  /** STARTING. */
  provisioningMs: number;
  /** BOOTSTRAPPING, beside what the actions and HDFS take. */
  bootstrappingMs: number;
  /** TERMINATING. */
  terminatingMs: number;
  /** What passes for a second of an idle timeout, whose least is 60 of them. */
  idleSecondMs: number;
}

export interface World {
  runtime: EmrRuntime;
  facts: EmrWorldFacts;
  delays: EmrDelays;
  /** Read at each turn: they may be changed at any time. */
  faults: () => EmrFaults;
  now: () => number;
}

/** Waits, or ends with an error where the cluster is to end. */
export async function pause(ms: number, { abort }: Cluster): Promise<void> {
  await delay(ms, undefined, { signal: abort.signal });
}
