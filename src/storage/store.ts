import type { Location } from './location.ts';
import type { S3Prefix } from './s3/prefix.ts';

/** One small interface over a zone of the lake, on disk or in S3. Keys use `/` and never leave the zone. */
export interface Store {
  /** How a store in S3 makes its requests; a disk has none. */
  readonly s3?: S3Prefix;
  /** What a person or DuckDB opens: an absolute path, or an `s3://` URI. */
  uri(key: string): string;
  /** The same as plain data: what a thread or a child process opens with `openLocation`. */
  location(key: string): Location;
  /** Undefined where there is no such object. */
  get(key: string): Promise<Buffer | undefined>;
  /** Atomic and durable; never overwrites: of two writers, one gets `exists`. */
  putIfAbsent(key: string, body: string | Uint8Array): Promise<'created' | 'exists'>;
  /** Replaces; only for files that are not published (staged schemas, checkpoints, entries of an unpublished day). */
  put(key: string, body: string | Uint8Array): Promise<void>;
  /** Every object below the prefix, in no order. */
  list(prefix: string): AsyncIterable<StoredObject>;
  /** Names of the folders right below the prefix, which ends with `/` or is empty. */
  folders(prefix: string): Promise<string[]>;
  /** Bytes [start, end) of an object. */
  readRange(key: string, start: number, end: number): Promise<Buffer>;
  size(key: string): Promise<number | undefined>;
  /**
   * Copies bytes [start, end) of an object of the same lake to a key; in S3 without their passing through here.
   * For a key of the caller's own: a copy that fails or is aborted leaves nothing.
   */
  copyRange(range: StoredRange, to: string, signal?: AbortSignal): Promise<void>;
  /**
   * Moves a local file to a key that is its writer's own: durably, whole or not at all. On disk it must be on the zone's
   * own file system.
   */
  putFile(key: string, path: string, signal?: AbortSignal): Promise<void>;
  /** No error where there is no such object. */
  delete(key: string): Promise<void>;
  /** Deletes every object whose key starts with the prefix, unfinished uploads too. */
  deletePrefix(prefix: string): Promise<void>;
  /**
   * Deletes what writers left unfinished below a prefix: parts (files on a disk, uploads in S3), and a disk's temporaries.
   * A writer that is at work on one of them fails.
   * @param isDead gets the key that a part would have.
   */
  deleteUnfinished(
    prefix: string,
    isDead: (kind: 'partial' | 'temporary', key: string) => boolean,
  ): Promise<void>;
}

/** A store in S3: its landings are uploads, and S3 keeps checksums. */
export interface BucketStore extends Store {
  readonly s3: S3Prefix;
}

export function isInBucket(store: Store): store is BucketStore {
  return store.s3 !== undefined;
}

/** Bytes [start, end) of an object, in whichever zone. */
export interface StoredRange {
  location: Location;
  start: number;
  end: number;
}

export interface StoredObject {
  key: string;
  bytes: number;
  modifiedAtMs: number;
}

/** The two zones of one lake. */
export interface Lake {
  raw: Store;
  converted: Store;
}
