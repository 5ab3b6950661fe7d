import { z } from 'zod';
import { ENGINES } from '../model/dataset.ts';
import { EMR_OUTPUTS } from '../model/emr.ts';
import { LAKE_EXPECTS, parseLakeAddress, type LakeAddress } from '../model/lake-address.ts';
import { LOG_FORMATS, LOG_LEVELS } from './settings.ts';

/** A day: longer ones are a slip (milliseconds). */
const MAX_TIMEOUT_SECONDS = 86_400;
/** A week: the longest that one transfer may take. */
const MAX_RETRY_MINUTES = 10_080;
const MAX_PORT = 65_535;

/**
 * Every key of `.env` and the environment but those that Temporal's own library reads (`temporal-settings.ts`): how it is
 * read, and what it expects, in the words of an error.
 * `.env.example` and `docs/configuration.md` explain each; a test keeps the three together.
 */
export const SETTING_KEYS = {
  LAKE: key(lakeAddress(), LAKE_EXPECTS),
  STATE_DIR: key(z.string(), 'a folder'),
  DATASETS_FILE: key(z.string(), 'the path of a YAML file'),
  S3_PATH_STYLE: key(flag(), 'true or false'),
  S3_CHECKSUMS: key(flag(), 'true or false'),
  S3_KMS_KEY_ID: key(kmsKey(), "a KMS key's ARN, its id, or alias/ and its name"),
  S3_STALL_TIMEOUT_SECONDS: key(seconds(), secondsExpected()),
  GLUE_DATABASE: key(z.string().regex(/^[a-z\d_-]{1,255}$/), 'a database of AWS Glue'),
  ENGINE: key(z.enum(ENGINES), `one of ${ENGINES.join(', ')}`),
  SOURCE_CONCURRENCY: key(whole(1, 32), 'a whole number from 1 to 32'),
  TEMPORAL_ADDRESS: key(hostAndPort(), 'host:port, without a scheme'),
  TEMPORAL_NAMESPACE: key(z.string().regex(/^[\w.-]+$/), 'a namespace'),
  TEMPORAL_API_KEY: key(z.string(), 'an API key', { secret: true }),
  TEMPORAL_TLS: key(flag(), 'true or false'),
  TEMPORAL_CLI: key(z.string(), 'the path of the Temporal program'),
  DUCKDB_MEMORY_LIMIT: key(memorySize(), 'a size such as 2GiB or 512MiB'),
  DUCKDB_HTTPFS: key(z.string(), 'the path of httpfs.duckdb_extension'),
  DUCKDB_THREADS: key(whole(1, 1024), 'a whole number from 1 to 1024'),
  SPARK_HOME: key(z.string(), 'the folder of a Spark, with bin/spark-submit in it'),
  HADOOP_JARS: key(z.string(), 'a folder with the folders `s3a` and `cluster` of jars in it'),
  SPARK_MASTER: key(sparkMaster(), 'a Spark master such as local[3] or spark://host:7077'),
  SPARK_DRIVER_MEMORY: key(driverMemory(), 'a size such as 2g, and 512m or more'),
  SPARK_STAGE_BYTES: key(byteSize(), 'a size such as 50GiB or 500MB'),
  JAVA_HOME: key(z.string(), 'the folder of a Java, with bin/java in it'),
  HTTP_STALL_TIMEOUT_SECONDS: key(seconds(), secondsExpected()),
  HTTP_CONTACT: key(contact(), 'a mail address or an http(s) address'),
  MAX_SOURCE_SIZE: key(byteSize(), 'a size such as 200GiB or 500MB'),
  SOURCE_RETRY_MINUTES: key(minutes(), `minutes, a whole number from 0 to ${MAX_RETRY_MINUTES}`),
  HEARTBEAT_TIMEOUT_SECONDS: key(seconds(), secondsExpected()),
  ALLOW_PRIVATE_ADDRESSES: key(flag(), 'true or false'),
  TRANSFER_SLOTS: key(whole(1, 64), 'a whole number from 1 to 64'),
  CONVERT_SLOTS: key(whole(1, 64), 'a whole number from 1 to 64'),
  WORKER_GRACE_SECONDS: key(whole(0, 3600), 'seconds, a whole number from 0 to 3600'),
  WORKER_HEALTH_ADDRESS: key(listenAddress(), 'a port, or an address with one: 127.0.0.1:8081'),
  WORKER_DEPLOYMENT_NAME: key(versionWord(), 'a name without dots and spaces'),
  WORKER_BUILD_ID: key(versionWord(true), 'a build id without spaces'),
  METRICS_ADDRESS: key(listenAddress(), 'a port, or an address with one: 127.0.0.1:9464'),
  LOG_FORMAT: key(z.enum(LOG_FORMATS), `one of ${LOG_FORMATS.join(', ')}`),
  LOG_LEVEL: key(z.enum(LOG_LEVELS), `one of ${LOG_LEVELS.join(', ')}`),
  EMR_RELEASE_LABEL: key(z.string().regex(/^emr-[\w.-]+$/), 'a release label such as emr-7.13.0'),
  EMR_INSTANCE_TYPE: key(instanceType(), 'an instance type such as m7g.xlarge'),
  EMR_CORE_COUNT: key(whole(1, 1000), 'a whole number from 1 to 1000'),
  EMR_SUBNET_ID: key(z.string().regex(/^subnet-[\da-z]+$/), 'a subnet such as subnet-0a1b2c3d'),
  EMR_SERVICE_ROLE: key(z.string().regex(/^[\w+=,.@:/-]+$/), 'the name or ARN of a role'),
  EMR_INSTANCE_PROFILE: key(z.string().regex(/^[\w+=,.@:/-]+$/), 'an instance profile'),
  EMR_LOG_URI: key(s3Uri(), 'an s3:// URI such as s3://my-logs/emr/'),
  EMR_REQUEST: key(z.string(), 'the path of a JSON file'),
  EMR_KEEP_ALIVE: key(shortTime(), 'a time from 1m to 168h, such as 90m or 2h'),
  EMR_CLUSTER_ID: key(z.string().regex(/^j-[\dA-Z]+$/), 'a cluster id such as j-1ABCDEFGHIJKL'),
  EMR_OUTPUT: key(z.enum(EMR_OUTPUTS), `one of ${EMR_OUTPUTS.join(', ')}`),
  EMR_MAX_INSTANCE_HOURS: key(whole(1, 1_000_000), 'a whole number from 1 to 1000000'),
  EMR_SERVERLESS_APPLICATION_ID: key(
    z.string().regex(/^[\da-z]{1,64}$/),
    'an application id such as 00f1abcdefghij2k',
  ),
  EMR_SERVERLESS_ROLE_ARN: key(
    z.string().regex(/^arn:aws[a-z-]*:iam::\d{12}:role\/[\w+=,.@/-]+$/),
    'the ARN of a role',
  ),
  EMR_STEP_LIMIT_MINUTES: key(positiveMinutes(), positiveMinutesExpected()),
} as const;

export type SettingKey = keyof typeof SETTING_KEYS;

/** What each key holds once it is read; undefined where it is not set. */
export type SettingValues = {
  [K in SettingKey]: z.output<(typeof SETTING_KEYS)[K]['schema']> | undefined;
};

interface KeyRule<S extends z.ZodType> {
  schema: S;
  expects: string;
  /** Never shown, not even in an error about it. */
  secret: boolean;
}

function key<S extends z.ZodType>(
  schema: S,
  expects: string,
  { secret = false }: { secret?: boolean } = {},
): KeyRule<S> {
  return { schema, expects, secret };
}

function whole(min: number, max: number): z.ZodType<number, string> {
  return z
    .string()
    .regex(/^\d{1,9}$/)
    .transform(Number)
    .refine((value) => value >= min && value <= max);
}

function seconds(): z.ZodType<number, string> {
  return z
    .string()
    .regex(/^\d+(\.\d+)?$/)
    .transform(Number)
    .refine((value) => value > 0 && value <= MAX_TIMEOUT_SECONDS);
}

function minutes(): z.ZodType<number, string> {
  return whole(0, MAX_RETRY_MINUTES);
}

function secondsExpected(): string {
  return `seconds, over 0 and at most ${MAX_TIMEOUT_SECONDS}`;
}

/** Minutes or hours, at most a week. @returns ms. */
function shortTime(): z.ZodType<number, string> {
  return z
    .string()
    .regex(/^[1-9]\d{0,4}[mh]$/)
    .transform((value) => Number.parseInt(value, 10) * (value.endsWith('h') ? 60 : 1))
    .refine((minutes) => minutes <= MAX_RETRY_MINUTES)
    .transform((minutes) => minutes * 60_000);
}

function flag(): z.ZodType<boolean, string> {
  return z.enum(['true', 'false']).transform((value) => value === 'true');
}

function kmsKey(): z.ZodType<string, string> {
  return z
    .string()
    .regex(
      /^(?:(?:arn:aws[\w-]*:kms:[\w-]+:\d{12}:(?:key|alias)|alias)\/[\w/-]+|[\da-f-]{36}|mrk-[\da-f]{32})$/,
    );
}

function memorySize(): z.ZodType<string, string> {
  return z.string().regex(/^[1-9]\d*(\.\d+)?[KMGT]i?B$/);
}

/** @returns bytes. */
function byteSize(): z.ZodType<number, string> {
  return memorySize().transform((value) => {
    const power = ' KMGT'.indexOf(value.replaceAll(/[\d.]/g, '').charAt(0));
    return Math.floor(Number.parseFloat(value) * (value.includes('i') ? 1024 : 1000) ** power);
  });
}

function sparkMaster(): z.ZodType<string, string> {
  return z
    .string()
    .regex(/^(?:local(?:\[(?:\*|[1-9]\d*)\])?|yarn|(?:spark|k8s):\/\/[^\s,]+(?:,[^\s,]+)*)$/);
}

/** Spark starts with no less. */
const MIN_DRIVER_MIB = 512;

/** As Java takes it: no fractions. */
function driverMemory(): z.ZodType<string, string> {
  return z
    .string()
    .regex(/^[1-9]\d*[mMgG]$/)
    .refine(
      (value) => Number.parseInt(value, 10) * (/g$/i.test(value) ? 1024 : 1) >= MIN_DRIVER_MIB,
    );
}

function lakeAddress(): z.ZodType<LakeAddress, string> {
  return z.string().transform((value, context) => {
    const lake = parseLakeAddress(value);
    if (!lake) context.addIssue({ code: 'custom', message: LAKE_EXPECTS });
    return lake ?? z.NEVER;
  });
}

function hostAndPort(): z.ZodType<string, string> {
  return z.string().refine((value) => {
    const port = /^(?:[\w.-]+|\[[\da-fA-F:]+\]):(\d{1,5})$/.exec(value)?.[1];
    return port !== undefined && Number(port) >= 1 && Number(port) <= MAX_PORT;
  });
}

/** A port alone is on loopback: to be seen by other machines it needs an address. @returns as `host:port`. */
/** It stands in a header. */
function contact(): z.ZodType<string, string> {
  const known = z.union([z.email(), z.url({ protocol: /^https?$/ })]);
  return known.refine((text) => /^[!-~]+$/.test(text));
}

function listenAddress(): z.ZodType<string, string> {
  const address = /^(?:(?:\d{1,3}\.){3}\d{1,3}|localhost|\[[\da-fA-F:]+\]):\d{1,5}$/;
  return z
    .string()
    .transform((value) => (/^\d{1,5}$/.test(value) ? `127.0.0.1:${value}` : value))
    .refine((value) => address.test(value))
    .transform((value) => value.replace(/^localhost:/, '127.0.0.1:'))
    .refine((value) => {
      const port = Number(value.slice(value.lastIndexOf(':') + 1));
      return port >= 1 && port <= MAX_PORT;
    });
}

/** Temporal writes the two with a dot between them, so the first one must not have any. */
function versionWord(dots = false): z.ZodType<string, string> {
  return z.string().regex(dots ? /^[\w.+@-]{1,200}$/ : /^[\w@-]{1,200}$/);
}

function instanceType(): z.ZodType<string, string> {
  return z.string().regex(/^[a-z][a-z\d-]*\.[a-z\d-]+$/);
}

/** Minutes, fractions too: a limit of seconds is for tests. */
function positiveMinutes(): z.ZodType<number, string> {
  return z
    .string()
    .regex(/^\d+(\.\d+)?$/)
    .transform(Number)
    .refine((value) => value > 0 && value <= MAX_RETRY_MINUTES);
}

function positiveMinutesExpected(): string {
  return `minutes, over 0 and at most ${MAX_RETRY_MINUTES}`;
}

function s3Uri(): z.ZodType<string, string> {
  return z
    .string()
    .regex(/^s3:\/\/[a-z\d][a-z\d.-]{1,61}[a-z\d](?:\/[\w.=-]+)*\/?$/)
    .transform((value) => value.replace(/\/?$/, '/'));
}
