import { LonghaulError, ERROR_CATALOGUE, type ErrorCode } from '../model/errors.ts';
import { isFileAddress, shownAddress } from '../model/addresses.ts';
import type { AddressPolicy, HttpSettings } from '../config/settings.ts';
import type { SourceSpec } from '../model/dataset.ts';
import { nextLandingKey } from '../model/layout.ts';
import { isSameVersion, type LandingManifest, type PortalTable } from '../model/manifest.ts';
import { makePrivate } from '../storage/disk-store.ts';
import { landingNames, type LandingName } from '../storage/manifests.ts';
import type { Location } from '../storage/location.ts';
import { isInBucket, type Store } from '../storage/store.ts';
import { sourceKeyOf } from './checkpoint.ts';
import { diskSinks } from './disk-sink.ts';
import { commitLanding, LandingNameTaken, type LandingSink, type LandingSinks } from './sink.ts';
import { withSource, type Secrets } from './secrets.ts';
import { openSource, type OpenedSource } from './source.ts';
import type { Landed } from './ingest-state.ts';

export interface LandRequest {
  dataset: string;
  ingestDate: string;
  source: SourceSpec;
  /** The file's first choice of a key in the raw zone. If a landing has this name, the file gets the next name. */
  rawKey: string;
  /** The place where the worker writes the source's Parquet next. Undefined if no conversion follows. */
  converted?: Location | undefined;
}

export interface LandDeps {
  store: Store;
  http: HttpSettings;
  addresses: AddressPolicy;
  /** The values of the variables in the source's address. */
  secrets?: Secrets;
}

export interface LandProgress {
  bytes: number;
  /** Absent if the publisher does not announce a length. */
  totalBytes?: number;
  records: number;
  /** The records of a portal's table. Absent for a file. */
  totalRecords?: number;
}

export interface LandWatch {
  /** On abort, the worker keeps the bytes that arrived for the next attempt, and throws the signal's reason. */
  signal: AbortSignal;
  /** The worker calls this after the first bytes, and then at most once in each `PROGRESS_INTERVAL_MS`. */
  onProgress: (progress: LandProgress) => void;
}

/** A progress bar and heartbeats need a few reports a second. More reports would cost time and show nothing more. */
const PROGRESS_INTERVAL_MS = 200;

/**
 * Writes a source's exact bytes into the raw zone, and a manifest that describes them. If an earlier attempt was
 * killed, the worker continues at its last checkpoint when the source still has the same version. Problems of the
 * content are in `scan.problems`. Only a file that is not CSV at all is refused here.
 * @throws LonghaulError as `openSource` and `sniffHead` do; SOURCE_CHANGED; from a disk DISK_FULL and
 *   LAKE_NOT_WRITABLE, from S3 UPLOAD_LOST and STORE_….
 */
export async function land(
  request: LandRequest,
  deps: LandDeps,
  watch: LandWatch,
): Promise<LandingManifest> {
  return await withSource(request.source.id, deps.secrets ?? {}, async () => {
    const taken = new Set<string>();
    for (let mayRestart = true; ;) {
      try {
        return await attempt(request, taken, deps, watch);
      } catch (error) {
        if (error instanceof LandingNameTaken) {
          taken.add(error.rawKey);
          continue;
        }
        // No usable bytes are left. The worker tries once more from the first byte. After that, Temporal retries.
        if (!mayRestart || !(error instanceof LonghaulError) || !LOST.has(error.code)) throw error;
        mayRestart = false;
      }
    }
  });
}

/** Removes the files and uploads of unfinished landings. It does not fail if there are none. */
export async function discardPartial(store: Store, firstKey: string): Promise<void> {
  for (const { rawKey } of await landingNames(store, firstKey)) {
    await (await sinksOf(store)).discard(rawKey);
  }
}

async function attempt(
  request: LandRequest,
  taken: ReadonlySet<string>,
  deps: LandDeps,
  watch: LandWatch,
): Promise<LandingManifest> {
  const { signal } = watch;
  signal.throwIfAborted();
  const { source: spec, converted } = request;
  const sinks = await sinksOf(deps.store);
  const names = await landingNames(deps.store, request.rawKey);
  const earlier = names.flatMap(({ landing }) => landing ?? []);
  const rawKey = freeName(names, taken);
  const unfinished = await sinks.find(rawKey, sourceKeyOf(spec));
  const opened = await openSource(spec, {
    settings: deps.http,
    policy: deps.addresses,
    secrets: deps.secrets ?? {},
    signal,
    from: unfinished,
  });
  try {
    // Only its owner may be able to read a `file:` source. So its landing is private, and so is its Parquet.
    if (isFileAddress(spec.address)) await makePrivate(deps.store.location(folderOf(rawKey)));
    const current = await currentOf(deps.store, earlier, opened);
    const target = { rawKey, spec, source: opened, converted, signal };
    const resumed = opened.startOffset === unfinished?.end.bytes ? unfinished : undefined;
    const landing = { request: { ...request, rawKey }, earlier, deps, watch, opened };
    const manifest = current ?? (await landInto(await sinks.open(target, resumed), landing));
    // Also discards this worker's own attempt if another worker landed the same bytes first.
    for (const key of new Set([rawKey, manifest.rawKey])) await sinks.discard(key);
    return manifest;
  } catch (error) {
    if (isUseless(error) || error instanceof LandingNameTaken) await sinks.discard(rawKey);
    throw error;
  } finally {
    await opened.close();
  }
}

/** Only this function distinguishes kinds of stores. A worker whose lake is on disk does not load the AWS SDK. */
async function sinksOf(store: Store): Promise<LandingSinks> {
  if (!isInBucket(store)) return diskSinks(store);
  return (await import('./s3-sink.ts')).s3Sinks(store);
}

/** A name without a manifest may belong to an attempt of this run that was killed. A later step compares the bytes. */
function freeName(names: readonly LandingName[], taken: ReadonlySet<string>): string {
  const free = names.find(({ rawKey, landing }) => !landing && !taken.has(rawKey));
  return free?.rawKey ?? nextLandingKey(names.at(-1)?.rawKey ?? '');
}

interface Landing {
  /** The request with the key that the landing gets. */
  request: LandRequest;
  earlier: readonly LandingManifest[];
  deps: LandDeps;
  watch: LandWatch;
  opened: OpenedSource;
}

async function landInto(
  sink: LandingSink,
  { request, earlier, deps, watch, opened }: Landing,
): Promise<LandingManifest> {
  const { source: spec, rawKey, dataset, ingestDate } = request;
  try {
    const landed = await receive(sink, opened, watch);
    const portal = opened.portal?.();
    assertCounted(portal, landed.scan.records);
    const manifest: LandingManifest = {
      format: 'longhaul/landing/1',
      dataset,
      ingestDate,
      source: spec.id,
      url: shownAddress(spec.address),
      rawKey,
      bytes: landed.bytes,
      checksum: landed.checksum,
      validator: opened.validator,
      landedAt: new Date().toISOString(),
      scan: landed.scan,
      ...(portal && { portal }),
    };
    const publish = async (): Promise<void> => await sink.publish(landed);
    return await commitLanding(deps.store, manifest, earlier, publish);
  } finally {
    await sink.close();
  }
}

/** Compares the portal's count, which the pages agreed with, with the records that the scanner counted in the bytes. */
function assertCounted(portal: PortalTable | undefined, records: number): void {
  if (portal?.records === undefined || portal.records === records) return;
  const what = `${portal.service} counts ${portal.records} records, and ${records} arrived.`;
  throw new LonghaulError('SOURCE_CHANGED', what);
}

async function receive(
  sink: LandingSink,
  opened: OpenedSource,
  { signal, onProgress }: LandWatch,
): Promise<Landed> {
  const { totalBytes, totalRecords } = opened;
  let reportedAt = 0;
  const report = (): void => {
    reportedAt = Date.now();
    const { bytes, records } = sink;
    onProgress({ bytes, records, totalBytes, ...(totalRecords !== undefined && { totalRecords }) });
  };
  try {
    for await (const chunk of opened.body) {
      await sink.append(chunk);
      if (Date.now() - reportedAt >= PROGRESS_INTERVAL_MS) report();
    }
    signal.throwIfAborted();
    const landed = await sink.finish();
    report();
    return landed;
  } catch (error) {
    await sink.interrupt();
    throw error;
  }
}

function folderOf(key: string): string {
  return key.slice(0, key.lastIndexOf('/') + 1);
}

/** If an earlier attempt finished but its answer was lost, its landing counts while the publisher's version stays. */
async function currentOf(
  store: Store,
  earlier: readonly LandingManifest[],
  { validator, totalBytes }: OpenedSource,
): Promise<LandingManifest | undefined> {
  const current = earlier.findLast(
    (each) =>
      isSameVersion(validator, each.validator) &&
      (totalBytes === undefined || totalBytes === each.bytes),
  );
  return current && (await store.size(current.rawKey)) === current.bytes ? current : undefined;
}

/** UPLOAD_LOST means that another process or a lifecycle rule ended the upload or changed its parts. */
const LOST: ReadonlySet<ErrorCode> = new Set(['SOURCE_CHANGED', 'UPLOAD_LOST']);

const USELESS: ReadonlySet<ErrorCode> = new Set([
  'PORTAL_ANSWER_INVALID',
  'PORTAL_UNUSABLE',
  'SOURCE_CHANGED',
  'SOURCE_EXPORT_FAILED',
  'SOURCE_TOO_LARGE',
]);

/** Whether the arrived bytes are of no use to the next attempt, because of their content, version, count or length. */
function isUseless(error: unknown): boolean {
  if (!(error instanceof LonghaulError)) return false;
  return USELESS.has(error.code) || ERROR_CATALOGUE[error.code].class === 'content';
}
