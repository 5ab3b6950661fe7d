import {
  GetBucketLifecycleConfigurationCommand,
  ListObjectsV2Command,
  type LifecycleRule,
  type S3Client,
} from '@aws-sdk/client-s3';
import type { S3Settings } from '../../config/settings.ts';
import { tryLanding } from '../../landing/s3-check.ts';
import { LonghaulError } from '../../model/errors.ts';
import { ZONE_FOLDERS } from '../../model/layout.ts';
import { createS3Client } from '../../storage/s3/client.ts';
import { s3Error, statusOf } from '../../storage/s3/errors.ts';
import { S3Store } from '../../storage/s3/s3-store.ts';
import { S3Prefix } from '../../storage/s3/prefix.ts';
import { durationText } from '../text.ts';
import { ok, problem, unknown, type Check, type Finding } from './check.ts';

/** If this machine's clock is wrong, the SDK learns that from the first attempt and corrects it for the second. */
const MAX_ATTEMPTS = 2;
/** The user waits for the answer, so the doctor waits less long than a run does. */
const PATIENCE_MS = 5000;
/** About 35 small requests take a few seconds, even to another continent. The removal has the same limit again. */
const TRIAL_LIMIT_MS = 30_000;

/** The checks in their order: each relies on the earlier ones. */
export function s3Checks(given: S3Settings): Check[] {
  const settings = {
    ...given,
    connectTimeoutMs: Math.min(given.connectTimeoutMs, PATIENCE_MS),
    stallTimeoutMs: Math.min(given.stallTimeoutMs, PATIENCE_MS),
  };
  const client = createS3Client(settings, { maxAttempts: MAX_ATTEMPTS });
  const whole = new S3Prefix(settings, '', client);
  let hasAnswered = false;
  const zone = (name: Zone) => async (signal: AbortSignal) =>
    await zoneFinding(settings, prefixOf(name, settings), client, signal);
  const credentials = async () => await credentialsFinding(settings, client);
  const bucket = async (signal: AbortSignal): Promise<Finding> => {
    try {
      const finding = await bucketFinding(whole, signal);
      hasAnswered = true;
      return finding;
    } catch (error) {
      hasAnswered = error instanceof LonghaulError && statusOf(error.cause) !== undefined;
      throw error;
    }
  };
  const lifecycle = async (signal: AbortSignal) => await lifecycleFinding(whole, signal);
  const clock = () => clockFinding(hasAnswered ? client.config.systemClockOffset : undefined);
  return [
    { id: 's3-credentials', title: 'S3 credentials', run: credentials, gate: true },
    { id: 's3-bucket', title: 'S3 bucket', run: bucket, gate: true },
    { id: 's3-raw', title: 'S3 raw zone', run: zone('raw') },
    { id: 's3-converted', title: 'S3 converted zone', run: zone('converted') },
    { id: 's3-lifecycle', title: 'S3 lifecycle', run: lifecycle },
    { id: 'clock', title: 'Clock', run: clock, always: true },
  ];
}

type Zone = keyof typeof ZONE_FOLDERS;

/** AWS refuses requests from 15 minutes on. A clock that is 5 minutes off drifts and will get there. */
const MAX_SKEW_MS = 5 * 60_000;

/** @param skewMs S3's clock minus this machine's; undefined if S3 has not answered. */
export function clockFinding(skewMs: number | undefined): Finding {
  if (skewMs === undefined) return unknown('S3 has not answered with its time');
  const off = `${durationText(Math.abs(skewMs))} ${skewMs > 0 ? 'behind' : 'ahead of'} S3's`;
  if (Math.abs(skewMs) <= MAX_SKEW_MS) return ok(off);
  const fix = 'Set the clock of this machine, and keep it set: sudo timedatectl set-ntp true';
  return problem(`${off}; AWS refuses requests from 15 minutes on`, fix);
}

/** Characters. Enough to distinguish two keys. */
const SHOWN_OF_KEY = 4;

async function credentialsFinding({ bucket }: S3Settings, client: S3Client): Promise<Finding> {
  const { accessKeyId, expiration } = await client.config.credentials().catch((error: unknown) => {
    throw s3Error(error, { permission: 'ListBucket', bucket });
  });
  const until = expiration ? `, valid until ${expiration.toISOString()}` : '';
  const key = `access key …${accessKeyId.slice(-SHOWN_OF_KEY)}${until}`;
  const region = await client.config.region().catch(() => undefined);
  if (region !== undefined) return ok(`${key}; region ${region}`);
  return problem(`${key}; no region is set`, 'Set AWS_REGION to the region of the bucket.');
}

/**
 * Lists below the converted prefix, because the documented least policy allows that, but not HeadBucket. Also, the
 * error of a HEAD has no body that says what is wrong.
 */
async function bucketFinding(zone: S3Prefix, signal: AbortSignal): Promise<Finding> {
  const { bucket } = zone.settings;
  const Prefix = prefixOf('converted', zone.settings);
  const command = new ListObjectsV2Command({ Bucket: bucket, Prefix, MaxKeys: 1 });
  try {
    await zone.send(command, 'ListBucket', { signal });
    return ok(`${bucket} answers`);
  } catch (error) {
    if (!(error instanceof LonghaulError) || error.code !== 'STORE_FORBIDDEN') throw error;
    // The bucket exists. The next checks say which permissions are missing.
    return unknown(`${bucket} answers, and does not permit listing`);
  }
}

async function zoneFinding(
  settings: S3Settings,
  prefix: string,
  client: S3Client,
  signal: AbortSignal,
): Promise<Finding> {
  const limit = AbortSignal.timeout(TRIAL_LIMIT_MS);
  const open = (ending: AbortSignal): S3Store => new S3Store(settings, prefix, client, ending);
  try {
    await tryLanding(open, AbortSignal.any([signal, limit]));
  } catch (error) {
    if (signal.aborted || !limit.aborted) throw error;
    const what = `S3 did not answer everything within ${TRIAL_LIMIT_MS / 1000} s.`;
    throw new LonghaulError('STORE_UNAVAILABLE', what, {}, { cause: error });
  }
  const checked = settings.checksums ? 'CRC-32' : 'sizes and ETags (S3_CHECKSUMS=false)';
  return ok(
    `s3://${settings.bucket}/${prefix}: a file was landed, checked by ${checked}, read, copied, not overwritten and removed`,
  );
}

/** Checks that the bucket's lifecycle ends unfinished uploads in both zones. @param zone the whole bucket. */
export async function lifecycleFinding(zone: S3Prefix, signal: AbortSignal): Promise<Finding> {
  const command = new GetBucketLifecycleConfigurationCommand({ Bucket: zone.bucket });
  const options = { signal, expected: () => true };
  try {
    const { Rules = [] } = await zone.send(command, 'GetLifecycleConfiguration', options);
    return ruleFinding(zone.settings, Rules);
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof Error)) throw error;
    if (error.name === 'NoSuchLifecycleConfiguration') return ruleFinding(zone.settings, []);
    const why =
      statusOf(error) === 403
        ? 'S3 denies s3:GetLifecycleConfiguration'
        : `the store does not say (${error.name})`;
    return unknown(`whether unfinished uploads end by themselves: ${why}`);
  }
}

function ruleFinding(settings: S3Settings, rules: readonly LifecycleRule[]): Finding {
  const { bucket } = settings;
  const zones = (['raw', 'converted'] as const)
    .map((zone) => prefixOf(zone, settings))
    .map((prefix) => ({ prefix, days: daysOf(prefix, rules) }));
  const without = zones.filter(({ days }) => days === Infinity).map(({ prefix }) => prefix);
  if (without.length === 0) {
    const days = zones.map((zone) => `${zone.prefix} after ${zone.days} days`).join(', ');
    return ok(`unfinished uploads end by themselves: ${days}`);
  }
  return problem(
    `no rule ends unfinished uploads below ${without.join(' and ')}: they are paid for until \`longhaul sweep\``,
    `Add AbortIncompleteMultipartUpload (docs/aws.md#the-bucket has the rule): aws s3api put-bucket-lifecycle-configuration --bucket ${bucket} --lifecycle-configuration file://lifecycle.json`,
  );
}

function prefixOf(zone: Zone, { prefix }: S3Settings): string {
  return `${prefix}${ZONE_FOLDERS[zone]}/`;
}

/** Days until the earliest rule for this prefix acts; Infinity if there is none. */
function daysOf(prefix: string, rules: readonly LifecycleRule[]): number {
  const days = rules.map(({ Status, Filter, Prefix, AbortIncompleteMultipartUpload: abort }) => {
    // The old form of a rule has the prefix beside the filter.
    const covered = Filter?.Prefix ?? Filter?.And?.Prefix ?? Prefix ?? '';
    const isInForce = Status === 'Enabled' && prefix.startsWith(covered);
    return (isInForce && abort?.DaysAfterInitiation) || Infinity;
  });
  return Math.min(...days);
}
