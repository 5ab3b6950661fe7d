import type { Settings } from '../config/settings.ts';
import { LonghaulError } from '../model/errors.ts';
import type { Target } from '../model/run.ts';
import { DiskStore } from './disk-store.ts';
import { S3Store } from './s3/s3-store.ts';
import { S3Zone } from './s3/zone.ts';
import type { Lake } from './store.ts';

/** The lake of a target. @throws LonghaulError CONFIG_INVALID for `s3` without a bucket. */
export function openLake(
  target: Target,
  settings: Pick<Settings, 'rawDir' | 'convertedDir' | 's3'>,
): Lake {
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
  return {
    raw: new S3Store(new S3Zone(s3, s3.rawPrefix)),
    converted: new S3Store(new S3Zone(s3, s3.convertedPrefix)),
  };
}
