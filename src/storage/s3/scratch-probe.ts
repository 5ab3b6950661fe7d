import { randomUUID } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { formatChecksum } from '../../model/checksum.ts';
import { LonghaulError, type ErrorCode } from '../../model/errors.ts';
import { findObject } from './objects.ts';
import { S3Store } from './s3-store.ts';
import { ScratchUpload } from './scratch-upload.ts';
import type { ScratchZone } from './scratch-zone.ts';
import { abortUploads, listUploads } from './uploads.ts';

/** What a zone allowed when all that the lake does with S3 was really tried, in small. */
export interface ZoneProbe {
  /** IAM permissions that were denied: `s3:PutObject`. */
  denied: string[];
  /** Permissions that could not be tried, since something before them failed. */
  untried: string[];
  /** What went wrong in another way: a sentence each. */
  failed: string[];
  /** Whether a second put of a key was refused; undefined where it could not be tried. */
  honoursIfNoneMatch?: boolean;
  /** Whether S3 computed the CRC-32 of a whole multipart object; undefined where it could not be tried. */
  hasChecksums?: boolean;
  /** The first put was refused, and not for want of a permission. */
  refusedPut: boolean;
  /** What could not be removed again. */
  left: string[];
}

const BODY = Buffer.from('longhaul doctor tries what the lake needs; this may be deleted.\n');
/** Differs from BODY, so that a lost answer to the put is not taken for a second object. */
const OTHER_BODY = Buffer.from('longhaul doctor, once more\n');
const RANGE = { start: 9, end: 15 } as const;

/** One scratch prefix's life. `run`, whatever it comes to, is followed by `cleanUp`. */
export class ScratchProbe {
  readonly result: ZoneProbe = { denied: [], untried: [], failed: [], refusedPut: false, left: [] };
  readonly #zone: ScratchZone;
  readonly #store: S3Store;
  readonly #prefix = `_staging/doctor-${randomUUID()}/`;
  readonly #object = `${this.#prefix}object`;
  readonly #uploads: ScratchUpload[] = [];
  /** Keys that may be there. */
  readonly #written = new Set<string>();

  constructor(zone: ScratchZone) {
    this.#zone = zone;
    this.#store = new S3Store(zone);
  }

  /** @throws the reason of the zone's signal. */
  async run(): Promise<void> {
    const hasPut = await this.#put();
    const hasRead = hasPut && (await this.#read());
    const hasListed = await this.#step(async () => await this.#list(hasPut));
    if (hasRead) await this.#step(async () => await this.#putAgain());
    // Without s3:ListBucket S3 does not say that a key is absent, which would look like a want of s3:GetObject.
    if (hasRead && hasListed) await this.#step(async () => await this.#copy());
    await this.#upload();
  }

  async cleanUp(): Promise<void> {
    for (const upload of this.#uploads) {
      if (upload.isOpen && !(await this.#succeeds(async () => await upload.abort()))) {
        this.result.left.push(`the unfinished upload of ${this.#store.uri(upload.key)}`);
      }
    }
    // One whose answer was lost. Where listing is denied, `run` has met that.
    await this.#succeeds(async () => await abortUploads(this.#zone, this.#prefix));
    for (const key of this.#written) {
      if (await this.#succeeds(async () => await this.#store.delete(key))) continue;
      const isThere = (await this.#store.size(key).catch(() => 0)) !== undefined;
      if (isThere) this.result.left.push(this.#store.uri(key));
    }
  }

  async #put(): Promise<boolean> {
    this.#written.add(this.#object);
    const code = await this.#codeOf(async () => {
      await this.#store.putIfAbsent(this.#object, BODY);
    });
    if (code === undefined) return true;
    this.result.untried.push('s3:GetObject', 's3:DeleteObject');
    this.result.refusedPut = code === 'STORE_REFUSED';
    if (code === 'STORE_REFUSED' || code === 'STORE_FORBIDDEN') this.#written.clear();
    return false;
  }

  async #read(): Promise<boolean> {
    const whole = await this.#step(async () => {
      const bytes = await this.#store.get(this.#object);
      if (!bytes?.equals(BODY)) throw wrong('What is read is not what was put.');
    });
    if (!whole) return false;
    return await this.#step(async () => {
      const bytes = await this.#store.readRange(this.#object, RANGE.start, RANGE.end);
      if (bytes.equals(BODY.subarray(RANGE.start, RANGE.end))) return;
      throw wrong('A read of a range does not give that range.');
    });
  }

  async #list(expectsObject: boolean): Promise<void> {
    const keys: string[] = [];
    for await (const { key } of this.#store.list(this.#prefix)) keys.push(key);
    if (expectsObject && !keys.includes(this.#object)) {
      throw wrong('A listing does not have the object that was just put.');
    }
  }

  async #putAgain(): Promise<void> {
    const outcome = await this.#store.putIfAbsent(this.#object, OTHER_BODY);
    this.result.honoursIfNoneMatch = outcome === 'exists';
  }

  async #copy(): Promise<void> {
    const copy = `${this.#prefix}copy`;
    this.#written.add(copy);
    const place = this.#store.place(this.#object);
    await this.#store.copyRange({ place, start: 0, end: BODY.length }, copy);
    await this.#store.delete(this.#object);
    this.#written.delete(this.#object);
  }

  async #upload(): Promise<void> {
    const begun = await this.#begin('aborted');
    await this.#step(async () => await this.#listUploads(begun));
    if (!begun) {
      this.result.untried.push('s3:ListMultipartUploadParts', 's3:AbortMultipartUpload');
      return;
    }
    await this.#step(async () => await begun.listPart());
    await this.#step(async () => await begun.abort());
    const upload = await this.#begin('finished');
    if (!upload) return;
    await this.#step(async () => {
      this.#written.add(upload.key);
      await upload.complete();
      if (!this.#zone.settings.checksums) return;
      const found = await findObject(this.#zone, upload.key);
      this.result.hasChecksums = found?.checksum === formatChecksum(crc32(BODY));
    });
  }

  async #begin(name: string): Promise<ScratchUpload | undefined> {
    const upload = new ScratchUpload(this.#zone, this.#prefix + name, BODY);
    this.#uploads.push(upload);
    return (await this.#step(async () => await upload.begin())) ? upload : undefined;
  }

  async #listUploads(expected: ScratchUpload | undefined): Promise<void> {
    const ids: string[] = [];
    for await (const { uploadId } of listUploads(this.#zone, this.#prefix)) ids.push(uploadId);
    if (!expected || ids.includes(expected.uploadId)) return;
    throw wrong('An unfinished upload is not listed, so `longhaul sweep` will not find any.');
  }

  async #step(action: () => Promise<void>): Promise<boolean> {
    return (await this.#codeOf(action)) === undefined;
  }

  /** What was denied, the zone keeps. */
  async #codeOf(action: () => Promise<void>): Promise<ErrorCode | undefined> {
    try {
      await action();
      return undefined;
    } catch (error) {
      if (!(error instanceof LonghaulError)) throw error;
      if (error.code !== 'STORE_FORBIDDEN') this.result.failed.push(error.message);
      return error.code;
    }
  }

  async #succeeds(action: () => Promise<void>): Promise<boolean> {
    return await action().then(
      () => true,
      () => false,
    );
  }
}

function wrong(message: string): LonghaulError {
  return new LonghaulError('STORE_REFUSED', message);
}
