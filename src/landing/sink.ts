import type { SourceSpec } from '../model/dataset.ts';
import { landingManifestKey } from '../model/layout.ts';
import type { LandingManifest } from '../model/manifest.ts';
import type { Location } from '../storage/location.ts';
import { readLanding, toJson } from '../storage/manifests.ts';
import type { Store } from '../storage/store.ts';
import type { Unfinished } from './checkpoint.ts';
import type { OpenedSource } from './source.ts';
import type { Landed } from './ingest-state.ts';

/** Writes a source's bytes into a store, and counts and checksums them as they pass. */
export interface LandingSink {
  /** Bytes that the sink has taken so far, including those of earlier attempts. */
  readonly bytes: number;
  readonly records: number;
  /** Resolves when the sink has room for more. */
  append(chunk: Uint8Array): Promise<void>;
  /** Resolves when all bytes are durable in the store. The file does not have its final name yet. */
  finish(): Promise<Landed>;
  /**
   * Gives the finished bytes their final name. It never overwrites a file.
   * @throws LandingNameTaken if other bytes have the name.
   */
  publish(landed: Landed): Promise<void>;
  /** Keeps the bytes that arrived for the next attempt, as far as a short time allows. Never throws. */
  interrupt(): Promise<void>;
  /** The caller must always call this, as the last method. */
  close(): Promise<void>;
}

/** How one kind of store receives landings. */
export interface LandingSinks {
  /** Returns what a new attempt can continue of an earlier one for this source. Removes what it cannot continue. */
  find(rawKey: string, sourceKey: string): Promise<Unfinished | undefined>;
  /** Opens a sink at the first byte, or at the end of an earlier attempt. */
  open(target: LandingTarget, resumed?: Unfinished): Promise<LandingSink>;
  /** Removes the files and uploads of unfinished landings. It does not fail if there are none. */
  discard(rawKey: string): Promise<void>;
}

export interface LandingTarget {
  rawKey: string;
  spec: SourceSpec;
  source: OpenedSource;
  /** The place where the worker writes the Parquet next, which needs room too. Undefined if no conversion follows. */
  converted: Location | undefined;
  /** When it is aborted, all waiting ends within seconds. */
  signal: AbortSignal;
}

/** Another landing with other bytes has the name, so this landing needs another name. */
export class LandingNameTaken extends Error {
  readonly rawKey: string;

  constructor(rawKey: string) {
    super(`Another landing has the name ${rawKey}.`);
    this.rawKey = rawKey;
  }
}

/**
 * Gives the complete landing its name, and then writes its manifest. It never overwrites or removes a file with that
 * name, even without a manifest. Another host, or an attempt that was frozen and given up, may be about to write one.
 * @param earlier landings of the same source, day and revision.
 * @param publish gives the bytes their name.
 * @returns the manifest in the store: if an equal landing was there already, its manifest.
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
