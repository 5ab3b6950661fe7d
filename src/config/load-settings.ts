import { availableParallelism, totalmem } from 'node:os';
import { join, resolve } from 'node:path';
import {
  awsOfFile,
  endpointOf,
  problemsOfOldKeys,
  readEnvFile,
  type EnvEntry,
} from './env-file.ts';
import { fingerprintsOf, type Fingerprints } from './fingerprints.ts';
import { assertNoProblems, shown, type Problem } from './problems.ts';
import { SETTING_KEYS, type Rule, type SettingKey, type SettingValues } from './setting-keys.ts';
import type {
  EmrSettings,
  HttpSettings,
  LakeSettings,
  Settings,
  TemporalSettings,
  WorkerSettings,
} from './settings.ts';
import { readTemporal } from './temporal-settings.ts';

export interface SettingsSource {
  env: Readonly<Record<string, string | undefined>>;
  /** Absolute; relative paths of the settings start here. */
  cwd: string;
  /** Relative to `cwd`; `.env` by default. Need not exist. */
  envFile?: string;
  /** What --lake says, which wins over LAKE. */
  lake?: string | undefined;
}

/**
 * Every setting, from the environment, else from `.env`, else its default. An empty value means "not set", so an
 * empty variable in the environment undoes a line of the file.
 * @throws LonghaulError CONFIG_INVALID naming every problem with its file and line.
 */
export function loadSettings(source: SettingsSource): Settings {
  const { settings, problems } = readSettings(source);
  assertNoProblems(problems);
  return settings;
}

/** As `loadSettings`, but returns the problems, so that one message can list them with those of datasets.yaml. */
export function readSettings(source: SettingsSource): {
  settings: Settings;
  problems: Problem[];
  /** Whether the user chose the datasets file, so that its absence is a problem. */
  datasetsFileChosen: boolean;
  /** What of the file is for the AWS SDK, which reads the environment only. */
  aws: Record<string, string>;
  fingerprints: Fingerprints;
} {
  const label = source.envFile ?? '.env';
  const file = readEnvFile(resolve(source.cwd, label), label);
  const problems = [...file.problems];
  const values: Partial<Record<SettingKey, unknown>> = {};
  const lookUp = (key: string): EnvEntry | undefined =>
    key === 'LAKE' && source.lake !== undefined
      ? { value: source.lake, where: '--lake' }
      : entryOf(key, source.env, file.entries);
  for (const key of Object.keys(SETTING_KEYS) as SettingKey[]) {
    const entry = lookUp(key);
    if (!entry || entry.value === '') continue;
    const { expects, read, isSecret = false }: Rule<unknown> = SETTING_KEYS[key];
    const value = read(entry.value);
    values[key] = value;
    if (value !== undefined) continue;
    const found = isSecret ? '' : `, not ${shown(entry.value)}`;
    problems.push({ where: entry.where, message: `${key} must be ${expects}${found}` });
  }
  const { temporal, problems: ofTemporal } = readTemporal({
    env: source.env,
    file: file.entries,
    cwd: source.cwd,
    has: (key) =>
      key in SETTING_KEYS
        ? values[key as SettingKey] !== undefined
        : (lookUp(key)?.value ?? '') !== '',
    entryOf: lookUp,
    label,
  });
  problems.push(...ofTemporal);
  const endpoint = endpointOf(file.entries, source.env);
  const settings = withDefaults(values as SettingValues, temporal, {
    cwd: source.cwd,
    searchPath: source.env['PATH'],
    customEndpoint: endpoint !== undefined,
  });
  const labelled = (...keys: string[]): string =>
    keys.map((key) => lookUp(key)?.where).find(Boolean) ?? label;
  problems.push(...problemsOfOldKeys(lookUp));
  if ((values.WORKER_DEPLOYMENT_NAME === undefined) !== (values.WORKER_BUILD_ID === undefined)) {
    const where = labelled('WORKER_DEPLOYMENT_NAME', 'WORKER_BUILD_ID');
    problems.push({ where, message: 'WORKER_DEPLOYMENT_NAME and WORKER_BUILD_ID go together' });
  }
  const emr = problemOfEmr(settings.emr);
  if (emr !== undefined) problems.push({ where: labelled('EMR_OUTPUT'), message: emr });
  const aws = awsOfFile(file.entries, source.env);
  return {
    settings,
    problems,
    datasetsFileChosen: values.DATASETS_FILE !== undefined,
    aws,
    fingerprints: fingerprintsOf(values as SettingValues, { ...source.env, ...aws }, source.cwd),
  };
}

function entryOf(
  key: string,
  env: SettingsSource['env'],
  file: ReadonlyMap<string, EnvEntry>,
): EnvEntry | undefined {
  const value = env[key];
  return value === undefined ? file.get(key) : { value, where: 'environment' };
}

function withDefaults(
  values: SettingValues,
  temporal: TemporalSettings,
  {
    cwd,
    searchPath,
    customEndpoint,
  }: { cwd: string; searchPath: string | undefined; customEndpoint: boolean },
): Settings {
  const lake = lakeSettings(values, cwd, customEndpoint);
  const stateHome = lake.kind === 'disk' ? lake.folder : cwd;
  const stateDir = resolve(cwd, values.STATE_DIR ?? join(stateHome, '.longhaul'));
  const embedded = temporal.address === undefined;
  return {
    lake,
    stateDir,
    datasetsFile: resolve(cwd, values.DATASETS_FILE ?? 'datasets.yaml'),
    temporal,
    temporalCli: values.TEMPORAL_CLI,
    // Athena and its like read buckets only.
    glueDatabase: lake.kind === 's3' ? values.GLUE_DATABASE : undefined,
    engine: values.ENGINE ?? 'duckdb',
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
      heartbeatTimeoutMs: milliseconds(values.HEARTBEAT_TIMEOUT_SECONDS ?? 60),
      retryForMs: milliseconds((values.SOURCE_RETRY_MINUTES ?? 15) * 60),
    },
    worker: workerSettings(values),
    log: { format: values.LOG_FORMAT, level: values.LOG_LEVEL ?? 'info' },
    emr: emrSettings(values, cwd),
  };
}

function workerSettings(values: SettingValues): WorkerSettings {
  const { WORKER_DEPLOYMENT_NAME: deploymentName, WORKER_BUILD_ID: buildId } = values;
  const versioned = deploymentName !== undefined && buildId !== undefined;
  return {
    transferSlots: values.TRANSFER_SLOTS ?? DEFAULT_TRANSFER_SLOTS,
    convertSlots: values.CONVERT_SLOTS ?? DEFAULT_CONVERT_SLOTS,
    graceMs: milliseconds(values.WORKER_GRACE_SECONDS ?? DEFAULT_GRACE_SECONDS),
    healthAddress: values.WORKER_HEALTH_ADDRESS,
    metricsAddress: values.METRICS_ADDRESS,
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

/** `customEndpoint`: S3-compatible stores are mostly reached by path. */
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

function emrSettings(values: SettingValues, cwd: string): EmrSettings {
  return {
    releaseLabel: values.EMR_RELEASE_LABEL ?? 'emr-7.13.0',
    instanceType: values.EMR_INSTANCE_TYPE ?? DEFAULT_TYPE,
    coreCount: values.EMR_CORE_COUNT ?? DEFAULT_CORE_COUNT,
    subnetId: values.EMR_SUBNET_ID,
    serviceRole: values.EMR_SERVICE_ROLE ?? 'EMR_DefaultRole',
    instanceProfile: values.EMR_INSTANCE_PROFILE ?? 'EMR_EC2_DefaultRole',
    logUri: values.EMR_LOG_URI,
    requestFile: resolved(values.EMR_REQUEST, cwd),
    keepAliveMs: values.EMR_KEEP_ALIVE,
    clusterId: values.EMR_CLUSTER_ID,
    output: values.EMR_OUTPUT ?? 'both',
    maxInstanceHours: values.EMR_MAX_INSTANCE_HOURS ?? 24,
    applicationId: values.EMR_SERVERLESS_APPLICATION_ID,
    jobRoleArn: values.EMR_SERVERLESS_ROLE_ARN,
    stepLimitMs: milliseconds((values.EMR_STEP_LIMIT_MINUTES ?? 180) * 60),
  };
}

/** Paid for, and gone at once. */
function problemOfEmr({ output, keepAliveMs, clusterId }: EmrSettings): string | undefined {
  if (output !== 'hdfs' || keepAliveMs !== undefined || clusterId !== undefined) return undefined;
  return 'EMR_OUTPUT=hdfs needs EMR_KEEP_ALIVE=2h, or an EMR_CLUSTER_ID: HDFS ends with its cluster';
}

function milliseconds(seconds: number): number {
  return Math.round(seconds * 1000);
}
