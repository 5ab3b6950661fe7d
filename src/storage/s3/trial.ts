import {
  GetBucketLifecycleConfigurationCommand,
  ListObjectsV2Command,
  type LifecycleRule,
  type S3Client,
} from '@aws-sdk/client-s3';
import type { S3Settings } from '../../config/settings.ts';
import { LonghaulError } from '../../model/errors.ts';
import { createS3Client } from './client.ts';
import { s3Error, statusOf } from './errors.ts';
import { S3Zone } from './zone.ts';

/** One more than none, since a clock that is wrong is noticed by the first and made good for the second. */
const MAX_ATTEMPTS = 2;
/** A person waits for the answer; work has the settings' patience. */
const PATIENCE_MS = 5000;

/** A client for looking at a bucket, not for work: few tries, short waits, and it keeps what the answers' headers say. */
export interface S3Trial {
  settings: S3Settings;
  client: S3Client;
  /** Of the answers so far, of errors too. */
  seen: {
    /** S3's clock minus this machine's, to the second. */
    clockSkewMs?: number;
    /** Where the bucket is, if S3 says. */
    bucketRegion?: string;
  };
}

export function openTrial(settings: S3Settings): S3Trial {
  const patient = {
    ...settings,
    connectTimeoutMs: Math.min(settings.connectTimeoutMs, PATIENCE_MS),
    stallTimeoutMs: Math.min(settings.stallTimeoutMs, PATIENCE_MS),
  };
  const client = createS3Client(patient, { maxAttempts: MAX_ATTEMPTS });
  const trial: S3Trial = { settings: patient, client, seen: {} };
  watchHeaders(trial);
  return trial;
}

/** @throws LonghaulError STORE_CREDENTIALS where the provider chain has none. */
export async function findCredentials({
  client,
  settings: { bucket },
}: S3Trial): Promise<{ accessKeyId: string; expiresAt?: Date }> {
  try {
    const { accessKeyId, expiration } = await client.config.credentials();
    return { accessKeyId, ...(expiration && { expiresAt: expiration }) };
  } catch (error) {
    throw s3Error(error, { permission: 'ListBucket', bucket });
  }
}

/** Undefined where neither the environment nor a profile names one. */
export async function findRegion({ client }: S3Trial): Promise<string | undefined> {
  return await client.config.region().catch(() => undefined);
}

/**
 * Lists below the converted prefix: the least policy allows that, HeadBucket it does not, and a HEAD's error has
 * no body to say what is wrong.
 * @throws LonghaulError STORE_NO_BUCKET, STORE_WRONG_REGION, STORE_CREDENTIALS, STORE_FORBIDDEN, ….
 */
export async function reachBucket(trial: S3Trial, signal: AbortSignal): Promise<void> {
  const { bucket, convertedPrefix } = trial.settings;
  const command = new ListObjectsV2Command({ Bucket: bucket, Prefix: convertedPrefix, MaxKeys: 1 });
  try {
    await zoneOf(trial).send(command, 'ListBucket', { signal });
  } catch (error) {
    if (error instanceof LonghaulError) keepRegion(trial, error.cause);
    throw error;
  }
}

/** When the bucket's lifecycle ends unfinished uploads below a prefix. */
export interface UploadRule {
  prefix: string;
  /** After the start of the upload; undefined: never. */
  days: number | undefined;
}

/** @returns one a zone, raw first, or the reason why it cannot be told. */
export async function findUploadRules(
  trial: S3Trial,
  signal: AbortSignal,
): Promise<UploadRule[] | { unknown: string }> {
  const { bucket, rawPrefix, convertedPrefix } = trial.settings;
  const command = new GetBucketLifecycleConfigurationCommand({ Bucket: bucket });
  const zones = [rawPrefix, convertedPrefix];
  try {
    const expected = (): boolean => true;
    const permission = 'GetLifecycleConfiguration';
    const { Rules = [] } = await zoneOf(trial).send(command, permission, { signal, expected });
    return zones.map((prefix) => ({ prefix, days: daysFor(prefix, Rules) }));
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof Error)) throw error;
    if (error.name === 'NoSuchLifecycleConfiguration') {
      return zones.map((prefix) => ({ prefix, days: undefined }));
    }
    if (statusOf(error) === 403) return { unknown: 'S3 denies s3:GetLifecycleConfiguration' };
    return { unknown: `the store does not say (${error.name})` };
  }
}

/** Of the rules that cover the prefix, the one that acts first. */
function daysFor(prefix: string, rules: readonly LifecycleRule[]): number | undefined {
  const days = rules
    .filter((rule) => rule.Status === 'Enabled' && prefix.startsWith(prefixOf(rule)))
    .map((rule) => rule.AbortIncompleteMultipartUpload?.DaysAfterInitiation)
    .filter((each) => each !== undefined);
  return days.length === 0 ? undefined : Math.min(...days);
}

/** The old form has the prefix beside the filter. */
function prefixOf({ Filter, Prefix }: LifecycleRule): string {
  return Filter?.Prefix ?? Filter?.And?.Prefix ?? Prefix ?? '';
}

function zoneOf({ settings, client }: S3Trial): S3Zone {
  return new S3Zone(settings, '', client);
}

/** Inside of what turns an answer into an error, so that errors' headers are seen too. */
function watchHeaders({ client, seen }: S3Trial): void {
  client.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args);
      const { headers = {} } = result.response as { headers?: Record<string, string> };
      const serverMs = Date.parse(headers['date'] ?? '');
      if (!Number.isNaN(serverMs)) seen.clockSkewMs = serverMs - Date.now();
      const region = headers['x-amz-bucket-region'];
      if (region !== undefined) seen.bucketRegion = region;
      return result;
    },
    { step: 'deserialize', priority: 'low', name: 'watchHeaders' },
  );
}

/** In the body of the error where no header says it. */
function keepRegion({ seen }: S3Trial, cause: unknown): void {
  if (!(cause instanceof Error) || seen.bucketRegion !== undefined) return;
  const said = (cause as { Region?: unknown }).Region;
  const region = typeof said === 'string' ? said : /expecting '([\w-]+)'/.exec(cause.message)?.[1];
  if (region !== undefined) seen.bucketRegion = region;
}
