import { availableParallelism, totalmem } from 'node:os';
import { join, resolve } from 'node:path';
import type { LakeAddress } from '../model/lake-address.ts';
import type { SettingValues } from './setting-keys.ts';
import type { TemporalSettings } from './temporal-settings.ts';

export type Settings = ReturnType<typeof settingsOf>;
export type ActivitySettings = Settings['activity'];
export type EmrSettings = Settings['emr'];

/** The one lake of a process. Its folder is an absolute path. */
export type LakeSettings = Extract<LakeAddress, { kind: 'disk' }> | S3Settings;

/**
 * A lake in a bucket, as plain data that a child process can receive. Region, endpoint and credentials are not in it,
 * because each process finds them as the AWS SDKs do.
 */
export type S3Settings = Extract<LakeAddress, { kind: 's3' }> & {
  /** Whether addresses are `https://endpoint/bucket/key` instead of `https://bucket.endpoint/key`. */
  pathStyle: boolean;
  /** Whether S3 computes a CRC-32 of the whole object. If false, Longhaul compares sizes and ETags instead. */
  checksums: boolean;
  /** The KMS key for all written objects. Undefined means the bucket's default encryption. */
  kmsKeyId?: string | undefined;
  /** The number of parts that one landing sends at the same time. */
  uploadConcurrency: number;
  connectTimeoutMs: number;
  /** A request fails if no byte passes in either direction for this long. */
  stallTimeoutMs: number;
};

export interface DuckDbSettings {
  /** The limit in DuckDB's form: `1GiB`. */
  memoryLimit: string;
  threads: number;
  /** Path of DuckDB's httpfs extension, which S3 needs. If undefined, Longhaul fetches a pinned one once. */
  httpfs?: string | undefined;
}

export interface SparkSettings {
  /** SPARK_HOME. If undefined: `spark-submit` on the PATH, python3's pyspark, or a pinned Spark, fetched once. */
  home?: string | undefined;
  /** JAVA_HOME. If undefined, Longhaul uses `java` on the PATH. */
  javaHome?: string | undefined;
  /** HADOOP_JARS: a folder that holds `s3a`. If undefined, Maven fetches the jars once, when Spark needs S3. */
  hadoopJars?: string | undefined;
  /** PATH, on which Longhaul looks for `spark-submit` and `java`. */
  searchPath?: string | undefined;
  /** The master in spark-submit's form: `local[3]`. */
  master: string;
  /** The size in Java's form: `2g`. */
  driverMemory: string;
  /** SPARK_STAGE_BYTES: the limit of a run's copies for Spark on the disk. By default a share of the free space. */
  stageBytes?: number | undefined;
}

export interface HttpSettings {
  connectTimeoutMs: number;
  /** An attempt fails if no byte arrives for this long. */
  stallTimeoutMs: number;
  /** An attempt fails if its body is slower on average while the worker waits. If absent, no body is too slow. */
  minRate?: { bytesPerSecond: number; overMs: number };
  /** A mail or web address in the User-Agent, so that a publisher can reach the operator. */
  contact?: string;
  /** The worker refuses a longer file. If absent, only the room in the lake limits a file. */
  maxBytes?: number;
}

/** The addresses that a worker may read. The policy is needed because any user who may start runs chooses addresses. */
export interface AddressPolicy {
  /** Absolute path of the folder that marks the readable files. If undefined, the worker refuses `file:` addresses. */
  fileMarks?: string | undefined;
  /** Whether loopback, RFC 1918 and unique local addresses are allowed. Link-local addresses never are. */
  allowPrivate: boolean;
}

interface Surroundings {
  cwd: string;
  searchPath: string | undefined;
  /** Whether an endpoint is configured. Such stores mostly have the bucket in the path. */
  customEndpoint: boolean;
}

/** Returns all settings, checked and typed, with defaults for those that are not set. Paths are absolute. */
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
    /** The folder with the embedded server's state. */
    stateDir,
    datasetsFile: resolve(cwd, values.DATASETS_FILE ?? 'datasets.yaml'),
    temporal,
    /** The Temporal program for the embedded server. If undefined, `temporal` on the PATH, else a fetched one. */
    temporalCli: values.TEMPORAL_CLI,
    /** The Glue database that lists the Iceberg tables, if any. Athena and similar services read only buckets. */
    glueDatabase: lake.kind === 's3' ? values.GLUE_DATABASE : undefined,
    engine: values.ENGINE ?? 'duckdb',
    /** The number of sources that one run works on at the same time. */
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
      /** Temporal starts another attempt after this long without a heartbeat. */
      heartbeatTimeoutMs: milliseconds(values.HEARTBEAT_TIMEOUT_SECONDS ?? 60),
      /** How long Temporal retries a source without progress before its last error counts. */
      retryForMs: milliseconds((values.SOURCE_RETRY_MINUTES ?? 15) * 60),
    },
    worker: workerSettings(values),
    /** If there is no format, logs are text on a terminal and in the embedded host's file, else JSON. */
    log: { format: values.LOG_FORMAT, level: values.LOG_LEVEL ?? 'info' },
    emr: emrSettings(values, cwd),
  };
}

/** How much work a worker process takes, and how the operator can watch it. */
function workerSettings(values: SettingValues) {
  const { WORKER_DEPLOYMENT_NAME: deploymentName, WORKER_BUILD_ID: buildId } = values;
  const versioned = deploymentName !== undefined && buildId !== undefined;
  return {
    /** The number of concurrent downloads in one worker. */
    transferSlots: values.TRANSFER_SLOTS ?? DEFAULT_TRANSFER_SLOTS,
    /** The number of concurrent inspections and conversions in one worker. */
    convertSlots: values.CONVERT_SLOTS ?? DEFAULT_CONVERT_SLOTS,
    /** After the first signal, work may continue for this long. Then the worker asks it to write its checkpoint. */
    graceMs: milliseconds(values.WORKER_GRACE_SECONDS ?? DEFAULT_GRACE_SECONDS),
    /** `host:port` for liveness and readiness. Undefined for none. */
    healthAddress: values.WORKER_HEALTH_ADDRESS,
    /** `host:port` for Prometheus. Undefined for none. */
    metricsAddress: values.METRICS_ADDRESS,
    /** The version for Temporal's worker versioning. Undefined if the worker has no version. */
    version: versioned ? { deploymentName, buildId } : undefined,
  };
}

/** A download mostly waits for its network. Into S3 it holds 80 MiB, or 320 MiB if the source has no length. */
const DEFAULT_TRANSFER_SLOTS = 4;
/** One conversion of DuckDB uses nearly all cores; a second one uses the rest. The default memory allows two. */
const DEFAULT_CONVERT_SLOTS = 2;
/** A small step ends in this time, so that it need not run again. A large one writes its checkpoint afterwards. */
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

/** The number of parts that one landing sends at the same time, mostly of 16 MiB. More parts made no landing faster. */
const UPLOAD_CONCURRENCY = 4;
/** A running server answers within one round trip. The limit allows for a slow network. */
const CONNECT_TIMEOUT_MS = 10_000;
/**
 * At a lower rate, 1 MiB takes more than 17 minutes. The rate counts over one minute, as long as a body may stall by
 * default, so that a short break does not fail an attempt.
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
/** A task holds up to 128 MiB of text while it compresses a row group. Three tasks and Spark itself fit. */
const DEFAULT_DRIVER_MEMORY = '2g';

function resolved(value: string | undefined, cwd: string): string | undefined {
  return value === undefined ? undefined : resolve(cwd, value);
}

const MIB = 1024 * 1024;
/** Two concurrent conversions, each with a quarter, leave half of the machine's memory to other work. */
const MEMORY_SHARE = 1 / 4;
/** With less memory, DuckDB spends most of the type detection of a wide file on spilling to disk. */
const MIN_MEMORY_MIB = 512;
/** More memory made no measured file faster. */
const MAX_MEMORY_MIB = 8192;

function defaultMemoryLimit(): string {
  const constrained = process.constrainedMemory();
  const memory = constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
  const share = Math.floor((memory * MEMORY_SHARE) / MIB);
  return `${Math.min(MAX_MEMORY_MIB, Math.max(MIN_MEMORY_MIB, share))}MiB`;
}

/** One master and two core nodes with HDFS are the smallest cluster on which two machines run tasks. */
const DEFAULT_TYPE = 'm7g.xlarge';
const DEFAULT_CORE_COUNT = 2;

/** The cluster that a run makes or uses. The SDK finds the region, the endpoint and the credentials. */
function emrSettings(values: SettingValues, cwd: string) {
  return {
    releaseLabel: values.EMR_RELEASE_LABEL ?? 'emr-7.13.0',
    /** The instance type of the master and the core nodes. */
    instanceType: values.EMR_INSTANCE_TYPE ?? DEFAULT_TYPE,
    coreCount: values.EMR_CORE_COUNT ?? DEFAULT_CORE_COUNT,
    subnetId: values.EMR_SUBNET_ID,
    serviceRole: values.EMR_SERVICE_ROLE ?? 'EMR_DefaultRole',
    instanceProfile: values.EMR_INSTANCE_PROFILE ?? 'EMR_EC2_DefaultRole',
    /** The place for logs, which ends with `/`. If undefined, it is below the converted zone of the lake. */
    logUri: values.EMR_LOG_URI,
    /** Path of a JSON file with more fields for RunJobFlow. */
    requestFile: resolved(values.EMR_REQUEST, cwd),
    /** How long a cluster that Longhaul made stays after a successful run. If undefined, it ends with the run. */
    keepAliveMs: values.EMR_KEEP_ALIVE,
    /** The user's own cluster. Longhaul never ends or tags it, and gives it no policy. */
    clusterId: values.EMR_CLUSTER_ID,
    output: values.EMR_OUTPUT ?? 'both',
    maxInstanceHours: values.EMR_MAX_INSTANCE_HOURS ?? 24,
    stepLimitMs: milliseconds((values.EMR_STEP_LIMIT_MINUTES ?? 180) * 60),
    /** The application of EMR Serverless. The engine `emr-serverless` needs this and the role. */
    applicationId: values.EMR_SERVERLESS_APPLICATION_ID,
    jobRoleArn: values.EMR_SERVERLESS_ROLE_ARN,
  };
}

function milliseconds(seconds: number): number {
  return Math.round(seconds * 1000);
}
