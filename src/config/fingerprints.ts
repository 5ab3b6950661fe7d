import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import type { Engine } from '../model/dataset.ts';
import type { LakeAddress } from '../model/lake-address.ts';
import type { SettingsSource } from './env-file.ts';
import { SETTING_KEYS, type SettingKey, type SettingValues } from './setting-keys.ts';

/**
 * Hashes, by the names of settings, of all values that a worker's results depend on. Two processes can compare them
 * without exchanging the values. An unset setting has a hash too, which differs from the hash of an explicit default.
 */
export type Fingerprints = Readonly<Record<string, string>>;

/** Settings that no worker depends on. The command uses them itself, or passes them on with the run. */
const NOT_OF_WORKER: ReadonlySet<SettingKey> = new Set<SettingKey>([
  // These select the state folder and so the worker. A worker of another lake is refused with its own error.
  'LAKE',
  'STATE_DIR',
  // These are part of the run's input.
  'DATASETS_FILE',
  'ENGINE',
  'SOURCE_CONCURRENCY',
  'HEARTBEAT_TIMEOUT_SECONDS',
  // This selects the program of the server. Runs do not depend on it.
  'TEMPORAL_CLI',
  // Only `longhaul worker` uses it.
  'WORKER_HEALTH_ADDRESS',
]);

/** Settings that are paths. A relative path starts at the folder of the process. */
const PATHS: ReadonlySet<string> = new Set([
  'DUCKDB_HTTPFS',
  'SPARK_HOME',
  'HADOOP_JARS',
  'JAVA_HOME',
]);

/** Variables of the environment that Node or the worker itself reads. */
const OF_NODE = ['NODE_EXTRA_CA_CERTS', 'NODE_OPTIONS', 'NODE_TLS_REJECT_UNAUTHORIZED', 'TMPDIR'];

/** Variables that the AWS SDKs read to find identity and region. All other AWS_ variables share one fingerprint. */
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
/** Longhaul itself sets this variable. */
const NOT_OF_AWS = 'AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED';

/** Variables that spark-submit and its JVM read. All other SPARK_ variables share one fingerprint. */
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
/** The PATHs of two terminals are rarely equal. So the fingerprint has only the paths of these programs. */
const PROGRAMS_OF_SPARK = ['java', 'spark-submit', 'python3'];

type Environment = SettingsSource['env'];

/**
 * @param values of the settings, as `loadConfig` read them.
 * @param env of the process, with the AWS keys of `.env`.
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

/** The engines of the runs that a worker does for a command. Empty if the runs convert nothing. */
export type Work = readonly Engine[];

/** Selects the fingerprints that this work depends on. A lake on disk needs no credentials, DuckDB no Java. */
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

/** Returns undefined for a key that all work depends on. */
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

/** 72 bits are enough to distinguish values. An empty variable counts as not set. */
const HASH_CHARACTERS = 12;

function hashOf(key: string, value: unknown): string {
  const text = JSON.stringify([key, value === '' ? undefined : value]);
  return createHash('sha256').update(text).digest('base64url').slice(0, HASH_CHARACTERS);
}
