import { availableParallelism, totalmem } from 'node:os';
import { resolve } from 'node:path';
import { awsOfFile, endpointOf, s3PlaceOf } from './aws-environment.ts';
import { emrSettings, problemOfEmr } from './emr-settings.ts';
import { readEnvFile, type EnvEntry } from './env-file.ts';
import { fingerprintsOf, type Fingerprints } from './fingerprints.ts';
import { assertNoProblems, shown, type Problem } from './problems.ts';
import { SETTING_KEYS, type SettingKey, type SettingValues } from './setting-keys.ts';
import type {
  HttpSettings,
  S3Settings,
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

/** As `loadSettings`, but hands the problems back, so that they can be told together with those of datasets.yaml. */
export function readSettings(source: SettingsSource): {
  settings: Settings;
  problems: Problem[];
  /** Whether somebody chose the datasets file, so that its absence is a problem. */
  datasetsFileChosen: boolean;
  /** The lake in S3, in words; undefined without a bucket. */
  s3Place: string | undefined;
  /** What of the file is for the AWS SDK, which reads the environment only. */
  aws: Record<string, string>;
  fingerprints: Fingerprints;
} {
  const label = source.envFile ?? '.env';
  const file = readEnvFile(resolve(source.cwd, label), label);
  const problems = [...file.problems];
  const values: Partial<Record<SettingKey, unknown>> = {};
  for (const key of Object.keys(SETTING_KEYS) as SettingKey[]) {
    const entry = entryOf(key, source.env, file.entries);
    if (!entry || entry.value === '') continue;
    const { schema, expects, secret } = SETTING_KEYS[key];
    const parsed = schema.safeParse(entry.value);
    if (parsed.success) values[key] = parsed.data;
    else {
      const found = secret ? '' : `, not ${shown(entry.value)}`;
      problems.push({ where: entry.where, message: `${key} must be ${expects}${found}` });
    }
  }
  const { temporal, problems: ofTemporal } = readTemporal({
    env: source.env,
    file: file.entries,
    cwd: source.cwd,
    has: (key) =>
      key in SETTING_KEYS
        ? values[key as SettingKey] !== undefined
        : (entryOf(key, source.env, file.entries)?.value ?? '') !== '',
    entryOf: (key) => entryOf(key, source.env, file.entries),
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
    keys.map((key) => entryOf(key, source.env, file.entries)?.where).find(Boolean) ?? label;
  // Where the bucket itself is not right, that is said already.
  if (!problems.some(({ message }) => message.startsWith('S3_BUCKET '))) {
    problems.push(...problemsOfS3(settings, labelled));
  }
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
    s3Place: s3PlaceOf(settings.s3, endpoint),
    aws,
    fingerprints: fingerprintsOf(values as SettingValues, { ...source.env, ...aws }, source.cwd),
  };
}

function problemsOfS3({ target, s3 }: Settings, where: (...keys: string[]) => string): Problem[] {
  if (target === 's3' && !s3) {
    const message = 'LONGHAUL_TARGET=s3 needs an S3_BUCKET to go with it';
    return [{ where: where('LONGHAUL_TARGET'), message }];
  }
  if (!s3 || !overlap(s3.rawPrefix, s3.convertedPrefix)) return [];
  const message = 'S3_RAW_PREFIX and S3_CONVERTED_PREFIX must not lie inside each other';
  return [{ where: where('S3_CONVERTED_PREFIX', 'S3_RAW_PREFIX'), message }];
}

function overlap(one: string, other: string): boolean {
  return one.startsWith(other) || other.startsWith(one);
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
  const dataDir = resolve(cwd, values.DATA_DIR ?? 'data');
  const embedded = temporal.address === undefined;
  return {
    dataDir,
    rawDir: resolve(dataDir, 'takehome-raw'),
    convertedDir: resolve(dataDir, 'takehome-converted'),
    stateDir: resolve(dataDir, '.longhaul'),
    datasetsFile: resolve(cwd, values.DATASETS_FILE ?? 'datasets.yaml'),
    target: values.LONGHAUL_TARGET ?? 'disk',
    s3: s3Settings(values, customEndpoint),
    temporal,
    temporalCli: values.TEMPORAL_CLI,
    engine: values.ENGINE ?? 'duckdb',
    sourceConcurrency: values.SOURCE_CONCURRENCY ?? 2,
    duckdb: {
      memoryLimit: values.DUCKDB_MEMORY_LIMIT ?? defaultMemoryLimit(),
      threads: values.DUCKDB_THREADS ?? availableParallelism(),
      httpfs: values.DUCKDB_HTTPFS === undefined ? undefined : resolve(cwd, values.DUCKDB_HTTPFS),
    },
    spark: {
      home: folderOf(values.SPARK_HOME, cwd),
      hadoopJars: folderOf(values.HADOOP_JARS, cwd),
      javaHome: folderOf(values.JAVA_HOME, cwd),
      searchPath,
      master: values.SPARK_MASTER ?? DEFAULT_SPARK_MASTER,
      driverMemory: values.SPARK_DRIVER_MEMORY ?? DEFAULT_DRIVER_MEMORY,
      idleMs: SPARK_IDLE_MS,
    },
    http: httpSettings(values),
    addresses: {
      ...(embedded && { fileMarks: resolve(dataDir, '.longhaul', 'files') }),
      allowPrivate: values.ALLOW_PRIVATE_ADDRESSES ?? embedded,
    },
    activity: {
      heartbeatTimeoutMs: milliseconds(values.HEARTBEAT_TIMEOUT_SECONDS ?? 60),
      retryForMs: milliseconds((values.SOURCE_RETRY_MINUTES ?? 15) * 60),
    },
    worker: workerSettings(values),
    log: { format: values.LOG_FORMAT, level: values.LOG_LEVEL ?? 'info' },
    emr: emrSettings(values),
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

/** Undefined without a bucket. `customEndpoint`: S3-compatible stores are mostly reached by path. */
function s3Settings(values: SettingValues, customEndpoint: boolean): S3Settings | undefined {
  if (values.S3_BUCKET === undefined) return undefined;
  return {
    bucket: values.S3_BUCKET,
    rawPrefix: values.S3_RAW_PREFIX ?? DEFAULT_RAW_PREFIX,
    convertedPrefix: values.S3_CONVERTED_PREFIX ?? DEFAULT_CONVERTED_PREFIX,
    pathStyle: values.S3_PATH_STYLE ?? customEndpoint,
    checksums: values.S3_CHECKSUMS ?? true,
    uploadConcurrency: UPLOAD_CONCURRENCY,
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    stallTimeoutMs: milliseconds(values.S3_STALL_TIMEOUT_SECONDS ?? 60),
  };
}

/** Of one landing, each 16 MiB of memory: more made no landing faster. */
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
    maxBytes: values.MAX_SOURCE_SIZE,
  };
}

const DEFAULT_RAW_PREFIX = 'takehome-raw/';
const DEFAULT_CONVERTED_PREFIX = 'takehome-converted/';

const DEFAULT_SPARK_MASTER = 'local[3]';
/** A task holds a row group of text, up to 128 MiB, while it compresses it: three of them, and Spark itself. */
const DEFAULT_DRIVER_MEMORY = '2g';
/** From one source's conversion to the next one's, while that is inspected; then its memory is free. */
const SPARK_IDLE_MS = 60_000;

function folderOf(value: string | undefined, cwd: string): string | undefined {
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

function milliseconds(seconds: number): number {
  return Math.round(seconds * 1000);
}
