import type { SourceSpec } from '../model/dataset.ts';
import type { Location } from '../storage/location.ts';
import type { Checkpoint } from './checkpoint.ts';
import type { OpenedSource, SourcePosition } from './source.ts';
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

/** A landing that can be gone on with at its last end, if the source is still this version. */
export interface Unfinished extends Checkpoint {
  /** The offset of the last end; more than 0. */
  offset: number;
  /** CRC-32 of the bytes before it. */
  crc32: number;
  position?: SourcePosition | undefined;
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

/** What a checkpoint says of where to go on; undefined where it has no end. */
export function unfinishedOf(checkpoint: Checkpoint): Unfinished | undefined {
  const end = checkpoint.ends.at(-1);
  if (!end || end.bytes === 0) return undefined;
  return { ...checkpoint, offset: end.bytes, crc32: end.crc32, position: end.position };
}
