import type { Settings } from '../config/settings.ts';
import { LonghaulError } from '../model/errors.ts';
import type { Target } from '../model/run.ts';
import { DiskStore } from './disk-store.ts';
import type { Lake } from './store.ts';

/**
 * The lake of a target. The AWS SDK takes a quarter of a second to load: only who asks for `s3` waits for it.
 * @throws LonghaulError CONFIG_INVALID for `s3` without a bucket.
 */
export async function openLake(
  target: Target,
  settings: Pick<Settings, 'rawDir' | 'convertedDir' | 's3'>,
): Promise<Lake> {
  if (target === 'disk') {
    return {
      raw: new DiskStore(settings.rawDir),
      converted: new DiskStore(settings.convertedDir),
    };
  }
  const { s3 } = settings;
  if (!s3) {
    throw new LonghaulError('CONFIG_INVALID', 'The target s3 needs an S3_BUCKET.', {
      hint: 'Set S3_BUCKET in .env or the environment, of the worker too.',
    });
  }
  const { S3Store } = await import('./s3/s3-store.ts');
  const { S3Zone } = await import('./s3/zone.ts');
  return {
    raw: new S3Store(new S3Zone(s3, s3.rawPrefix)),
    converted: new S3Store(new S3Zone(s3, s3.convertedPrefix)),
  };
}
