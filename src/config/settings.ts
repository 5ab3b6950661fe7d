import { availableParallelism, totalmem } from 'node:os';
import { join, resolve } from 'node:path';
import type { LakeAddress } from '../model/lake-address.ts';
import type { SettingValues } from './setting-keys.ts';

export type Settings = ReturnType<typeof settingsOf>;
export type ActivitySettings = Settings['activity'];
export type LogSettings = Settings['log'];
export type EmrSettings = Settings['emr'];

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

interface Surroundings {
  cwd: string;
  searchPath: string | undefined;
  /** Of a store of its own: those are mostly reached by path. */
  customEndpoint: boolean;
}

/** Every setting, checked and typed, with the defaults of those that are not set. Paths are absolute. */
export function settingsOf(
  values: SettingValues,
  temporal: TemporalSettings,
  { cwd, searchPath, customEndpoint }: Surroundings,
) {
  const lake = lakeSettings(values, cwd, customEndpoint);
  const stateHome = lake.kind === 'disk' ? lake.folder : cwd;
  const stateDir = resolve(cwd, values.STATE_DIR ?? join(stateHome, '.longhaul'));
  const embedded = temporal.address === undefined;
  return {
    lake,
    /** Holds the embedded server's state. */
    stateDir,
    datasetsFile: resolve(cwd, values.DATASETS_FILE ?? 'datasets.yaml'),
    temporal,
    /** The Temporal program for the embedded server; undefined: `temporal` on the PATH, else fetched. */
    temporalCli: values.TEMPORAL_CLI,
    /** In which each dataset's Iceberg table is entered; undefined: in none. Athena and its like read buckets only. */
    glueDatabase: lake.kind === 's3' ? values.GLUE_DATABASE : undefined,
    engine: values.ENGINE ?? 'duckdb',
    /** Sources of one run in work at once. */
    sourceConcurrency: values.SOURCE_CONCURRENCY ?? 2,
    duckdb: {
      memoryLimit: values.DUCKDB_MEMORY_LIMIT ?? defaultMemoryLimit(),
      threads: values.DUCKDB_THREADS ?? availableParallelism(),
      httpfs: resolved(values.DUCKDB_HTTPFS, cwd),
    },
    spark: {
      home: resolved(values.SPARK_HOME, cwd),
      hadoopJars: resolved(values.HADOOP_JARS, cwd),
      javaHome: resolved(values.JAVA_HOME, cwd),
      searchPath,
      master: values.SPARK_MASTER ?? DEFAULT_SPARK_MASTER,
      driverMemory: values.SPARK_DRIVER_MEMORY ?? DEFAULT_DRIVER_MEMORY,
      stageBytes: values.SPARK_STAGE_BYTES,
    },
    http: httpSettings(values),
    addresses: {
      ...(embedded && { fileMarks: join(stateDir, 'files') }),
      allowPrivate: values.ALLOW_PRIVATE_ADDRESSES ?? embedded,
    },
    activity: {
      /** After this long without a heartbeat Temporal gives the work to another attempt. */
      heartbeatTimeoutMs: milliseconds(values.HEARTBEAT_TIMEOUT_SECONDS ?? 60),
      /** How long a source that makes no progress is tried again before its last error counts. */
      retryForMs: milliseconds((values.SOURCE_RETRY_MINUTES ?? 15) * 60),
    },
    worker: workerSettings(values),
    /** Without a format: text for people (a terminal, the embedded host's file), else JSON. */
    log: { format: values.LOG_FORMAT, level: values.LOG_LEVEL ?? 'info' },
    emr: emrSettings(values, cwd),
  };
}

/** What a worker process takes on, and how it can be watched. */
function workerSettings(values: SettingValues) {
  const { WORKER_DEPLOYMENT_NAME: deploymentName, WORKER_BUILD_ID: buildId } = values;
  const versioned = deploymentName !== undefined && buildId !== undefined;
  return {
    /** Downloads at once in one worker. */
    transferSlots: values.TRANSFER_SLOTS ?? DEFAULT_TRANSFER_SLOTS,
    /** Inspections and conversions at once in one worker. */
    convertSlots: values.CONVERT_SLOTS ?? DEFAULT_CONVERT_SLOTS,
    /** How long work under way may go on after the first signal, before the worker asks it to write its checkpoint. */
    graceMs: milliseconds(values.WORKER_GRACE_SECONDS ?? DEFAULT_GRACE_SECONDS),
    /** `host:port` of liveness and readiness; undefined: none. */
    healthAddress: values.WORKER_HEALTH_ADDRESS,
    /** `host:port` of Prometheus's page; undefined: none. */
    metricsAddress: values.METRICS_ADDRESS,
    /** For Temporal's worker versioning; undefined: not versioned. */
    version: versioned ? { deploymentName, buildId } : undefined,
  };
}

/** A download waits for its network most of the time, and holds some MiB: 80 into S3. */
const DEFAULT_TRANSFER_SLOTS = 4;
/** DuckDB keeps all cores busy by itself; a second conversion fills the gaps, and memory is shared out for two. */
const DEFAULT_CONVERT_SLOTS = 2;
/** A small step ends in that time, and need not be done again; a large one writes its checkpoint after it. */
const DEFAULT_GRACE_SECONDS = 10;

const DEFAULT_LAKE = { kind: 'disk', folder: 'data' } as const;

function lakeSettings(values: SettingValues, cwd: string, customEndpoint: boolean): LakeSettings {
  const lake = values.LAKE ?? DEFAULT_LAKE;
  if (lake.kind === 'disk') return { kind: 'disk', folder: resolve(cwd, lake.folder) };
  return {
    ...lake,
    pathStyle: values.S3_PATH_STYLE ?? customEndpoint,
    checksums: values.S3_CHECKSUMS ?? true,
    kmsKeyId: values.S3_KMS_KEY_ID,
    uploadConcurrency: UPLOAD_CONCURRENCY,
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    stallTimeoutMs: milliseconds(values.S3_STALL_TIMEOUT_SECONDS ?? 60),
  };
}

/** Parts that one landing sends at once, each 16 MiB of memory: more made no landing faster. */
const UPLOAD_CONCURRENCY = 4;
/** A server that is there answers in one round trip; curl's users set as much. */
const CONNECT_TIMEOUT_MS = 10_000;
/**
 * With less even a MiB takes a quarter of an hour; a modem of 1995 had three times as much. A minute is as long as a body may
 * stall: a short break is no slowness.
 */
const MIN_RATE = { bytesPerSecond: 1024, overMs: 60_000 };

function httpSettings(values: SettingValues): HttpSettings {
  return {
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    stallTimeoutMs: milliseconds(values.HTTP_STALL_TIMEOUT_SECONDS ?? 60),
    minRate: MIN_RATE,
    contact: values.HTTP_CONTACT,
    maxBytes: values.MAX_SOURCE_SIZE,
  };
}

const DEFAULT_SPARK_MASTER = 'local[3]';
/** A task holds a row group of text, up to 128 MiB, while it compresses it: three of them, and Spark itself. */
const DEFAULT_DRIVER_MEMORY = '2g';

function resolved(value: string | undefined, cwd: string): string | undefined {
  return value === undefined ? undefined : resolve(cwd, value);
}

const MIB = 1024 * 1024;
/** Two conversions at once, each with a quarter, leave half of the machine to everything else. */
const MEMORY_SHARE = 1 / 4;
/** Under this, whole-file typing of a wide file spills more than it works. */
const MIN_MEMORY_MIB = 512;
/** More made no file of this size faster. */
const MAX_MEMORY_MIB = 8192;

function defaultMemoryLimit(): string {
  const constrained = process.constrainedMemory();
  const memory = constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
  const share = Math.floor((memory * MEMORY_SHARE) / MIB);
  return `${Math.min(MAX_MEMORY_MIB, Math.max(MIN_MEMORY_MIB, share))}MiB`;
}

/** One master and two core nodes with HDFS: the least that has two machines' worth of tasks. */
const DEFAULT_TYPE = 'm7g.xlarge';
const DEFAULT_CORE_COUNT = 2;

/** The cluster that a run makes, or uses. Region, endpoint and credentials are the SDK's to find. */
function emrSettings(values: SettingValues, cwd: string) {
  return {
    releaseLabel: values.EMR_RELEASE_LABEL ?? 'emr-7.13.0',
    /** Of the master and the core nodes. */
    instanceType: values.EMR_INSTANCE_TYPE ?? DEFAULT_TYPE,
    coreCount: values.EMR_CORE_COUNT ?? DEFAULT_CORE_COUNT,
    subnetId: values.EMR_SUBNET_ID,
    serviceRole: values.EMR_SERVICE_ROLE ?? 'EMR_DefaultRole',
    instanceProfile: values.EMR_INSTANCE_PROFILE ?? 'EMR_EC2_DefaultRole',
    /** Ends with `/`; undefined: below the converted zone of the lake. */
    logUri: values.EMR_LOG_URI,
    /** JSON with what RunJobFlow gets beside that. */
    requestFile: resolved(values.EMR_REQUEST, cwd),
    /** A cluster that we made stays for so long after a run that ended well; undefined: it ends with the run. */
    keepAliveMs: values.EMR_KEEP_ALIVE,
    /** A cluster of the user's: never ended, tagged or given a policy. */
    clusterId: values.EMR_CLUSTER_ID,
    output: values.EMR_OUTPUT ?? 'both',
    maxInstanceHours: values.EMR_MAX_INSTANCE_HOURS ?? 24,
    stepLimitMs: milliseconds((values.EMR_STEP_LIMIT_MINUTES ?? 180) * 60),
    /** Of EMR Serverless: the engine `emr-serverless` needs both. */
    applicationId: values.EMR_SERVERLESS_APPLICATION_ID,
    jobRoleArn: values.EMR_SERVERLESS_ROLE_ARN,
  };
}

function milliseconds(seconds: number): number {
  return Math.round(seconds * 1000);
}
