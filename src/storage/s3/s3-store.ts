import {
  DeleteObjectCommand,
  ListObjectsV2Command,
  UploadPartCopyCommand,
  type ListObjectsV2CommandOutput,
} from '@aws-sdk/client-s3';
import { open, rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import pMap from 'p-map';
import { LonghaulError } from '../../model/errors.ts';
import { parsePartKey } from '../../model/layout.ts';
import type { Location } from '../location.ts';
import type { Store, StoredObject, StoredRange } from '../store.ts';
import { isTaken, type ServiceError } from './errors.ts';
import { findObject, putObject, readObject, unquoted } from './objects.ts';
import { S3Prefix } from './prefix.ts';
import {
  abortUpload,
  abortUploads,
  completeUpload,
  createUpload,
  uploadPart,
  type SentPart,
  type UploadRef,
  type Whole,
} from './uploads.ts';

/** The number of concurrent deletions below a prefix. */
const DELETE_CONCURRENCY = 8;
/** The tries while another writer's conditional write is under way: one each second, for half a minute. */
const MAX_CONFLICTS = 30;
const CONFLICT_WAIT_MS = 1000;

/** One part of a file is in memory. A thousand parts, of the ten thousand that S3 allows, are 16 GiB. */
const PART_BYTES = 16 * 1024 * 1024;
/** Bytes that one request copies. S3 needs some seconds for them, far below any timeout. S3 allows 5 MiB to 5 GiB. */
const COPY_PART_BYTES = 256 * 1024 * 1024;

/**
 * A zone of the lake as a prefix of a bucket. S3 stores a PUT completely or not at all, and `If-None-Match: *` makes
 * `putIfAbsent` atomic. So a killed writer leaves only unfinished multipart uploads.
 */
export class S3Store implements Store {
  readonly s3: S3Prefix;

  /** @param at the parameters of `S3Prefix`. */
  constructor(...at: ConstructorParameters<typeof S3Prefix>) {
    this.s3 = new S3Prefix(...at);
  }

  uri(key: string): string {
    return this.s3.uri(key);
  }

  location(key: string): Location {
    return { kind: 's3', settings: this.s3.settings, key: this.s3.keyOf(key) };
  }

  async get(key: string): Promise<Buffer | undefined> {
    return await readObject(this.s3, key).catch((error: unknown) => {
      if (error instanceof LonghaulError && isNoSuchKey(error.cause)) return undefined;
      throw error;
    });
  }

  async putIfAbsent(key: string, body: string | Uint8Array): Promise<'created' | 'exists'> {
    for (let tries = 1; ; tries += 1) {
      try {
        await putObject(this.s3, key, Buffer.from(body), { ifFree: true });
        return 'created';
      } catch (error) {
        if (!isTaken(error)) throw error;
        const present = await this.get(key);
        // If the answer to a PUT was lost, the SDK's retry finds the object of that PUT.
        const { attempts = 1 } = (error as ServiceError).$metadata ?? {};
        if (attempts > 1 && present?.equals(Buffer.from(body))) return 'created';
        if (present !== undefined) return 'exists';
        // 409 means that another writer's request is under way. It may still fail.
        if (tries >= MAX_CONFLICTS) {
          const what = `Another writer is at ${this.uri(key)}, and does not come to an end.`;
          throw new LonghaulError('STORE_UNAVAILABLE', what, {}, { cause: error });
        }
        await sleep(CONFLICT_WAIT_MS);
      }
    }
  }

  async put(key: string, body: string | Uint8Array): Promise<void> {
    await putObject(this.s3, key, Buffer.from(body));
  }

  async *list(prefix: string): AsyncIterable<StoredObject> {
    for await (const { Contents = [] } of this.#pages(prefix)) {
      for (const { Key = '', Size = 0, LastModified } of Contents) {
        const modifiedAtMs = LastModified?.getTime() ?? 0;
        yield { key: this.s3.relative(Key), bytes: Size, modifiedAtMs };
      }
    }
  }

  async folders(prefix: string): Promise<string[]> {
    const names: string[] = [];
    for await (const { CommonPrefixes = [] } of this.#pages(prefix, '/')) {
      for (const { Prefix = '' } of CommonPrefixes) {
        names.push(this.s3.relative(Prefix).slice(prefix.length, -1));
      }
    }
    return names;
  }

  async readRange(key: string, start: number, end: number): Promise<Buffer> {
    return await readObject(this.s3, key, { start, end });
  }

  async size(key: string): Promise<number | undefined> {
    return (await findObject(this.s3, key))?.bytes;
  }

  async copyRange(
    { location, start, end }: StoredRange,
    to: string,
    signal?: AbortSignal,
  ): Promise<void> {
    if (location.kind !== 's3') throw new TypeError('Of a file on disk, S3 copies nothing.');
    // S3 requires the names with the escapes of a URL, but with plain slashes.
    const names = [location.settings.bucket, ...location.key.split('/')];
    const CopySource = names.map((name) => encodeURIComponent(name)).join('/');
    const ranges = cut(start, end);
    await this.#multipart(to, false, async ({ uploadId }) => {
      const copy = async (CopySourceRange: string, index: number): Promise<SentPart> => {
        const part = { UploadId: uploadId, PartNumber: index + 1, CopySource, CopySourceRange };
        const command = new UploadPartCopyCommand({ ...this.s3.at(to), ...part });
        const { CopyPartResult } = await this.s3.send(command, 'GetObject', { signal });
        return { number: index + 1, etag: unquoted(CopyPartResult?.ETag) };
      };
      const parts: SentPart[] = [];
      const concurrency = this.s3.settings.uploadConcurrency;
      while (parts.length < ranges.length) {
        const group = ranges.slice(parts.length, parts.length + concurrency);
        const copies = group.map((range, index) => copy(range, parts.length + index));
        // No copy may be under way when the upload is aborted.
        await Promise.allSettled(copies);
        parts.push(...(await Promise.all(copies)));
      }
      return { parts };
    });
  }

  /** S3 checks the length of the whole file, and its CRC-32 if the store computes one. */
  async putFile(key: string, path: string, signal?: AbortSignal): Promise<void> {
    const file = await open(path);
    try {
      await this.#multipart(key, this.s3.settings.checksums, async (upload) => {
        const buffer = Buffer.allocUnsafeSlow(PART_BYTES);
        const parts: SentPart[] = [];
        const whole = { parts, bytes: 0, crc32: 0 };
        for (;;) {
          const { bytesRead } = await file.read(buffer, 0, buffer.length, whole.bytes);
          if (bytesRead === 0 && parts.length > 0) return whole;
          const body = buffer.subarray(0, bytesRead);
          const part = { number: parts.length + 1, body };
          parts.push(await uploadPart(this.s3, upload, part, signal));
          whole.crc32 = crc32(body, whole.crc32);
          whole.bytes += bytesRead;
        }
      });
    } finally {
      await file.close();
    }
    await rm(path);
  }

  async delete(key: string): Promise<void> {
    // AWS answers 204 for a missing key. versitygw answers 404 if two hosts delete the key at the same time.
    await this.s3.find(new DeleteObjectCommand(this.s3.at(key)), 'DeleteObject', isNoSuchKey);
  }

  async deletePrefix(prefix: string): Promise<void> {
    await abortUploads(this.s3, prefix);
    await pMap(this.list(prefix), async ({ key }) => await this.delete(key), {
      concurrency: DELETE_CONCURRENCY,
    });
  }

  /** Aborts only uploads of Parquet parts. Other files are written whole, and a landing's upload is continued. */
  async deleteUnfinished(
    prefix: string,
    isDead: (kind: 'partial', key: string) => boolean,
  ): Promise<void> {
    const isDeadPart = (key: string): boolean =>
      parsePartKey(key) !== undefined && isDead('partial', key);
    await abortUploads(this.s3, prefix, isDeadPart);
  }

  /**
   * Makes an upload from its start to the object, for an object that only its caller writes. It aborts the upload if
   * `fill` fails, because no other attempt continues the upload.
   * @param checksums as for `createUpload`. @param fill uploads the parts.
   */
  async #multipart(
    key: string,
    checksums: boolean,
    fill: (upload: UploadRef) => Promise<Whole>,
  ): Promise<void> {
    const upload = await createUpload(this.s3, key, { checksums });
    try {
      await completeUpload(this.s3, upload, await fill(upload));
    } catch (error) {
      // The first error is the one to report. The sweep removes what is left below the attempt's prefix.
      await abortUpload(this.s3, upload).catch(() => undefined);
      throw error;
    }
  }

  async *#pages(prefix: string, delimiter?: string): AsyncIterable<ListObjectsV2CommandOutput> {
    let token: string | undefined;
    do {
      const command: ListObjectsV2Command = new ListObjectsV2Command({
        Bucket: this.s3.bucket,
        Prefix: this.s3.keyOf(prefix),
        Delimiter: delimiter,
        ContinuationToken: token,
      });
      const page = await this.s3.send(command, 'ListBucket');
      yield page;
      token = page.IsTruncated ? page.NextContinuationToken : undefined;
    } while (token !== undefined);
  }
}

/** Whether the object is missing. A 404 for a missing bucket has another name. */
function isNoSuchKey(error: unknown): boolean {
  return error instanceof Error && (error.name === 'NoSuchKey' || error.name === 'NotFound');
}

/** The ranges have nearly the same length, so that none is shorter than S3 allows. */
function cut(start: number, end: number): string[] {
  const count = Math.ceil((end - start) / COPY_PART_BYTES);
  const at = (index: number): number => start + Math.floor(((end - start) * index) / count);
  return Array.from({ length: count }, (_, index) => `bytes=${at(index)}-${at(index + 1) - 1}`);
}
