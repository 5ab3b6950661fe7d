import type { Settings } from '../config/settings.ts';
import { LonghaulError } from '../model/errors.ts';
import type { Target } from '../model/run.ts';

/**
 * The lake that a command means: --target, else LONGHAUL_TARGET.
 * @throws LonghaulError CONFIG_INVALID for `s3` without a bucket.
 */
export function lakeTarget(
  settings: Pick<Settings, 'target' | 's3'>,
  flag: Target | undefined,
): Target {
  const target = flag ?? settings.target;
  if (target === 'disk' || settings.s3) return target;
  throw new LonghaulError('CONFIG_INVALID', 'The target s3 needs an S3_BUCKET, which is not set.', {
    hint: 'Set S3_BUCKET in .env or the environment; docs/configuration.md#the-lake-in-s3 says the rest.',
  });
}
