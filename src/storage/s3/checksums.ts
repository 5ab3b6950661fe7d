import { formatChecksum } from '../../model/checksum.ts';

/** As S3 writes a CRC-32: base64 of its four bytes, the highest first. */
export function toS3Checksum(crc32: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(crc32 >>> 0);
  return bytes.toString('base64');
}

/** `crc32:` and 8 hex digits; undefined where S3 gave none of a whole object (`…-2` is a checksum of checksums). */
export function fromS3Checksum(checksum: string | undefined, type?: string): string | undefined {
  if (checksum === undefined || type === 'COMPOSITE' || checksum.includes('-')) return undefined;
  const bytes = Buffer.from(checksum, 'base64');
  return bytes.length === 4 ? formatChecksum(bytes.readUInt32BE()) : undefined;
}
