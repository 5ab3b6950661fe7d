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
import { crc32 } from 'node:zlib';
import { LonghaulError } from '../../model/errors.ts';
import { isTaken, statusOf } from './errors.ts';
import { toS3Checksum, unquoted } from './objects.ts';
import type { S3Prefix } from './prefix.ts';

/** A gateway over a file system copies all parts before it answers. It can copy many GB in this time. */
const COMPLETE_STALL_MS = 5 * 60 * 1000;

export interface UploadRef {
  /** The key below the prefix. */
  key: string;
  uploadId: string;
}

export interface PartToSend {
  /** The number of the part. The first part is 1. */
  number: number;
  /** The caller must not change the buffer before S3 has answered. */
  body: Buffer;
}

/** A part as the request to complete an upload names it. */
export interface SentPart {
  number: number;
  /** The ETag without its quotes. */
  etag: string;
  /** The CRC-32 in S3's form. Undefined if the store keeps none. */
  checksumCrc32?: string;
}

/** A part as S3 has it. */
export interface StoredPart extends SentPart {
  bytes: number;
  modifiedAtMs: number;
}

/** The parts of an object, and its length and CRC-32 if they are known. S3 compares them with the whole object. */
export interface Whole {
  parts: readonly SentPart[];
  bytes?: number;
  crc32?: number;
}

/** Begins an upload. With checksums, S3 computes a CRC-32 of the whole object. */
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
  const { UploadId: uploadId } = await s3.send(command, 'PutObject', { signal });
  // With an empty id, some stores would take a part for an object, and the abort for a deletion of the object.
  if (!uploadId) {
    const what = `S3 began an upload of ${s3.uri(key)} without giving its id.`;
    throw new LonghaulError('STORE_REFUSED', what);
  }
  return { key, uploadId };
}

/**
 * Returns when S3 has the part, and its checksum or its ETag shows that S3 has the same bytes.
 * @throws LonghaulError STORE_…; UPLOAD_LOST if the upload is gone.
 */
export async function uploadPart(
  s3: S3Prefix,
  { key, uploadId }: UploadRef,
  { number, body }: PartToSend,
  signal?: AbortSignal,
): Promise<SentPart> {
  const { checksums } = s3.settings;
  const checksumCrc32 = checksums ? toS3Checksum(crc32(body)) : undefined;
  const command = new UploadPartCommand({
    ...s3.at(key),
    UploadId: uploadId,
    PartNumber: number,
    Body: body,
    ContentLength: body.length,
    ChecksumCRC32: checksumCrc32,
  });
  try {
    const output = await s3.send(command, 'PutObject', { signal, expected: isBadDigest });
    const etag = unquoted(output.ETag);
    if (!checksums && isMd5(etag, output) && etag !== md5(body)) throw damaged(key, number);
    return { number, etag, checksumCrc32 };
  } catch (error) {
    if (isBadDigest(error)) throw damaged(key, number, error);
    throw await causeOf(error, s3, { key, uploadId }, signal);
  }
}

/**
 * If an upload is gone, some stores drop the connection of its part or answer something else. A listing of the upload
 * then says what happened.
 */
async function causeOf(
  error: unknown,
  s3: S3Prefix,
  upload: UploadRef,
  signal?: AbortSignal,
): Promise<unknown> {
  if (signal?.aborted) return error;
  // While an upload is being aborted, a listing may still have it. A missing bucket has a code of its own.
  if (isRefusedAsAbsent(error)) {
    return new LonghaulError('UPLOAD_LOST', error.message, {}, { cause: error });
  }
  try {
    await listParts(s3, upload, signal);
    return error;
  } catch (listing) {
    const isLost = listing instanceof LonghaulError && listing.code === 'UPLOAD_LOST';
    return isLost ? listing : error;
  }
}

function isRefusedAsAbsent(error: unknown): error is LonghaulError {
  const isRefused = error instanceof LonghaulError && error.code === 'STORE_REFUSED';
  return isRefused && statusOf(error.cause) === 404;
}

/** Returns the parts of an upload in order. @throws LonghaulError UPLOAD_LOST if the upload is gone. */
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
 * Completes the upload to one object. S3 compares the length and, with checksums on, the checksum.
 * @param ifFree completes only if no object has the key.
 * @returns the object's ETag.
 * @throws with `ifFree` the SDK's error for 409 and 412; LonghaulError STORE_…, UPLOAD_LOST if the upload is gone or S3
 *   finds that the whole differs from the sent bytes.
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
    // On some stores, a second request spoils a completion that is under way. So this request waits longer than others.
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

/** Returns the ETag that S3 gives to an object of these parts, if its ETags are MD5. */
export function multipartEtag(parts: readonly SentPart[]): string {
  const hash = createHash('md5');
  for (const { etag } of parts) hash.update(etag, 'hex');
  return `${hash.digest('hex')}-${parts.length}`;
}

export function md5(body: Buffer): string {
  return createHash('md5').update(body).digest('hex');
}

/** Whether the ETag is an MD5. With a KMS key or a client's key, S3's ETags have the same form but are not MD5. */
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

/** Whether S3's parts differ from the parts that were listed and summed. */
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

/** A multipart upload that is not completed. */
export interface OpenUpload extends UploadRef {
  initiatedAtMs: number;
}

/**
 * Lists the unfinished uploads below a prefix. The next page starts after a key, because versitygw 1.8.0 refuses its
 * own UploadIdMarker. If a key has more uploads than a page, the list shows the others after the first ones have ended.
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

/** Does not fail if the upload is gone already. */
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
