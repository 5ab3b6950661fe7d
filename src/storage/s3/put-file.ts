import { UploadPartCommand, type CompletedPart } from '@aws-sdk/client-s3';
import { open, type FileHandle } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { toS3Checksum } from './checksums.ts';
import { multipart, type Upload } from './multipart.ts';
import type { S3Zone } from './zone.ts';

/** In memory at once; a thousand of them, of the ten thousand that S3 allows, are 16 GiB. */
const PART_BYTES = 16 * 1024 * 1024;

/** Uploads a file part by part, checked by S3 as a whole: by its length, and by its CRC-32 where the store knows it. */
export async function putFile(
  zone: S3Zone,
  key: string,
  path: string,
  signal?: AbortSignal,
): Promise<void> {
  const { checksums } = zone.settings;
  const whole = { ChecksumType: 'FULL_OBJECT' as const };
  const create = checksums ? { ChecksumAlgorithm: 'CRC32' as const, ...whole } : {};
  const file = await open(path);
  try {
    await multipart(zone, key, create, async (upload) => {
      const sent = await sendParts(zone, upload, file, signal);
      const checksum = checksums ? { ChecksumCRC32: toS3Checksum(sent.crc), ...whole } : {};
      return { parts: sent.parts, MpuObjectSize: sent.bytes, ...checksum };
    });
  } finally {
    await file.close();
  }
}

async function sendParts(
  zone: S3Zone,
  upload: Upload,
  file: FileHandle,
  signal?: AbortSignal,
): Promise<{ parts: CompletedPart[]; bytes: number; crc: number }> {
  const buffer = Buffer.allocUnsafeSlow(PART_BYTES);
  const parts: CompletedPart[] = [];
  let bytes = 0;
  let crc = 0;
  for (;;) {
    const { bytesRead } = await file.read(buffer, 0, buffer.length, bytes);
    if (bytesRead === 0 && parts.length > 0) return { parts, bytes, crc };
    const body = buffer.subarray(0, bytesRead);
    parts.push(await sendPart(zone, upload, body, parts.length + 1, signal));
    crc = crc32(body, crc);
    bytes += bytesRead;
  }
}

async function sendPart(
  zone: S3Zone,
  upload: Upload,
  body: Buffer,
  number: number,
  signal?: AbortSignal,
): Promise<CompletedPart> {
  const checksum = zone.settings.checksums ? { ChecksumCRC32: toS3Checksum(crc32(body)) } : {};
  const command = new UploadPartCommand({
    ...upload,
    PartNumber: number,
    Body: body,
    ...checksum,
  });
  const { ETag } = await zone.send(command, 'PutObject', { signal });
  return { PartNumber: number, ETag, ...checksum };
}
