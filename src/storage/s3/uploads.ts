import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  ListMultipartUploadsCommand,
  ListPartsCommand,
  UploadPartCommand,
  type UploadPartCommandOutput,
} from '@aws-sdk/client-s3';
import { createHash } from 'node:crypto';
import { LonghaulError } from '../../model/errors.ts';
import { isTaken, statusOf } from './errors.ts';
import { toS3Checksum, unquoted } from './objects.ts';
import type { S3Prefix } from './prefix.ts';

/** Gateways over a file system copy the parts together before they say a word: many GB in this time. */
const COMPLETE_STALL_MS = 5 * 60 * 1000;

export interface UploadRef {
  /** Below the prefix. */
  key: string;
  uploadId: string;
}

export interface PartToSend {
  /** From 1 on. */
  number: number;
  /** Not to be written to before the answer. */
  body: Buffer;
  crc32: number;
}

/** What an upload's completion says of a part. */
export interface SentPart {
  number: number;
  /** Without its quotes. */
  etag: string;
  /** As S3 writes it; undefined where the store keeps none. */
  checksumCrc32?: string;
}

/** A part as S3 has it. */
export interface StoredPart extends SentPart {
  bytes: number;
  modifiedAtMs: number;
}

/** The parts that make an object, and what S3 compares of the whole, as far as it is known. */
export interface Whole {
  parts: readonly SentPart[];
  bytes?: number;
  crc32?: number;
}

/** With checksums, S3 computes a CRC-32 of the whole object. */
export async function createUpload(
  s3: S3Prefix,
  key: string,
  { checksums = s3.settings.checksums, signal }: { checksums?: boolean; signal?: AbortSignal },
): Promise<UploadRef> {
  const command = new CreateMultipartUploadCommand({
    ...s3.at(key),
    ...s3.encryption,
    ChecksumAlgorithm: checksums ? 'CRC32' : undefined,
    ChecksumType: checksums ? 'FULL_OBJECT' : undefined,
  });
  const { UploadId: uploadId = '' } = await s3.send(command, 'PutObject', { signal });
  return { key, uploadId };
}

/**
 * Returns when S3 has the part and has checked it, or its ETag shows that it arrived whole.
 * @throws LonghaulError STORE_…; UPLOAD_LOST where the upload is gone.
 */
export async function uploadPart(
  s3: S3Prefix,
  { key, uploadId }: UploadRef,
  { number, body, crc32 }: PartToSend,
  signal?: AbortSignal,
): Promise<SentPart> {
  const { checksums } = s3.settings;
  const checksumCrc32 = checksums ? toS3Checksum(crc32) : undefined;
  const command = new UploadPartCommand({
    ...s3.at(key),
    UploadId: uploadId,
    PartNumber: number,
    Body: body,
    ContentLength: body.length,
    ChecksumCRC32: checksumCrc32,
  });
  try {
    // While an upload is being aborted some stores name no reason. A bucket that is gone has a code of its own.
    const expected = (error: unknown): boolean => isBadDigest(error) || statusOf(error) === 404;
    const output = await s3.send(command, 'PutObject', { signal, expected });
    const etag = unquoted(output.ETag);
    if (!checksums && isMd5(etag, output) && etag !== md5(body)) throw damaged(key, number);
    return { number, etag, checksumCrc32 };
  } catch (error) {
    if (isBadDigest(error)) throw damaged(key, number, error);
    if (error instanceof LonghaulError || statusOf(error) !== 404) throw error;
    throw new LonghaulError('UPLOAD_LOST', `The unfinished upload of ${s3.uri(key)} is gone.`);
  }
}

/** The parts of an upload, in order. @throws LonghaulError UPLOAD_LOST where the upload is gone. */
export async function listParts(
  s3: S3Prefix,
  { key, uploadId }: UploadRef,
  signal?: AbortSignal,
): Promise<StoredPart[]> {
  const parts: StoredPart[] = [];
  let marker: string | undefined;
  do {
    const command: ListPartsCommand = new ListPartsCommand({
      ...s3.at(key),
      UploadId: uploadId,
      PartNumberMarker: marker,
    });
    const page = await s3.send(command, 'ListMultipartUploadParts', { signal });
    for (const part of page.Parts ?? []) {
      parts.push({
        number: part.PartNumber ?? 0,
        bytes: part.Size ?? 0,
        etag: unquoted(part.ETag),
        checksumCrc32: part.ChecksumCRC32,
        modifiedAtMs: part.LastModified?.getTime() ?? 0,
      });
    }
    marker = page.IsTruncated ? page.NextPartNumberMarker : undefined;
  } while (marker !== undefined);
  return parts;
}

/**
 * Makes the parts one object. S3 compares length and, with checksums on, the checksum.
 * @param ifFree only where no object has the key.
 * @returns the object's ETag.
 * @throws with `ifFree` the SDK's error for 409 and 412; LonghaulError STORE_…, UPLOAD_LOST where the upload is gone or S3 finds
 *   that the whole is not what was sent.
 */
export async function completeUpload(
  s3: S3Prefix,
  { key, uploadId }: UploadRef,
  { parts, bytes, crc32 }: Whole,
  { ifFree = false, signal }: { ifFree?: boolean; signal?: AbortSignal } = {},
): Promise<string> {
  const { checksums } = s3.settings;
  const command = new CompleteMultipartUploadCommand({
    ...s3.at(key),
    UploadId: uploadId,
    IfNoneMatch: ifFree ? '*' : undefined,
    MpuObjectSize: bytes,
    MultipartUpload: {
      Parts: parts.map(({ number, etag, checksumCrc32 }) => ({
        PartNumber: number,
        ETag: `"${etag}"`,
        ChecksumCRC32: checksums ? checksumCrc32 : undefined,
      })),
    },
    ...(checksums &&
      crc32 !== undefined && { ChecksumCRC32: toS3Checksum(crc32), ChecksumType: 'FULL_OBJECT' }),
  });
  try {
    const expected = (error: unknown): boolean => (ifFree && isTaken(error)) || isNotOurs(error);
    // Asking again while S3 is still at it spoils it on some: it is not given up as early as other requests.
    const output = await s3
      .patient(COMPLETE_STALL_MS)
      .send(command, 'PutObject', { signal, expected });
    return unquoted(output.ETag);
  } catch (error) {
    if (!isNotOurs(error)) throw error;
    const what = `The parts of ${key} do not add up to what was sent`;
    throw new LonghaulError('UPLOAD_LOST', `${what} (${error.message}).`, {}, { cause: error });
  }
}

/** The ETag that S3 gives an object of these parts, where ETags are MD5. */
export function multipartEtag(parts: readonly SentPart[]): string {
  const hash = createHash('md5');
  for (const { etag } of parts) hash.update(etag, 'hex');
  return `${hash.digest('hex')}-${parts.length}`;
}

export function md5(body: Buffer): string {
  return createHash('md5').update(body).digest('hex');
}

/** Encrypted with a key of KMS or the client's own, S3's ETags are something else of the same form. */
function isMd5(
  etag: string,
  {
    ServerSideEncryption: encryption,
    SSECustomerAlgorithm: own,
  }: Pick<UploadPartCommandOutput, 'ServerSideEncryption' | 'SSECustomerAlgorithm'>,
): boolean {
  const isKms = encryption?.startsWith('aws:kms') ?? false;
  return /^[\da-f]{32}$/.test(etag) && !isKms && own === undefined;
}

/** The parts as S3 has them are not the ones that were listed and summed up. */
function isNotOurs(error: unknown): error is Error {
  return isBadDigest(error) || nameOf(error) === 'InvalidPart';
}

function isBadDigest(error: unknown): error is Error {
  return nameOf(error) === 'BadDigest';
}

function nameOf(error: unknown): string | undefined {
  return error instanceof Error ? error.name : undefined;
}

function damaged(key: string, number: number, cause?: unknown): LonghaulError {
  const message = `Part ${number} of ${key} reached S3 with other bytes than were sent.`;
  return new LonghaulError('STORE_UNAVAILABLE', message, {}, { cause });
}

/** A multipart upload that is not finished. */
export interface OpenUpload extends UploadRef {
  initiatedAtMs: number;
}

/**
 * Every unfinished upload below a prefix. Pages go on by the key alone, since versitygw 1.8.0 refuses the UploadIdMarker
 * that it gave: of a key with more uploads than its page has room for, the rest is seen once these have ended.
 */
export async function* listUploads(s3: S3Prefix, prefix: string): AsyncIterable<OpenUpload> {
  let marker: string | undefined;
  do {
    const command: ListMultipartUploadsCommand = new ListMultipartUploadsCommand({
      Bucket: s3.bucket,
      Prefix: s3.keyOf(prefix),
      KeyMarker: marker,
    });
    const page = await s3.send(command, 'ListBucketMultipartUploads');
    for (const { Key = '', UploadId = '', Initiated } of page.Uploads ?? []) {
      const initiatedAtMs = Initiated?.getTime() ?? 0;
      yield { key: s3.relative(Key), uploadId: UploadId, initiatedAtMs };
    }
    marker = page.IsTruncated ? page.NextKeyMarker : undefined;
  } while (marker !== undefined);
}

/** No error where the upload is gone already. */
export async function abortUpload(s3: S3Prefix, { key, uploadId }: UploadRef): Promise<void> {
  const command = new AbortMultipartUploadCommand({ ...s3.at(key), UploadId: uploadId });
  await s3.find(command, 'AbortMultipartUpload', (error) => nameOf(error) === 'NoSuchUpload');
}

export async function abortUploads(
  s3: S3Prefix,
  prefix: string,
  isWanted: (key: string) => boolean = () => true,
): Promise<void> {
  for await (const upload of listUploads(s3, prefix)) {
    if (isWanted(upload.key)) await abortUpload(s3, upload);
  }
}
