import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  ListPartsCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { crc32 } from 'node:zlib';
import { LonghaulError } from '../../model/errors.ts';
import { toS3Checksum } from './checksums.ts';
import { abortUpload } from './uploads.ts';
import type { S3Zone } from './zone.ts';

/** A multipart upload of one small part, as a landing makes it: with a checksum of the whole object. */
export class ScratchUpload {
  readonly key: string;
  /** Empty before `begin`. */
  uploadId = '';
  isOpen = false;
  readonly #zone: S3Zone;
  readonly #body: Buffer;
  readonly #crc32: string;
  #etag: string | undefined;

  constructor(zone: S3Zone, key: string, body: Buffer) {
    this.#zone = zone;
    this.key = key;
    this.#body = body;
    this.#crc32 = toS3Checksum(crc32(body));
  }

  async begin(): Promise<void> {
    const command = new CreateMultipartUploadCommand({
      ...this.#at(),
      ...(this.#checksums && { ChecksumAlgorithm: 'CRC32', ChecksumType: 'FULL_OBJECT' }),
    });
    const { UploadId = '' } = await this.#zone.send(command, 'PutObject');
    this.uploadId = UploadId;
    this.isOpen = true;
    const part = new UploadPartCommand({
      ...this.#at(),
      UploadId,
      PartNumber: 1,
      Body: this.#body,
      ...(this.#checksums && { ChecksumCRC32: this.#crc32 }),
    });
    this.#etag = (await this.#zone.send(part, 'PutObject')).ETag;
  }

  async listPart(): Promise<void> {
    const command = new ListPartsCommand({ ...this.#at(), UploadId: this.uploadId });
    const { Parts = [] } = await this.#zone.send(command, 'ListMultipartUploadParts');
    if (Parts[0]?.Size === this.#body.length && Parts[0].ETag === this.#etag) return;
    throw new LonghaulError('STORE_REFUSED', 'The part that was uploaded is not listed.');
  }

  async abort(): Promise<void> {
    await abortUpload(this.#zone, this.key, this.uploadId);
    this.isOpen = false;
  }

  async complete(): Promise<void> {
    const part = { PartNumber: 1, ETag: this.#etag };
    const command = new CompleteMultipartUploadCommand({
      ...this.#at(),
      UploadId: this.uploadId,
      IfNoneMatch: '*',
      MpuObjectSize: this.#body.length,
      MultipartUpload: {
        Parts: [this.#checksums ? { ...part, ChecksumCRC32: this.#crc32 } : part],
      },
      ...(this.#checksums && { ChecksumCRC32: this.#crc32, ChecksumType: 'FULL_OBJECT' }),
    });
    await this.#zone.send(command, 'PutObject');
    this.isOpen = false;
  }

  get #checksums(): boolean {
    return this.#zone.settings.checksums;
  }

  #at(): { Bucket: string; Key: string } {
    return { Bucket: this.#zone.bucket, Key: this.#zone.keyOf(this.key) };
  }
}
