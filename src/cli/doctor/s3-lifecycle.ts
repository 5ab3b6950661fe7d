import { GetBucketLifecycleConfigurationCommand, type LifecycleRule } from '@aws-sdk/client-s3';
import type { S3Settings } from '../../config/settings.ts';
import { statusOf } from '../../storage/s3/errors.ts';
import type { S3Zone } from '../../storage/s3/zone.ts';
import type { Finding } from './check.ts';

/** Whether the bucket's lifecycle ends unfinished uploads in both zones. @param zone of the whole bucket. */
export async function lifecycleFinding(zone: S3Zone, signal: AbortSignal): Promise<Finding> {
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
    return { status: 'unknown', found: `whether unfinished uploads end by themselves: ${why}` };
  }
}

function ruleFinding(
  { bucket, rawPrefix, convertedPrefix }: S3Settings,
  rules: readonly LifecycleRule[],
): Finding {
  const zones = [rawPrefix, convertedPrefix].map((prefix) => ({
    prefix,
    days: daysFor(prefix, rules),
  }));
  const without = zones.filter(({ days }) => days === undefined);
  if (without.length === 0) {
    const days = zones.map((zone) => `${zone.prefix} after ${zone.days} days`).join(', ');
    return { status: 'ok', found: `unfinished uploads end by themselves: ${days}` };
  }
  return {
    status: 'problem',
    found: `no rule ends unfinished uploads below ${without.map(({ prefix }) => prefix).join(' and ')}: they are paid for until \`longhaul sweep\``,
    fix: `Add AbortIncompleteMultipartUpload (docs/aws.md#the-bucket has the rule): aws s3api put-bucket-lifecycle-configuration --bucket ${bucket} --lifecycle-configuration file://lifecycle.json`,
  };
}

/** Of the rules that cover the prefix, the one that acts first; undefined: never. */
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
