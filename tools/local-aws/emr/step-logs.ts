import type { S3Client } from '@aws-sdk/client-s3';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';

/** A place in S3. */
export interface S3Address {
  bucket: string;
  key: string;
}

/** @returns undefined where it is none of S3. */
export function parseS3Address(uri: string): S3Address | undefined {
  const [, bucket = '', key = ''] = /^s3[an]?:\/\/([^/]+)(?:\/(.*))?$/s.exec(uri) ?? [];
  return bucket === '' ? undefined : { bucket, key };
}

/** Puts a folder's logs, each gzipped, below `uri`. A file that is not there is left out. */
export async function uploadLogs(
  s3: S3Client,
  folder: string,
  names: readonly string[],
  uri: string,
): Promise<void> {
  const place = parseS3Address(uri);
  if (!place) return;
  const { PutObjectCommand } = await import('@aws-sdk/client-s3');
  for (const name of names) {
    const text = await readFile(join(folder, name)).catch(() => undefined);
    if (!text) continue;
    const Key = `${place.key}${name}.gz`;
    const Body = await promisify(gzip)(text);
    await s3.send(
      new PutObjectCommand({ Bucket: place.bucket, Key, Body, ContentType: 'application/gzip' }),
    );
  }
}

/** The last exception that a step's standard error names, its root cause first; undefined where it names none. */
export function causeIn(stderr: string): string | undefined {
  const lines = stderr.split('\n');
  const cause =
    lines.findLast((line) => line.startsWith('Caused by: ')) ??
    lines.findLast((line) =>
      /^(?:Exception in thread .*|[\w.]+(?:Exception|Error)\b.*)$/.test(line),
    );
  return cause?.slice(0, MAX_CAUSE_LENGTH);
}

/** A few lines. */
const MAX_CAUSE_LENGTH = 1000;
