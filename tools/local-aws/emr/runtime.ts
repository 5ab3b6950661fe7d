import type { BootstrapActionConfig } from '@aws-sdk/client-emr';
import type { CancelHow } from './model.ts';

/** What clusters run on: this machine, or in tests of the protocol something quicker. */
export interface EmrRuntime {
  /** @throws where the machine cannot be set up: the cluster ends with INTERNAL_ERROR. */
  prepare(wanted: WantedMachine): Promise<Machine>;
}

export interface WantedMachine {
  clusterId: string;
  /** Where logs go, `s3://…/` or undefined. */
  logUri: string | undefined;
  /** Of `spark-defaults`, as the request's Configurations have it. */
  sparkDefaults: Readonly<Record<string, string>>;
  /** What its HDFS may hold; undefined: what the disk has. */
  hdfsBytes: number | undefined;
  signal: AbortSignal;
}

/** All nodes of one cluster. */
export interface Machine {
  /** Of the NameNode: `http://127.0.0.1:<port>`. */
  webHdfsUrl: string | undefined;
  /** When the master was asked to shut itself down: how long that was to take. */
  shutDownMinutes(): Promise<number | undefined>;
  /** @returns the exit code of action 1, 2, … */
  bootstrap(action: BootstrapActionConfig, index: number, signal: AbortSignal): Promise<number>;
  start(step: RunnableStep): Promise<RunningStep>;
  /** Ends all that runs on it, and removes its HDFS and folder. */
  stop(): Promise<void>;
}

export interface RunnableStep {
  id: string;
  name: string;
  jar: string;
  args: readonly string[];
  /** Fault: it starts, and never ends by itself. */
  hang: boolean;
}

export interface RunningStep {
  /** Never rejects. Logs are where they belong by then, or were given up. */
  ended: Promise<StepEnd>;
  cancel(how: CancelHow): void;
}

export interface StepEnd {
  isCompleted: boolean;
  /** What is known of a failure: `stderr`'s last exception. */
  message?: string | undefined;
  /** `s3://…/stderr.gz`. */
  logFile?: string | undefined;
}
