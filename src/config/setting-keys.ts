import { z } from 'zod';
import { ENGINES } from '../model/dataset.ts';
import { EMR_OUTPUTS } from '../model/emr.ts';
import { LAKE_EXPECTS, parseLakeAddress } from '../model/lake-address.ts';

/** One day. A user who writes a larger number most likely means milliseconds. */
const MAX_TIMEOUT_SECONDS = 86_400;
/** One week, the longest time that a transfer may take. */
const MAX_MINUTES = 10_080;
const MAX_PORT = 65_535;
const SIZE = /^[1-9]\d*(\.\d+)?[KMGT]i?B$/;

const LOG_FORMATS = ['json', 'text'] as const;
const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;

/**
 * The keys of `.env` and the environment, with how each is read and what it expects, for an error. Temporal's own
 * library reads its other keys (`temporal-settings.ts`). `.env.example` and `docs/configuration.md` explain each key,
 * and a test compares the three.
 */
export const SETTING_KEYS = {
  LAKE: { expects: LAKE_EXPECTS, read: parseLakeAddress },
  STATE_DIR: text('a folder'),
  DATASETS_FILE: text('the path of a YAML file'),
  S3_PATH_STYLE: flag(),
  S3_CHECKSUMS: flag(),
  S3_KMS_KEY_ID: text(
    "a KMS key's ARN, its id, or alias/ and its name",
    /^(?:(?:arn:aws[\w-]*:kms:[\w-]+:\d{12}:(?:key|alias)|alias)\/[\w/-]+|[\da-f-]{36}|mrk-[\da-f]{32})$/,
  ),
  S3_STALL_TIMEOUT_SECONDS: seconds(),
  GLUE_DATABASE: text('a database of AWS Glue', /^[a-z\d_-]{1,255}$/),
  ENGINE: oneOf(ENGINES),
  SOURCE_CONCURRENCY: whole(1, 32),
  TEMPORAL_ADDRESS: { expects: 'host:port, without a scheme', read: hostAndPort },
  TEMPORAL_NAMESPACE: text('a namespace', /^[\w.-]+$/),
  TEMPORAL_API_KEY: { ...text('an API key'), isSecret: true },
  TEMPORAL_TLS: flag(),
  TEMPORAL_CLI: text('the path of the Temporal program'),
  DUCKDB_MEMORY_LIMIT: text('a size such as 2GiB or 512MiB', SIZE),
  DUCKDB_HTTPFS: text('the path of httpfs.duckdb_extension'),
  DUCKDB_THREADS: whole(1, 1024),
  SPARK_HOME: text('the folder of a Spark, with bin/spark-submit in it'),
  HADOOP_JARS: text('a folder with the folders `s3a` and `cluster` of jars in it'),
  SPARK_MASTER: text(
    'a Spark master such as local[3] or spark://host:7077',
    /^(?:local(?:\[(?:\*|[1-9]\d*)\])?|yarn|(?:spark|k8s):\/\/[^\s,]+(?:,[^\s,]+)*)$/,
  ),
  SPARK_DRIVER_MEMORY: { expects: 'a size such as 2g, and 512m or more', read: driverMemory },
  SPARK_STAGE_BYTES: bytes('a size such as 50GiB or 500MB'),
  JAVA_HOME: text('the folder of a Java, with bin/java in it'),
  HTTP_STALL_TIMEOUT_SECONDS: seconds(),
  HTTP_CONTACT: { expects: 'a mail address or an http(s) address', read: contact },
  MAX_SOURCE_SIZE: bytes('a size such as 200GiB or 500MB'),
  SOURCE_RETRY_MINUTES: whole(0, MAX_MINUTES, 'minutes, '),
  HEARTBEAT_TIMEOUT_SECONDS: seconds(),
  ALLOW_PRIVATE_ADDRESSES: flag(),
  TRANSFER_SLOTS: whole(1, 64),
  CONVERT_SLOTS: whole(1, 64),
  WORKER_GRACE_SECONDS: whole(0, 3600, 'seconds, '),
  WORKER_HEALTH_ADDRESS: listenAddress('127.0.0.1:8081'),
  // Temporal joins this name and the build id with a dot, so the name must not have a dot.
  WORKER_DEPLOYMENT_NAME: text('a name without dots and spaces', /^[\w@-]{1,200}$/),
  WORKER_BUILD_ID: text('a build id without spaces', /^[\w.+@-]{1,200}$/),
  METRICS_ADDRESS: listenAddress('127.0.0.1:9464'),
  LOG_FORMAT: oneOf(LOG_FORMATS),
  LOG_LEVEL: oneOf(LOG_LEVELS),
  EMR_RELEASE_LABEL: text('a release label such as emr-7.13.0', /^emr-[\w.-]+$/),
  EMR_INSTANCE_TYPE: text('an instance type such as m7g.xlarge', /^[a-z][a-z\d-]*\.[a-z\d-]+$/),
  EMR_CORE_COUNT: whole(1, 1000),
  EMR_SUBNET_ID: text('a subnet such as subnet-0a1b2c3d', /^subnet-[\da-z]+$/),
  EMR_SERVICE_ROLE: text('the name or ARN of a role', /^[\w+=,.@:/-]+$/),
  EMR_INSTANCE_PROFILE: text('an instance profile', /^[\w+=,.@:/-]+$/),
  EMR_LOG_URI: { expects: 'an s3:// URI such as s3://my-logs/emr/', read: s3Uri },
  EMR_REQUEST: text('the path of a JSON file'),
  EMR_KEEP_ALIVE: { expects: 'a time from 1m to 168h, such as 90m or 2h', read: shortTimeMs },
  EMR_CLUSTER_ID: text('a cluster id such as j-1ABCDEFGHIJKL', /^j-[\dA-Z]+$/),
  EMR_OUTPUT: oneOf(EMR_OUTPUTS),
  EMR_MAX_INSTANCE_HOURS: whole(1, 1_000_000),
  EMR_SERVERLESS_APPLICATION_ID: text(
    'an application id such as 00f1abcdefghij2k',
    /^[\da-z]{1,64}$/,
  ),
  EMR_SERVERLESS_ROLE_ARN: text(
    'the ARN of a role',
    /^arn:aws[a-z-]*:iam::\d{12}:role\/[\w+=,.@/-]+$/,
  ),
  // The value may be a fraction, because tests use a limit of seconds.
  EMR_STEP_LIMIT_MINUTES: positive('minutes', MAX_MINUTES),
} as const satisfies Record<string, Rule<unknown>>;

export type SettingKey = keyof typeof SETTING_KEYS;

/** The value of each key after it is read. Undefined if the key is not set. */
export type SettingValues = {
  [K in SettingKey]: ReturnType<(typeof SETTING_KEYS)[K]['read']>;
};

export interface Rule<T> {
  expects: string;
  /** Returns undefined if the text is not what `expects` says. */
  read: (text: string) => T | undefined;
  /** Longhaul never shows the value, not even in an error about it. */
  isSecret?: boolean;
}

function text(expects: string, form?: RegExp): Rule<string> {
  return { expects, read: (value) => (form && !form.test(value) ? undefined : value) };
}

function flag(): Rule<boolean> {
  const read = (value: string): boolean | undefined =>
    value === 'true' ? true : value === 'false' ? false : undefined;
  return { expects: 'true or false', read };
}

function oneOf<T extends string>(known: readonly T[]): Rule<T> {
  const read = (value: string): T | undefined => known.find((each) => each === value);
  return { expects: `one of ${known.join(', ')}`, read };
}

function whole(min: number, max: number, unit = ''): Rule<number> {
  const read = (value: string): number | undefined => {
    const isRight = /^\d{1,9}$/.test(value) && Number(value) >= min && Number(value) <= max;
    return isRight ? Number(value) : undefined;
  };
  return { expects: `${unit}a whole number from ${min} to ${max}`, read };
}

function positive(unit: string, max: number): Rule<number> {
  const read = (value: string): number | undefined => {
    const isRight = /^\d+(\.\d+)?$/.test(value) && Number(value) > 0 && Number(value) <= max;
    return isRight ? Number(value) : undefined;
  };
  return { expects: `${unit}, over 0 and at most ${max}`, read };
}

function seconds(): Rule<number> {
  return positive('seconds', MAX_TIMEOUT_SECONDS);
}

function bytes(expects: string): Rule<number> {
  const read = (value: string): number | undefined => {
    if (!SIZE.test(value)) return undefined;
    const power = ' KMGT'.indexOf(value.replaceAll(/[\d.]/g, '').charAt(0));
    return Math.floor(Number.parseFloat(value) * (value.includes('i') ? 1024 : 1000) ** power);
  };
  return { expects, read };
}

/** Reads minutes or hours, at most a week. */
function shortTimeMs(value: string): number | undefined {
  if (!/^[1-9]\d{0,4}[mh]$/.test(value)) return undefined;
  const minutes = Number.parseInt(value, 10) * (value.endsWith('h') ? 60 : 1);
  return minutes <= MAX_MINUTES ? minutes * 60_000 : undefined;
}

/** Spark does not start with less memory. */
const MIN_DRIVER_MIB = 512;

/** Reads a size in Java's form, which has no fractions. */
function driverMemory(value: string): string | undefined {
  if (!/^[1-9]\d*[mMgG]$/.test(value)) return undefined;
  const mib = Number.parseInt(value, 10) * (/g$/i.test(value) ? 1024 : 1);
  return mib >= MIN_DRIVER_MIB ? value : undefined;
}

function hostAndPort(value: string): string | undefined {
  const port = /^(?:[\w.-]+|\[[\da-fA-F:]+\]):(\d{1,5})$/.exec(value)?.[1];
  return isPort(port) ? value : undefined;
}

function isPort(text: string | undefined): boolean {
  return Number(text) >= 1 && Number(text) <= MAX_PORT;
}

/** A contact must be printable ASCII, because it is sent in a header. */
function contact(value: string): string | undefined {
  const known = z.union([z.email(), z.url({ protocol: /^https?$/ })]).safeParse(value);
  return known.success && /^[!-~]+$/.test(value) ? value : undefined;
}

/** A port alone listens on loopback. If other machines are to reach it, the operator must name an address. */
function listenAddress(example: string): Rule<string> {
  const read = (value: string): string | undefined => {
    const address = (/^\d{1,5}$/.test(value) ? `127.0.0.1:${value}` : value).replace(
      /^localhost:/,
      '127.0.0.1:',
    );
    const port = /^(?:(?:\d{1,3}\.){3}\d{1,3}|\[[\da-fA-F:]+\]):(\d{1,5})$/.exec(address)?.[1];
    return isPort(port) ? address : undefined;
  };
  return { expects: `a port, or an address with one: ${example}`, read };
}

function s3Uri(value: string): string | undefined {
  const form = /^s3:\/\/[a-z\d][a-z\d.-]{1,61}[a-z\d](?:\/[\w.=-]+)*\/?$/;
  return form.test(value) ? value.replace(/\/?$/, '/') : undefined;
}
