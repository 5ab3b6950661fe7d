import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import type { Engine } from '../model/dataset.ts';
import type { LakeAddress } from '../model/lake-address.ts';
import { SETTING_KEYS, type SettingKey, type SettingValues } from './setting-keys.ts';

/**
 * Name of a setting → hash of its value, for everything that a worker's work depends on. Two processes compare them
 * without exchanging the values. An unset setting has a hash too; one that spells out its default differs from it.
 */
export type Fingerprints = Readonly<Record<string, string>>;

/** Settings that no worker depends on: the command uses them itself, or passes them on with the run. */
const NOT_OF_WORKER: ReadonlySet<SettingKey> = new Set<SettingKey>([
  // Which state folder, and so which worker, it is; another lake's worker is refused by its own error.
  'LAKE',
  'STATE_DIR',
  // Part of the run's input.
  'DATASETS_FILE',
  'ENGINE',
  'SOURCE_CONCURRENCY',
  'HEARTBEAT_TIMEOUT_SECONDS',
  // How the server is started; runs do not depend on it.
  'TEMPORAL_CLI',
  // `longhaul worker` alone has it.
  'WORKER_HEALTH_ADDRESS',
]);

/** Relative ones start at the folder of the process. */
const PATHS: ReadonlySet<string> = new Set([
  'DUCKDB_HTTPFS',
  'SPARK_HOME',
  'HADOOP_JARS',
  'JAVA_HOME',
]);

/** What Node, and the worker itself, reads of the environment. */
const OF_NODE = ['NODE_EXTRA_CA_CERTS', 'NODE_OPTIONS', 'NODE_TLS_REJECT_UNAUTHORIZED', 'TMPDIR'];

/** What every AWS SDK reads to find identity and region; all other AWS_ variables share one fingerprint. */
const OF_AWS = [
  'AWS_ACCESS_KEY_ID',
  'AWS_SECRET_ACCESS_KEY',
  'AWS_SESSION_TOKEN',
  'AWS_PROFILE',
  'AWS_REGION',
  'AWS_ENDPOINT_URL',
  'AWS_ENDPOINT_URL_S3',
  'AWS_CONFIG_FILE',
  'AWS_SHARED_CREDENTIALS_FILE',
  'AWS_CA_BUNDLE',
];
/** Set by this program itself. */
const NOT_OF_AWS = 'AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED';

/** What spark-submit and its JVM read; what else begins with SPARK_ is one fingerprint together. */
const OF_SPARK = [
  'JAVA_TOOL_OPTIONS',
  'JDK_JAVA_OPTIONS',
  '_JAVA_OPTIONS',
  'HADOOP_CONF_DIR',
  'YARN_CONF_DIR',
  'PYSPARK_PYTHON',
  'PYSPARK_DRIVER_PYTHON',
  'PYTHONPATH',
];
/** Two terminals' PATHs are rarely equal: what counts is which of these are found. */
const PROGRAMS_OF_SPARK = ['java', 'spark-submit', 'python3'];

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * @param values of the settings, as they were read.
 * @param env of the process, with what `.env` has for the AWS SDK.
 */
export function fingerprintsOf(values: SettingValues, env: Environment, cwd: string): Fingerprints {
  const found: Record<string, unknown> = {};
  for (const key of Object.keys(SETTING_KEYS) as SettingKey[]) {
    if (NOT_OF_WORKER.has(key) || key.startsWith('TEMPORAL_')) continue;
    const value = values[key];
    found[key] = PATHS.has(key) && typeof value === 'string' ? resolve(cwd, value) : value;
  }
  for (const key of [...OF_NODE, ...OF_AWS, ...OF_SPARK]) found[key] = env[key];
  found['AWS_*'] = othersOf('AWS_', env, [...OF_AWS, NOT_OF_AWS]);
  found['SPARK_*'] = othersOf('SPARK_', env, Object.keys(SETTING_KEYS));
  found['PATH'] = PROGRAMS_OF_SPARK.map((program) => onPath(program, env['PATH'] ?? ''));
  return Object.fromEntries(Object.entries(found).map(([key, value]) => [key, hashOf(key, value)]));
}

/** What a worker will do for a command: the engines of its runs; none where they convert nothing. */
export type Work = readonly Engine[];

/** Those that this work depends on: a lake on a disk needs no credentials, DuckDB no Java. */
export function fingerprintsFor(
  work: Work,
  { kind }: Pick<LakeAddress, 'kind'>,
  all: Fingerprints,
): Fingerprints {
  const needed: Record<string, boolean> = {
    s3: kind === 's3',
    spark: work.includes('spark'),
    emr: work.some((engine) => engine.startsWith('emr')),
  };
  return Object.fromEntries(
    Object.entries(all).filter(([key]) => needed[groupOf(key) ?? ''] ?? true),
  );
}

/** Undefined for what all work depends on. */
function groupOf(key: string): 's3' | 'spark' | 'emr' | undefined {
  if (/^(?:S3|AWS)_|^DUCKDB_HTTPFS$/.test(key)) return 's3';
  if (key.startsWith('EMR_')) return 'emr';
  const isSparks = /^(?:SPARK|HADOOP|YARN|PYSPARK|JAVA)_|^(?:PATH|PYTHONPATH)$/.test(key);
  return isSparks || OF_SPARK.includes(key) ? 'spark' : undefined;
}

function othersOf(prefix: string, env: Environment, named: readonly string[]): string[] {
  return Object.entries(env)
    .filter(([key, value]) => key.startsWith(prefix) && value && !named.includes(key))
    .map(([key, value]) => `${key}=${value}`)
    .toSorted();
}

function onPath(program: string, searchPath: string): string | undefined {
  return searchPath
    .split(delimiter)
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, program))
    .find((path) => existsSync(path));
}

/** 72 bits: enough to distinguish values. An empty variable is one that is not set. */
const HASH_CHARACTERS = 12;

function hashOf(key: string, value: unknown): string {
  const text = JSON.stringify([key, value === '' ? undefined : value]);
  return createHash('sha256').update(text).digest('base64url').slice(0, HASH_CHARACTERS);
}
