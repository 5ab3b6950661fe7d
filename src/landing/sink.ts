import type { SourceSpec } from '../model/dataset.ts';
import { landingManifestKey } from '../model/layout.ts';
import type { LandingManifest } from '../model/manifest.ts';
import type { Location } from '../storage/location.ts';
import { readLanding, toJson } from '../storage/manifests.ts';
import type { Store } from '../storage/store.ts';
import type { Unfinished } from './checkpoint.ts';
import type { OpenedSource } from './source.ts';
import type { Landed } from './ingest-state.ts';

/** A source on its way into a store: kept, checksummed and counted as it passes. */
export interface LandingSink {
  /** Taken in so far, earlier attempts' included. */
  readonly bytes: number;
  readonly records: number;
  /** Resolves when there is room for more. */
  append(chunk: Uint8Array): Promise<void>;
  /** Everything is in the store durably, and not yet under its own name. */
  finish(): Promise<Landed>;
  /**
   * Gives the finished bytes their name. Nothing that has it is overwritten.
   * @throws LandingNameTaken where other bytes have the name.
   */
  publish(landed: Landed): Promise<void>;
  /** Keeps what arrived for the next attempt, as far as it can be kept in a short time. Never throws. */
  interrupt(): Promise<void>;
  /** To be called always, and last. */
  close(): Promise<void>;
}

/** How one kind of store takes landings in. */
export interface LandingSinks {
  /** What an earlier attempt left of this source that can be gone on with; cleans up what cannot. */
  find(rawKey: string, sourceKey: string): Promise<Unfinished | undefined>;
  /** From the first byte, or where an earlier attempt ended. */
  open(target: LandingTarget, resumed?: Unfinished): Promise<LandingSink>;
  /** Removes all that unfinished landings left; no error where there is nothing. */
  discard(rawKey: string): Promise<void>;
}

export interface LandingTarget {
  rawKey: string;
  spec: SourceSpec;
  source: OpenedSource;
  /** Where its Parquet is written next, if it is: that needs room too. */
  converted: Location | undefined;
  /** Aborted: waiting ends soon. */
  signal: AbortSignal;
}

/** Another landing, with other bytes, has the name: this one needs another name. */
export class LandingNameTaken extends Error {
  readonly rawKey: string;

  constructor(rawKey: string) {
    super(`Another landing has the name ${rawKey}.`);
    this.rawKey = rawKey;
  }
}

/**
 * Gives the complete landing its name, and then its manifest. Nothing that has the name is overwritten or removed, with
 * or without a manifest: another host, or an attempt that was given up while it was frozen, may be about to write one.
 * @param earlier landings of the same source, day and revision.
 * @param publish gives the bytes their name.
 * @returns the manifest that is in the store: an equal landing's, where there was one.
 * @throws LandingNameTaken.
 */
export async function commitLanding(
  store: Store,
  manifest: LandingManifest,
  earlier: readonly LandingManifest[],
  publish: () => Promise<void>,
): Promise<LandingManifest> {
  const equal = earlier.find((each) => isSame(each, manifest));
  if (equal) return equal;
  const { rawKey } = manifest;
  await publish();
  const key = landingManifestKey(rawKey);
  if ((await store.putIfAbsent(key, toJson(manifest))) === 'created') return manifest;
  const stored = (await readLanding(store, rawKey)) ?? manifest;
  if (!isSame(stored, manifest)) throw new LandingNameTaken(rawKey);
  return stored;
}

function isSame(one: LandingManifest, other: LandingManifest): boolean {
  return one.checksum === other.checksum && one.bytes === other.bytes;
}
