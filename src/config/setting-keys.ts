import { z } from 'zod';
import { ENGINES } from '../model/dataset.ts';
import { TARGETS } from '../model/run.ts';

/** A day: longer ones are a slip (milliseconds). */
const MAX_TIMEOUT_SECONDS = 86_400;
/** A week: the longest that one transfer may take. */
const MAX_RETRY_MINUTES = 10_080;
const MAX_PORT = 65_535;

/**
 * Every key of `.env` and the environment: how it is read, and what it expects, in the words of an error.
 * `.env.example` and `docs/configuration.md` explain each; a test keeps the three together.
 */
export const SETTING_KEYS = {
  DATA_DIR: key(z.string(), 'a folder'),
  DATASETS_FILE: key(z.string(), 'the path of a YAML file'),
  LONGHAUL_TARGET: key(z.enum(TARGETS), `one of ${TARGETS.join(', ')}`),
  S3_BUCKET: key(bucketName(), 'the name of a bucket, without s3://'),
  S3_RAW_PREFIX: key(prefix(), 'a prefix such as lake/takehome-raw'),
  S3_CONVERTED_PREFIX: key(prefix(), 'a prefix such as lake/takehome-converted'),
  S3_PATH_STYLE: key(flag(), 'true or false'),
  S3_CHECKSUMS: key(flag(), 'true or false'),
  S3_UPLOAD_CONCURRENCY: key(whole(1, 32), 'a whole number from 1 to 32'),
  S3_STALL_TIMEOUT_SECONDS: key(seconds(), secondsExpected()),
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
  SPARK_MASTER: key(sparkMaster(), 'a Spark master such as local[3] or spark://host:7077'),
  SPARK_DRIVER_MEMORY: key(javaMemory(), 'a size such as 2g or 512m'),
  JAVA_HOME: key(z.string(), 'the folder of a Java, with bin/java in it'),
  HTTP_CONNECT_TIMEOUT_SECONDS: key(seconds(), secondsExpected()),
  HTTP_HEADERS_TIMEOUT_SECONDS: key(seconds(), secondsExpected()),
  HTTP_STALL_TIMEOUT_SECONDS: key(seconds(), secondsExpected()),
  SOURCE_RETRY_MINUTES: key(minutes(), `minutes, a whole number from 0 to ${MAX_RETRY_MINUTES}`),
  HEARTBEAT_TIMEOUT_SECONDS: key(seconds(), secondsExpected()),
  ALLOW_PRIVATE_ADDRESSES: key(flag(), 'true or false'),
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

function flag(): z.ZodType<boolean, string> {
  return z.enum(['true', 'false']).transform((value) => value === 'true');
}

function memorySize(): z.ZodType<string, string> {
  return z.string().regex(/^[1-9]\d*(\.\d+)?[KMGT]i?B$/);
}

function sparkMaster(): z.ZodType<string, string> {
  return z
    .string()
    .regex(/^(?:local(?:\[(?:\*|[1-9]\d*)\])?|yarn|(?:spark|k8s):\/\/[^\s,]+(?:,[^\s,]+)*)$/);
}

/** As Java takes it: no fractions. */
function javaMemory(): z.ZodType<string, string> {
  return z.string().regex(/^[1-9]\d*[mMgG]$/);
}

/** As S3 allows them: a dot would break TLS for virtual-hosted names, but path style takes it. */
function bucketName(): z.ZodType<string, string> {
  return z.string().regex(/^[a-z\d][a-z\d.-]{1,61}[a-z\d]$/);
}

/** Folders of plain names: they are part of keys, URIs and globs. @returns with one `/` at its end. */
function prefix(): z.ZodType<string, string> {
  return z
    .string()
    .regex(/^\/?[\w.=-]+(?:\/[\w.=-]+)*\/?$/)
    .refine((value) => !value.split('/').some((name) => name === '.' || name === '..'))
    .transform((value) => `${value.replaceAll(/^\/|\/$/g, '')}/`);
}

function hostAndPort(): z.ZodType<string, string> {
  return z.string().refine((value) => {
    const port = /^(?:[\w.-]+|\[[\da-fA-F:]+\]):(\d{1,5})$/.exec(value)?.[1];
    return port !== undefined && Number(port) >= 1 && Number(port) <= MAX_PORT;
  });
}
