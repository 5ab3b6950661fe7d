import { open } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { multipart, uploadPart, type SentPart } from './upload-parts.ts';
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
  const file = await open(path);
  try {
    await multipart(zone, key, zone.settings.checksums, async (upload) => {
      const buffer = Buffer.allocUnsafeSlow(PART_BYTES);
      const parts: SentPart[] = [];
      const whole = { parts, bytes: 0, crc32: 0 };
      for (;;) {
        const { bytesRead } = await file.read(buffer, 0, buffer.length, whole.bytes);
        if (bytesRead === 0 && parts.length > 0) return whole;
        const body = buffer.subarray(0, bytesRead);
        const part = { number: parts.length + 1, body, crc32: crc32(body) };
        parts.push(await uploadPart(zone, upload, part, signal));
        whole.crc32 = crc32(body, whole.crc32);
        whole.bytes += bytesRead;
      }
    });
  } finally {
    await file.close();
  }
}
