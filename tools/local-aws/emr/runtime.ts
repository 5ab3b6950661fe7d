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
  /** Of a step that is over. Never rejects: logs that S3 does not take are given up. */
  saveLogs(stepId: string): Promise<void>;
  /** What its files take of HDFS, from 0 to 1. */
  hdfsUse(): Promise<number>;
  /** Ends all that runs on it, and removes its HDFS and folder. */
  stop(): Promise<void>;
}

export interface RunnableStep {
  id: string;
  name: string;
  jar: string;
  args: readonly string[];
  /** It never ends by itself, or is killed in the middle of its copy. */
  fault: 'hang' | 'copyFailure' | undefined;
}

export interface RunningStep {
  /** Never rejects. */
  ended: Promise<StepEnd>;
  cancel(how: CancelHow): void;
}

export interface StepEnd {
  isCompleted: boolean;
  /** What is known of a failure: `stderr`'s last exception. */
  message?: string | undefined;
  /** `s3://…/stderr.gz`, where it will be. */
  logFile?: string | undefined;
}
