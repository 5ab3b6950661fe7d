/** Where a lake lies: what LAKE and --lake say. */
export type LakeAddress =
  | { kind: 'disk'; folder: string }
  /** `prefix` is '' or ends with `/`. */
  | { kind: 's3'; bucket: string; prefix: string };

/** A lake, to Temporal and to the workers of others. */
export interface LakeIdentity {
  /** Part of the names of its task queues. */
  id: string;
  /** For people. */
  address: string;
}

export const LAKE_EXPECTS = 'a folder, or s3://bucket/prefix';

/** A bucket's name as S3 allows it: a dot would break TLS for virtual-hosted names, but path style takes it. */
const S3_LAKE = /^s3:\/\/([a-z\d][a-z\d.-]{1,61}[a-z\d])((?:\/[\w.=-]+)*)\/?$/;
/** Another address (`s3a://…`, `file:…`), or a slip of one (`s3:/…`): no folder is named like that. */
const OTHER_ADDRESS = /^[a-z][a-z\d+.-]+:/i;

/**
 * The folders of a prefix are plain names: they are part of keys, URIs and globs. A folder of a disk may have any name,
 * but `~` is for a shell to replace, and no path holds a NUL.
 * @returns undefined for a text that is no address of a lake; a folder's path as it is written.
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

/** The way back. */
export function lakeText(lake: LakeAddress): string {
  if (lake.kind === 'disk') return lake.folder;
  return `s3://${lake.bucket}/${lake.prefix}`.replace(/\/$/, '');
}
