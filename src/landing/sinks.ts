import { S3Store } from '../storage/s3/s3-store.ts';
import type { Store } from '../storage/store.ts';
import { diskSinks } from './disk-sinks.ts';
import { s3Sinks } from './s3-sinks.ts';
import type { LandingSinks } from './sink.ts';

/** The one place where landings tell kinds of stores apart. */
export function sinksOf(store: Store): LandingSinks {
  return store instanceof S3Store ? s3Sinks(store) : diskSinks(store);
}
