import type { Config } from '../config/load-config.ts';
import { LonghaulError } from '../model/errors.ts';
import { printable } from '../model/names.ts';
import type { TemporalLink } from './connection.ts';

/**
 * The embedded worker has the settings of the command that started it: work for another bucket would go to nobody, or
 * into the wrong one. A worker elsewhere answers for itself.
 * @throws LonghaulError CONFIG_INVALID where the running worker has another lake in S3 than this command.
 */
export function assertReaches(
  { embedded }: Pick<TemporalLink, 'embedded'>,
  { s3Place }: Pick<Config, 's3Place'>,
): void {
  if (!embedded || embedded.s3Place === s3Place) return;
  const [theirs, ours] = [embedded.s3Place, s3Place].map((each) =>
    printable(each ?? 'no S3_BUCKET'),
  );
  const message = `The worker that runs already has ${theirs}; this command has ${ours}.`;
  throw new LonghaulError('CONFIG_INVALID', message, {
    hint: '`longhaul down`, then run this again: it starts a worker with these settings.',
  });
}
