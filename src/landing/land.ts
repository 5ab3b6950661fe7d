import { LonghaulError, ERROR_CATALOGUE } from '../model/errors.ts';
import { shownAddress } from '../model/addresses.ts';
import type { AddressPolicy, HttpSettings } from '../config/settings.ts';
import type { SourceSpec } from '../model/dataset.ts';
import type { LandingManifest } from '../model/manifest.ts';
import { isSameVersion } from '../model/validator.ts';
import { readLanding } from '../storage/manifests.ts';
import type { Store } from '../storage/store.ts';
import { checkpointKey, partialKey, readCheckpoint, sourceKeyOf } from './checkpoint.ts';
import { commitLanding } from './commit.ts';
import { PartialFile } from './partial-file.ts';
import { withSource } from './source-errors.ts';
import { openSource, type OpenedSource } from './source.ts';

export interface LandRequest {
  dataset: string;
  ingestDate: string;
  source: SourceSpec;
  /** Where the file goes in the raw zone. */
  rawKey: string;
}

export interface LandDeps {
  store: Store;
  http: HttpSettings;
  addresses: AddressPolicy;
  now?: () => Date;
}

export interface LandProgress {
  bytes: number;
  /** Absent where the publisher does not say. */
  totalBytes?: number;
  records: number;
}

export interface LandWatch {
  /** Aborted: what arrived is kept for the next attempt, and the signal's reason is thrown. */
  signal: AbortSignal;
  /** Called from the first byte on, and then a few times a second at most. */
  onProgress: (progress: LandProgress) => void;
}

/** Often enough for a progress bar and for heartbeats, seldom enough to cost nothing. */
const PROGRESS_INTERVAL_MS = 200;

/**
 * Brings a source's bytes into the raw zone, exactly, and says in the manifest what they are. An attempt that
 * was killed is gone on with where its last checkpoint is, if the source is still the same version. Problems of
 * the content are in `scan.problems`: only what is no CSV file at all is refused here.
 * @throws LonghaulError as `openSource` and `sniffHead` do; SOURCE_CHANGED, DISK_FULL, LAKE_NOT_WRITABLE, LAKE_CORRUPT.
 */
export async function land(
  request: LandRequest,
  deps: LandDeps,
  watch: LandWatch,
): Promise<LandingManifest> {
  return await withSource(request.source.id, async () => {
    try {
      return await attempt(request, deps, watch);
    } catch (error) {
      if (!isChanged(error)) throw error;
      // One version only: once more from the first byte, and then it is Temporal's turn.
      await discardPartial(deps.store, request.rawKey);
      return await attempt(request, deps, watch);
    }
  });
}

/** Removes what an unfinished landing left; no error where there is nothing. */
export async function discardPartial(store: Store, rawKey: string): Promise<void> {
  await store.delete(checkpointKey(rawKey));
  await store.delete(partialKey(rawKey));
}

async function attempt(
  request: LandRequest,
  deps: LandDeps,
  watch: LandWatch,
): Promise<LandingManifest> {
  watch.signal.throwIfAborted();
  const { source: spec, rawKey } = request;
  const checkpoint = await readCheckpoint(deps.store, rawKey, sourceKeyOf(spec));
  const opened = await openSource(spec.address, {
    settings: deps.http,
    policy: deps.addresses,
    signal: watch.signal,
    ...(checkpoint ? { from: { ...checkpoint, offset: checkpoint.bytes } } : {}),
  });
  try {
    const present = await readLanding(deps.store, rawKey);
    if (present && (await isCurrent(deps.store, present, opened))) return present;
    const resumed = opened.startOffset === checkpoint?.bytes ? checkpoint : undefined;
    const target = { store: deps.store, rawKey, spec, source: opened };
    const partial = await PartialFile.open(target, resumed);
    const landed = await receive(partial, opened, watch).catch(async (error: unknown) => {
      if (isUseless(error)) await discardPartial(deps.store, rawKey);
      throw error;
    });
    const manifest = await commitLanding(deps.store, {
      format: 'longhaul/landing/1',
      dataset: request.dataset,
      ingestDate: request.ingestDate,
      source: spec.id,
      url: shownAddress(spec.address),
      rawKey,
      bytes: landed.bytes,
      checksum: landed.checksum,
      validator: opened.validator,
      landedAt: (deps.now?.() ?? new Date()).toISOString(),
      scan: landed.scan,
    });
    await discardPartial(deps.store, rawKey);
    return manifest;
  } finally {
    await opened.close();
  }
}

async function receive(
  partial: PartialFile,
  opened: OpenedSource,
  { signal, onProgress }: LandWatch,
): ReturnType<PartialFile['finish']> {
  const { totalBytes } = opened;
  let reportedAt = 0;
  const report = (): void => {
    reportedAt = Date.now();
    const { bytes, records } = partial;
    onProgress({ bytes, records, ...(totalBytes === undefined ? {} : { totalBytes }) });
  };
  try {
    for await (const chunk of opened.body) {
      await partial.append(chunk);
      if (Date.now() - reportedAt >= PROGRESS_INTERVAL_MS) report();
    }
    signal.throwIfAborted();
    const landed = await partial.finish();
    report();
    return landed;
  } catch (error) {
    await partial.interrupt();
    throw error;
  } finally {
    await partial.close();
  }
}

/** An earlier attempt finished, but its answer was lost: the publisher has the same version still. */
async function isCurrent(
  store: Store,
  present: LandingManifest,
  { validator, totalBytes }: OpenedSource,
): Promise<boolean> {
  const sameLength = totalBytes === undefined || totalBytes === present.bytes;
  const same = isSameVersion(validator, present.validator);
  return same && sameLength && (await store.size(present.rawKey)) === present.bytes;
}

function isChanged(error: unknown): boolean {
  return error instanceof LonghaulError && error.code === 'SOURCE_CHANGED';
}

/** What arrived is no part of any CSV file, or of no one version. */
function isUseless(error: unknown): boolean {
  if (!(error instanceof LonghaulError)) return false;
  return isChanged(error) || ERROR_CATALOGUE[error.code].class === 'content';
}
