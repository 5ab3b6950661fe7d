import type { Engine } from '../model/dataset.ts';
import type { EmrOutput } from '../model/emr.ts';
import type { LakeAddress } from '../model/lake-address.ts';

/** Every setting, checked and typed: what `.env` and the environment say. */
export interface Settings {
  lake: LakeSettings;
  /** Absolute. Holds the embedded server's state. */
  stateDir: string;
  /** Absolute path of datasets.yaml. */
  datasetsFile: string;
  temporal: TemporalSettings;
  /** The Temporal program for the embedded server; undefined: `temporal` on the PATH, else fetched. */
  temporalCli: string | undefined;
  /** In which each dataset's Iceberg table is entered; undefined: in none. */
  glueDatabase: string | undefined;
  engine: Engine;
  /** Sources of one run in work at once. */
  sourceConcurrency: number;
  duckdb: DuckDbSettings;
  spark: SparkSettings;
  http: HttpSettings;
  addresses: AddressPolicy;
  activity: ActivitySettings;
  worker: WorkerSettings;
  log: LogSettings;
  emr: EmrSettings;
}

export interface TemporalSettings {
  /** `host:port`; undefined means the embedded server. */
  address: string | undefined;
  namespace: string;
  apiKey: string | undefined;
  tls: boolean | TemporalTls;
  /** Headers for every request. */
  metadata: Record<string, string>;
}

/** As Temporal's SDK takes it; the system's defaults hold for absent fields. */
export interface TemporalTls {
  serverNameOverride?: string;
  /** PEM. */
  serverRootCACertificate?: Buffer;
  /** PEM, both. */
  clientCertPair?: { crt: Buffer; key: Buffer };
}

/** The one lake of a process; its folder is absolute. */
export type LakeSettings = Extract<LakeAddress, { kind: 'disk' }> | S3Settings;

/**
 * The lake in a bucket: plain data, handed to child processes as it is. Region, endpoint and credentials are not
 * in it: every process finds them as every AWS SDK does.
 */
export type S3Settings = Extract<LakeAddress, { kind: 's3' }> & {
  /** `https://endpoint/bucket/key` instead of `https://bucket.endpoint/key`. */
  pathStyle: boolean;
  /** Full-object CRC-32 by S3; false for stores that know no such checksum: size and ETags are compared instead. */
  checksums: boolean;
  /** Every object is written with this key of KMS; undefined: as the bucket's default encryption is. */
  kmsKeyId?: string | undefined;
  /** Parts of one landing on their way at once. */
  uploadConcurrency: number;
  connectTimeoutMs: number;
  /** No byte in either direction for this long fails the request. */
  stallTimeoutMs: number;
};

export interface DuckDbSettings {
  /** As DuckDB writes it: `1GiB`. */
  memoryLimit: string;
  threads: number;
  /** DuckDB's httpfs extension, needed for S3; undefined: a pinned one, fetched once. */
  httpfs?: string | undefined;
}

export interface SparkSettings {
  /** SPARK_HOME; undefined: `spark-submit` on the PATH, python3's pyspark, or a pinned one, fetched once. */
  home?: string | undefined;
  /** JAVA_HOME; undefined: `java` on the PATH. */
  javaHome?: string | undefined;
  /** HADOOP_JARS: a folder with `s3a` in it; undefined: fetched once by Maven, when Spark is to reach S3. */
  hadoopJars?: string | undefined;
  /** PATH, where both are looked for. */
  searchPath?: string | undefined;
  /** As spark-submit takes it: `local[3]`. */
  master: string;
  /** As Java takes it: `2g`. */
  driverMemory: string;
  /** SPARK_STAGE_BYTES: of copies for Spark that a run has on the disk at once; undefined: a share of what is free. */
  stageBytes?: number | undefined;
}

export interface HttpSettings {
  connectTimeoutMs: number;
  /** No byte for this long fails the attempt. */
  stallTimeoutMs: number;
  /** A body slower than this on average, while it is waited for, fails the attempt; absent: none is too slow. */
  minRate?: { bytesPerSecond: number; overMs: number };
  /** A mail or web address, in the User-Agent: how a publisher reaches the operator. */
  contact?: string;
  /** A longer file is not read; absent: whatever the lake has room for. */
  maxBytes?: number;
}

/** What a worker may read: any user who may start runs chooses the addresses. */
export interface AddressPolicy {
  /** Absolute: the folder of marks for the files that may be read; undefined: no `file:` address is followed. */
  fileMarks?: string | undefined;
  /** Loopback, RFC 1918, unique local. Link-local is refused always. */
  allowPrivate: boolean;
}

export interface ActivitySettings {
  /** After this long without a heartbeat Temporal gives the work to another attempt. */
  heartbeatTimeoutMs: number;
  /** How long a source that makes no progress is tried again before its last error counts. */
  retryForMs: number;
}

/** What a worker process takes on, and how it can be watched. */
export interface WorkerSettings {
  /** Downloads at once in one worker. */
  transferSlots: number;
  /** Inspections and conversions at once in one worker. */
  convertSlots: number;
  /** How long work under way may go on after the first signal, before the worker asks it to write its checkpoint. */
  graceMs: number;
  /** `host:port` of liveness and readiness; undefined: none. */
  healthAddress: string | undefined;
  /** `host:port` of Prometheus's page; undefined: none. */
  metricsAddress: string | undefined;
  /** For Temporal's worker versioning; undefined: not versioned. */
  version: { deploymentName: string; buildId: string } | undefined;
}

export const LOG_FORMATS = ['json', 'text'] as const;
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;

export interface LogSettings {
  /** Undefined: text for people (a terminal, the embedded host's file), else JSON. */
  format: (typeof LOG_FORMATS)[number] | undefined;
  level: (typeof LOG_LEVELS)[number];
}

/** The engine `emr`: the cluster that a run makes, or uses. Region, endpoint and credentials are the SDK's to find. */
export interface EmrSettings {
  releaseLabel: string;
  /** Of the master and the core nodes. */
  instanceType: string;
  coreCount: number;
  subnetId: string | undefined;
  serviceRole: string;
  instanceProfile: string;
  /** Ends with `/`; undefined: below the converted zone of the lake. */
  logUri: string | undefined;
  /** JSON with what RunJobFlow gets beside that. */
  requestFile: string | undefined;
  /** A cluster that we made stays for so long after a run that ended well; undefined: it ends with the run. */
  keepAliveMs: number | undefined;
  /** A cluster of the user's: never ended, tagged or given a policy. */
  clusterId: string | undefined;
  output: EmrOutput;
  maxInstanceHours: number;
  stepLimitMs: number;
  /** Of EMR Serverless: the engine `emr-serverless` needs both. */
  applicationId: string | undefined;
  jobRoleArn: string | undefined;
}
