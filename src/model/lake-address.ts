/** The place of a lake, from LAKE or --lake. */
export type LakeAddress =
  | { kind: 'disk'; folder: string }
  /** `prefix` is '' or ends with `/`. */
  | { kind: 's3'; bucket: string; prefix: string };

/** A lake as Temporal and the workers of other lakes know it. */
export interface LakeIdentity {
  /** Part of the names of the lake's task queues. */
  id: string;
  /** The lake's address as text for the user. */
  address: string;
}

export const LAKE_EXPECTS = 'a folder, or s3://bucket/prefix';

/** Bucket names that S3 allows. A dot would break TLS with virtual-hosted names, but path style accepts it. */
const S3_LAKE = /^s3:\/\/([a-z\d][a-z\d.-]{1,61}[a-z\d])((?:\/[\w.=-]+)*)\/?$/;
/** Another address (`s3a://…`, `file:…`) or a misspelled one (`s3:/…`). Longhaul does not take it for a folder. */
const OTHER_ADDRESS = /^[a-z][a-z\d+.-]+:/i;

/**
 * The folders of a prefix must have plain names, because keys, URIs and globs contain them. A folder on a disk may have
 * any name, except that only a shell can replace `~`, and a path cannot hold a NUL.
 * @returns undefined if the text is not the address of a lake. A folder's path stays as the user wrote it.
 */
export function parseLakeAddress(text: string): LakeAddress | undefined {
  const [, bucket, path = ''] = S3_LAKE.exec(text) ?? [];
  if (bucket !== undefined) {
    const names = path.split('/').slice(1);
    if (names.some((name) => name === '.' || name === '..')) return undefined;
    return { kind: 's3', bucket, prefix: names.map((name) => `${name}/`).join('') };
  }
  const isFolder = text !== '' && !OTHER_ADDRESS.test(text) && !/^~(?:\/|$)|\0/.test(text);
  return isFolder ? { kind: 'disk', folder: text } : undefined;
}

/** The inverse of `parseLakeAddress`. */
export function lakeText(lake: LakeAddress): string {
  if (lake.kind === 'disk') return lake.folder;
  return `s3://${lake.bucket}/${lake.prefix}`.replace(/\/$/, '');
}
