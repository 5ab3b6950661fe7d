import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  ListPartsCommand,
  UploadPartCommand,
  type Part,
  type UploadPartCommandOutput,
} from '@aws-sdk/client-s3';
import { createHash } from 'node:crypto';
import { LonghaulError } from '../../model/errors.ts';
import { toS3Checksum } from './checksums.ts';
import { isTaken, statusOf } from './errors.ts';
import { abortUpload } from './uploads.ts';
import type { S3Zone } from './zone.ts';

/** Gateways over a file system copy the parts together before they say a word: many GB in this time. */
const COMPLETE_STALL_MS = 5 * 60 * 1000;

export interface UploadRef {
  /** Relative to the zone. */
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
  checksumCrc32?: string | undefined;
}

/** A part as S3 has it. */
export interface StoredPart extends SentPart {
  bytes: number;
}

/** The parts that make an object, and what S3 compares of the whole, as far as it is known. */
export interface Whole {
  parts: readonly SentPart[];
  bytes?: number;
  crc32?: number;
}

/**
 * One upload from its start to its object, for an object that only its caller writes; it is aborted where `fill` fails,
 * and no other attempt goes on with it.
 * @param checksums as of `createUpload`. @param fill uploads the parts.
 */
export async function multipart(
  zone: S3Zone,
  key: string,
  checksums: boolean,
  fill: (upload: UploadRef) => Promise<Whole>,
): Promise<void> {
  const upload = { key, uploadId: await createUpload(zone, key, { checksums }) };
  try {
    await completeUpload(zone, upload, await fill(upload));
  } catch (error) {
    // What failed is what counts; what is left then is swept with the attempt's prefix.
    await abortUpload(zone, key, upload.uploadId).catch(() => undefined);
    throw error;
  }
}

/** @returns the new upload's id. With checksums, S3 computes a CRC-32 of the whole object. */
export async function createUpload(
  zone: S3Zone,
  key: string,
  { checksums = zone.settings.checksums, signal }: { checksums?: boolean; signal?: AbortSignal },
): Promise<string> {
  const command = new CreateMultipartUploadCommand({
    Bucket: zone.bucket,
    Key: zone.keyOf(key),
    ...(checksums
      ? { ChecksumAlgorithm: 'CRC32' as const, ChecksumType: 'FULL_OBJECT' as const }
      : {}),
  });
  const { UploadId: uploadId } = await zone.send(command, 'PutObject', { signal });
  if (uploadId === undefined || uploadId === '') {
    throw new LonghaulError('STORE_REFUSED', `S3 began an upload of ${key} without giving its id.`);
  }
  return uploadId;
}

/**
 * Returns when S3 has the part and has checked it, or its ETag shows that it arrived whole.
 * @throws LonghaulError STORE_…; UPLOAD_LOST where the upload is gone.
 */
export async function uploadPart(
  zone: S3Zone,
  { key, uploadId }: UploadRef,
  { number, body, crc32 }: PartToSend,
  signal?: AbortSignal,
): Promise<StoredPart> {
  const { checksums } = zone.settings;
  const checksumCrc32 = checksums ? toS3Checksum(crc32) : undefined;
  const command = new UploadPartCommand({
    Bucket: zone.bucket,
    Key: zone.keyOf(key),
    UploadId: uploadId,
    PartNumber: number,
    Body: body,
    ContentLength: body.length,
    ChecksumCRC32: checksumCrc32,
  });
  try {
    const expected = isBadDigest;
    const output = await zone.send(command, 'PutObject', { signal, expected });
    const etag = unquoted(output.ETag);
    if (!checksums && isMd5(etag, output) && etag !== md5(body)) throw damaged(key, number);
    return { number, bytes: body.length, etag, checksumCrc32 };
  } catch (error) {
    if (isBadDigest(error)) throw damaged(key, number, error);
    throw await causeOf(error, zone, { key, uploadId }, signal);
  }
}

/**
 * The parts of an upload, in order.
 * @param most so many of them are enough.
 * @throws LonghaulError UPLOAD_LOST where the upload is gone.
 */
export async function listParts(
  zone: S3Zone,
  upload: UploadRef,
  signal?: AbortSignal,
  most = Infinity,
): Promise<StoredPart[]> {
  const parts: StoredPart[] = [];
  for await (const part of eachPart(zone, upload, signal, most)) {
    const { PartNumber = 0, Size = 0, ETag, ChecksumCRC32 } = part;
    const etag = unquoted(ETag);
    parts.push({ number: PartNumber, bytes: Size, etag, checksumCrc32: ChecksumCRC32 });
    if (parts.length >= most) break;
  }
  return parts;
}

/**
 * The same as S3 says it, page by page.
 * @param pageParts most of a page.
 * @throws LonghaulError UPLOAD_LOST where the upload is gone.
 */
export async function* eachPart(
  zone: S3Zone,
  { key, uploadId }: UploadRef,
  signal?: AbortSignal,
  pageParts = Infinity,
): AsyncIterable<Part> {
  let marker: string | undefined;
  do {
    const command: ListPartsCommand = new ListPartsCommand({
      Bucket: zone.bucket,
      Key: zone.keyOf(key),
      UploadId: uploadId,
      PartNumberMarker: marker,
      ...(pageParts === Infinity ? {} : { MaxParts: pageParts }),
    });
    const page = await zone.send(command, 'ListMultipartUploadParts', { signal });
    yield* page.Parts ?? [];
    marker = page.IsTruncated ? page.NextPartNumberMarker : undefined;
  } while (marker !== undefined);
}

/**
 * Makes the parts one object. S3 compares length and, with checksums on, the checksum.
 * @param ifFree only where no object has the key.
 * @returns the object's ETag.
 * @throws with `ifFree` the SDK's error for 409 and 412; LonghaulError STORE_…, UPLOAD_LOST where the upload is gone or S3 finds
 *   that the whole is not what was sent.
 */
export async function completeUpload(
  zone: S3Zone,
  { key, uploadId }: UploadRef,
  { parts, bytes, crc32 }: Whole,
  { ifFree = false, signal }: { ifFree?: boolean; signal?: AbortSignal } = {},
): Promise<string> {
  const { checksums } = zone.settings;
  const command = new CompleteMultipartUploadCommand({
    Bucket: zone.bucket,
    Key: zone.keyOf(key),
    UploadId: uploadId,
    ...(ifFree ? { IfNoneMatch: '*' } : {}),
    MpuObjectSize: bytes,
    MultipartUpload: {
      Parts: parts.map(({ number, etag, checksumCrc32 }) => ({
        PartNumber: number,
        ETag: `"${etag}"`,
        ...(checksums && checksumCrc32 !== undefined ? { ChecksumCRC32: checksumCrc32 } : {}),
      })),
    },
    ...(checksums && crc32 !== undefined
      ? { ChecksumCRC32: toS3Checksum(crc32), ChecksumType: 'FULL_OBJECT' as const }
      : {}),
  });
  try {
    const expected = (error: unknown): boolean => (ifFree && isTaken(error)) || isNotOurs(error);
    // Asking again while S3 is still at it spoils it on some: it is not given up as early as other requests.
    const output = await zone
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
export function multipartEtag(parts: readonly StoredPart[]): string {
  const hash = createHash('md5');
  for (const { etag } of parts) hash.update(etag, 'hex');
  return `${hash.digest('hex')}-${parts.length}`;
}

export function md5(body: Buffer): string {
  return createHash('md5').update(body).digest('hex');
}

export function unquoted(etag: string | undefined): string {
  return (etag ?? '').replaceAll('"', '');
}

/** Of a part whose upload is gone, some stores drop the connection or say something else: then that is the cause. */
async function causeOf(
  error: unknown,
  zone: S3Zone,
  upload: UploadRef,
  signal?: AbortSignal,
): Promise<unknown> {
  if (signal?.aborted) return error;
  // While it is going a listing may still have it. A bucket that is gone has a code of its own.
  if (isRefusedAsAbsent(error)) return new LonghaulError('UPLOAD_LOST', error.message);
  try {
    await listParts(zone, upload, signal, 1);
    return error;
  } catch (listing) {
    return isLost(listing) ? listing : error;
  }
}

function isRefusedAsAbsent(error: unknown): error is LonghaulError {
  const isRefused = error instanceof LonghaulError && error.code === 'STORE_REFUSED';
  return isRefused && statusOf(error.cause) === 404;
}

export function isLost(error: unknown): boolean {
  return error instanceof LonghaulError && error.code === 'UPLOAD_LOST';
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
  return isBadDigest(error) || (error instanceof Error && error.name === 'InvalidPart');
}

function isBadDigest(error: unknown): error is Error {
  return error instanceof Error && error.name === 'BadDigest';
}

function damaged(key: string, number: number, cause?: unknown): LonghaulError {
  const message = `Part ${number} of ${key} reached S3 with other bytes than were sent.`;
  return new LonghaulError('STORE_UNAVAILABLE', message, {}, { cause });
}
