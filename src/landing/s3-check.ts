import { randomUUID } from 'node:crypto';
import { LonghaulError, type ErrorDetails } from '../model/errors.ts';
import { landingManifestKey } from '../model/layout.ts';
import { findObject } from '../storage/s3/objects.ts';
import type { BucketStore } from '../storage/store.ts';
import { LandingNameTaken } from './sink.ts';
import { s3Sinks } from './s3-sink.ts';
import { S3Upload } from './s3-upload.ts';
import { IngestState } from './ingest-state.ts';

const BODY = Buffer.from('a,b\n1,longhaul doctor lands this file and removes it again\n');
/** The other body differs, so that the check can distinguish a lost answer from an overwrite. */
const OTHER_BODY = Buffer.from('a,b\n2,it must not overwrite the first\n');
const RANGE = { start: 4, end: 17 } as const;
/** The clean-up is a few deletions. It also runs when the check was given up. */
const CLEAN_UP_LIMIT_MS = 15_000;

/**
 * Lands a small file in a zone as a landing does, reads it, copies it, and removes all of it, below
 * `_staging/doctor-<random>/`. S3 must refuse a second writer of the same name.
 * @param open returns the zone's store; its signal ends all requests that have no own signal.
 * @throws LonghaulError of the first failure; the signal's reason.
 */
export async function tryLanding(
  open: (signal: AbortSignal) => BucketStore,
  signal: AbortSignal,
): Promise<void> {
  const store = open(signal);
  const prefix = `_staging/doctor-${randomUUID()}/`;
  // If the worker cannot list the prefix, it writes nothing, because it could not remove the files.
  await store.deletePrefix(prefix);
  const failure = await errorOf(tryFile(store, `${prefix}file.csv`, signal));
  const left = await errorOf(open(AbortSignal.timeout(CLEAN_UP_LIMIT_MS)).deletePrefix(prefix));
  const first = failure ?? left;
  if (first === undefined) return;
  if (left === undefined || !(first instanceof LonghaulError)) throw first;
  const { code, message, details, cause } = first;
  const rest = `What is left of the check in ${store.uri(prefix)}, \`longhaul sweep\` removes.`;
  throw new LonghaulError(code, `${message} ${rest}`, details, { cause });
}

async function tryFile(store: BucketStore, rawKey: string, signal: AbortSignal): Promise<void> {
  const publishOther = await upload(store, rawKey, OTHER_BODY, signal);
  const publish = await upload(store, rawKey, BODY, signal);
  await publish();
  await read(store, rawKey);
  await assertRefused(publishOther);
  const manifestKey = landingManifestKey(rawKey);
  await store.putIfAbsent(manifestKey, BODY);
  if ((await store.putIfAbsent(manifestKey, OTHER_BODY)) !== 'exists') throw overwritten();
  const range = { location: store.location(rawKey), start: 0, end: BODY.length };
  await store.copyRange(range, `${rawKey}.copy`, signal);
  // Aborts the other upload, and deletes the checkpoint.
  await s3Sinks(store).discard(rawKey);
}

/** Uploads a body as a landing with several parts does. The returned function completes the upload. */
async function upload(
  store: BucketStore,
  rawKey: string,
  body: Buffer,
  signal: AbortSignal,
): Promise<() => Promise<void>> {
  const ingestState = new IngestState({});
  ingestState.push(body, true);
  const end = ingestState.state();
  const spec = { id: 'doctor', address: 'doctor:', optional: false, overrides: {} };
  const source = { validator: { etag: `"${end.crc32}"` }, totalBytes: body.length };
  const upload = new S3Upload({ store, rawKey, spec, source, partSizeBytes: body.length }, signal);
  await upload.send({ number: 1, body }, end);
  return async () => await upload.publish(ingestState.finish());
}

async function read(store: BucketStore, key: string): Promise<void> {
  const { start, end } = RANGE;
  const whole = await store.get(key);
  const range = await store.readRange(key, start, end);
  if (!whole?.equals(BODY)) throw refused('What is read is not what was put.');
  if (!range.equals(BODY.subarray(start, end))) {
    throw refused('A read of a range does not give that range.');
  }
  if (!store.s3.settings.checksums) return;
  if ((await findObject(store.s3, key))?.checksum !== undefined) return;
  const hint = 'Set S3_CHECKSUMS=false: sizes and ETags are compared instead.';
  throw refused('The store does not compute the CRC-32 of a whole object.', { hint });
}

async function assertRefused(publish: () => Promise<void>): Promise<void> {
  const error = await errorOf(publish());
  if (error === undefined) throw overwritten();
  if (!(error instanceof LandingNameTaken)) throw error;
}

/** The error for a store that overwrites: two workers could publish the same day in it. */
function overwritten(): LonghaulError {
  const hint = 'Use AWS S3, or a store with conditional writes, in a version that has them.';
  const what =
    'The store overwrites in spite of If-None-Match, so a published day is not safe in it.';
  return refused(what, { hint });
}

function refused(message: string, details: ErrorDetails = {}): LonghaulError {
  return new LonghaulError('STORE_REFUSED', message, details);
}

async function errorOf(work: Promise<void>): Promise<Error | undefined> {
  return await work.then(
    () => undefined,
    (error: unknown) => error as Error,
  );
}
