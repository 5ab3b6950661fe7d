import type { Location } from './location.ts';
import type { S3Prefix } from './s3/prefix.ts';

/** A small interface to a zone of the lake, on disk or in S3. Keys use `/` and never leave the zone. */
export interface Store {
  /** How a store in S3 makes its requests; undefined on disk. */
  readonly s3?: S3Prefix;
  /** Address that users and DuckDB open: an absolute path, or an `s3://` URI. */
  uri(key: string): string;
  /** The same address as plain data. A child process reads it with `locationBlocks`. */
  location(key: string): Location;
  /** Undefined if the object does not exist. */
  get(key: string): Promise<Buffer | undefined>;
  /** Atomic and durable. It never overwrites: of two writers, one gets `exists`. */
  putIfAbsent(key: string, body: string | Uint8Array): Promise<'created' | 'exists'>;
  /** Replaces only unpublished files: staged schemas, checkpoints, entries of an unpublished day, a table's hint. */
  put(key: string, body: string | Uint8Array): Promise<void>;
  /** Every object below the prefix, in no order. */
  list(prefix: string): AsyncIterable<StoredObject>;
  /** Names of the folders right below the prefix, which ends with `/` or is empty. */
  folders(prefix: string): Promise<string[]>;
  /** Bytes [start, end) of an object. */
  readRange(key: string, start: number, end: number): Promise<Buffer>;
  size(key: string): Promise<number | undefined>;
  /**
   * Copies bytes [start, end) of an object of the same lake to a key. In S3 they do not pass through this process. Only
   * the caller may use the key. A copy that fails or is aborted leaves nothing.
   */
  copyRange(range: StoredRange, to: string, signal?: AbortSignal): Promise<void>;
  /**
   * Moves a local file to a key that only its writer uses: durably, whole or not at all. On disk, the file must be on
   * the zone's own file system.
   */
  putFile(key: string, path: string, signal?: AbortSignal): Promise<void>;
  /** Reports no error if the object does not exist. */
  delete(key: string): Promise<void>;
  /** Deletes every object whose key starts with the prefix, and unfinished uploads. */
  deletePrefix(prefix: string): Promise<void>;
  /**
   * Deletes what writers left unfinished below a prefix: parts (files on a disk, uploads in S3), and temporary files of
   * a disk. A writer that still works on one of them fails.
   * @param isDead gets the key that a part would have.
   */
  deleteUnfinished(
    prefix: string,
    isDead: (kind: 'partial' | 'temporary', key: string) => boolean,
  ): Promise<void>;
}

/** A store in S3. Its landings are uploads, and S3 keeps checksums. */
export interface BucketStore extends Store {
  readonly s3: S3Prefix;
}

/** The address by which Hadoop's file systems open a key. They do not unescape it. */
export function hadoopUri(store: Store, key: string): string {
  const uri = store.uri(key);
  return store.s3 ? uri.replace(/^s3:/, 's3a:') : `file://${uri}`;
}

export function isInBucket(store: Store): store is BucketStore {
  return store.s3 !== undefined;
}

/** Bytes [start, end) of an object in either zone. */
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
