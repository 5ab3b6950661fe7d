import type { S3Settings } from '../../config/settings.ts';
import type { ZoneProbe } from '../../storage/s3/scratch-probe.ts';
import type { Finding } from './check.ts';

export function zoneFinding(bucket: string, prefix: string, probe: ZoneProbe): Finding {
  const { denied, failed, left } = probe;
  // What came to light in another way needs no "not tried".
  const untried = probe.untried.filter((permission) => !denied.includes(permission));
  if (denied.length + failed.length + left.length === 0) {
    const found = `s3://${bucket}/${prefix} can be put, read, listed, copied, uploaded in parts and deleted`;
    return { status: 'ok', found };
  }
  const lines = [
    ...(denied.length === 0 ? [] : [`denied: ${denied.join(', ')}`]),
    ...failed,
    ...(untried.length === 0 ? [] : [`not tried for that: ${untried.join(', ')}`]),
    ...left.map((each) => `could not be removed again: ${each}`),
  ];
  return { status: 'problem', found: lines.join('\n'), fix: fixOf(bucket, prefix, denied) };
}

function fixOf(bucket: string, prefix: string, denied: readonly string[]): string {
  if (denied.length === 0) return 'docs/aws.md#other-stores says what a store must be able to do.';
  const where = `arn:aws:s3:::${bucket} and arn:aws:s3:::${bucket}/${prefix}*`;
  return `Grant ${denied.join(', ')} on ${where} (docs/aws.md#the-least-policy).`;
}

/** Without it, two workers could publish one day. */
export function conditionalFinding(probes: readonly ZoneProbe[]): Finding {
  const answers = new Set(probes.map(({ honoursIfNoneMatch }) => honoursIfNoneMatch));
  if (answers.has(false)) {
    return {
      status: 'problem',
      found: 'the store overwrites in spite of If-None-Match, so a published day is not safe in it',
      fix: 'Use AWS S3, or a store with conditional writes, in a version that has them.',
    };
  }
  if (answers.has(true)) return { status: 'ok', found: 'a put never overwrites' };
  return { status: 'unknown', found: 'not tried: the zones say why' };
}

export function checksumsFinding({ checksums }: S3Settings, probes: readonly ZoneProbe[]): Finding {
  if (!checksums) {
    const found = 'off (S3_CHECKSUMS=false): sizes and ETags are compared instead';
    return { status: 'ok', found };
  }
  const answers = new Set(probes.map(({ hasChecksums }) => hasChecksums));
  if (answers.has(false)) {
    return {
      status: 'problem',
      found: 'the store does not compute the CRC-32 of a whole object',
      fix: 'Set S3_CHECKSUMS=false: sizes and ETags are compared instead.',
    };
  }
  if (answers.has(true)) {
    return { status: 'ok', found: 'the store computes the CRC-32 of a whole object' };
  }
  return { status: 'unknown', found: 'not tried: the zones say why' };
}
