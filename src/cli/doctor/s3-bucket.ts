import type { UploadRule } from '../../storage/s3/trial.ts';
import { durationText } from '../render/units.ts';
import type { Finding } from './check.ts';

/** AWS refuses requests from 15 minutes on; a clock that is 5 minutes off drifts. */
const MAX_SKEW_MS = 5 * 60_000;

/** @param skewMs S3's clock minus this machine's; undefined where S3 has not answered. */
export function clockFinding(skewMs: number | undefined): Finding {
  if (skewMs === undefined)
    return { status: 'unknown', found: 'S3 has not answered with its time' };
  const off = `${durationText(Math.abs(skewMs))} ${skewMs > 0 ? 'behind' : 'ahead of'} S3's`;
  if (Math.abs(skewMs) <= MAX_SKEW_MS) return { status: 'ok', found: off };
  return {
    status: 'problem',
    found: `${off}; AWS refuses requests from 15 minutes on`,
    fix: 'Set the clock of this machine, and keep it set: sudo timedatectl set-ntp true',
  };
}

export function uploadRuleFinding(
  bucket: string,
  rules: readonly UploadRule[] | { unknown: string },
): Finding {
  if ('unknown' in rules) {
    return {
      status: 'unknown',
      found: `whether unfinished uploads end by themselves: ${rules.unknown}`,
    };
  }
  const without = rules.filter(({ days }) => days === undefined);
  if (without.length === 0) {
    const days = rules.map((rule) => `${rule.prefix} after ${rule.days} days`).join(', ');
    return { status: 'ok', found: `unfinished uploads end by themselves: ${days}` };
  }
  return {
    status: 'problem',
    found: `no rule ends unfinished uploads below ${without.map(({ prefix }) => prefix).join(' and ')}: they are paid for until \`longhaul sweep\``,
    fix: `Add AbortIncompleteMultipartUpload (docs/aws.md#the-bucket has the rule): aws s3api put-bucket-lifecycle-configuration --bucket ${bucket} --lifecycle-configuration file://lifecycle.json`,
  };
}
