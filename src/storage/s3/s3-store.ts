import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  type ListObjectsV2CommandOutput,
} from '@aws-sdk/client-s3';
import { rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import pMap from 'p-map';
import { LonghaulError } from '../../model/errors.ts';
import { parsePartKey } from '../../model/layout.ts';
import type { Location } from '../location.ts';
import type { Store, StoredObject, StoredRange } from '../store.ts';
import { copyRange, putFile } from './copies.ts';
import { isTaken, statusOf, type ServiceError } from './errors.ts';
import { findObject, putObject } from './objects.ts';
import { abortUploads } from './uploads.ts';
import { S3Prefix } from './prefix.ts';

/** Deletions of one prefix on their way at once. */
const DELETE_CONCURRENCY = 8;
/** A conditional write that is under way ends within a request's time: together, half a minute is given to it. */
const MAX_CONFLICTS = 30;
const CONFLICT_WAIT_MS = 1000;

/**
 * A zone of the lake as a prefix of a bucket. A PUT is whole or not at all, and `If-None-Match: *` makes
 * put-if-absent atomic, so a killed writer leaves nothing but unfinished multipart uploads.
 */
export class S3Store implements Store {
  readonly s3: S3Prefix;

  /** @param at as `S3Prefix` takes them. */
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
    return await this.s3.read(new GetObjectCommand(this.s3.at(key)), { isNone: isNoSuchKey });
  }

  async putIfAbsent(key: string, body: string | Uint8Array): Promise<'created' | 'exists'> {
    for (let tries = 1; ; tries += 1) {
      try {
        await putObject(this.s3, key, Buffer.from(body), { ifFree: true });
        return 'created';
      } catch (error) {
        if (!isTaken(error)) throw error;
        const present = await this.get(key);
        // The SDK's own retry of a PUT whose answer was lost finds that PUT's object.
        const { attempts = 1 } = (error as ServiceError).$metadata ?? {};
        if (attempts > 1 && present?.equals(Buffer.from(body))) return 'created';
        if (present !== undefined) return 'exists';
        // 409: another writer is at it, and may yet fail.
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
    if (end <= start) return Buffer.alloc(0);
    const Range = `bytes=${start}-${end - 1}`;
    const isNone = (error: unknown): boolean => statusOf(error) === 416;
    const command = new GetObjectCommand({ ...this.s3.at(key), Range });
    return (await this.s3.read(command, { isNone })) ?? Buffer.alloc(0);
  }

  async size(key: string): Promise<number | undefined> {
    return (await findObject(this.s3, key))?.bytes;
  }

  async copyRange(range: StoredRange, to: string, signal?: AbortSignal): Promise<void> {
    await copyRange(this.s3, range, to, signal);
  }

  async putFile(key: string, path: string, signal?: AbortSignal): Promise<void> {
    await putFile(this.s3, key, path, signal);
    await rm(path);
  }

  async delete(key: string): Promise<void> {
    // AWS says 204 for a key that is gone; versitygw says 404 where two hosts delete it at once.
    await this.s3.find(new DeleteObjectCommand(this.s3.at(key)), 'DeleteObject', isNoSuchKey);
  }

  async deletePrefix(prefix: string): Promise<void> {
    await abortUploads(this.s3, prefix);
    await pMap(this.list(prefix), async ({ key }) => await this.delete(key), {
      concurrency: DELETE_CONCURRENCY,
    });
  }

  /** Everything but a part is written whole, and unfinished landings are uploads that go on. */
  async deleteUnfinished(
    prefix: string,
    isDead: (kind: 'partial', key: string) => boolean,
  ): Promise<void> {
    const isDeadPart = (key: string): boolean =>
      parsePartKey(key) !== undefined && isDead('partial', key);
    await abortUploads(this.s3, prefix, isDeadPart);
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

/** Of a 404, the bucket's absence has a name of its own. */
function isNoSuchKey(error: unknown): boolean {
  return error instanceof Error && (error.name === 'NoSuchKey' || error.name === 'NotFound');
}
