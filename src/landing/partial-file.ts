import { mkdir, open, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { crc32 } from 'node:zlib';
import { formatChecksum } from '../model/checksum.ts';
import type { SourceSpec } from '../model/dataset.ts';
import type { CsvScan, Dialect } from '../model/scan.ts';
import { isPinned } from '../model/validator.ts';
import { storageError } from '../storage/disk-store.ts';
import type { Store } from '../storage/store.ts';
import { partialKey, sourceKeyOf, writeCheckpoint, type Checkpoint } from './checkpoint.ts';
import { HEAD_BYTES, sniffHead } from './dialect.ts';
import { CsvScanner } from './record-scanner.ts';
import type { OpenedSource } from './source.ts';

/** One block is filled while the other is written; the first is also what the dialect is told from. */
const BLOCK_BYTES = HEAD_BYTES;

/**
 * A checkpoint is begun this often and takes effect once its bytes are synced, before the next one begins. So a
 * killed worker reads at most twice this again, and what was on its way: under 32 MiB.
 */
const CHECKPOINT_SPACING_BYTES = 12 * 1024 * 1024;

/** A source on its way to the disk: written, checksummed and counted as it passes. */
export class PartialFile {
  readonly #store: Store;
  readonly #rawKey: string;
  readonly #spec: SourceSpec;
  readonly #source: OpenedSource;
  readonly #file: FileHandle;
  #block = Buffer.allocUnsafe(BLOCK_BYTES);
  #otherBlock = Buffer.allocUnsafe(BLOCK_BYTES);
  #filled = 0;
  /** Of the blocks that were handed on. */
  #bytes = 0;
  #crc32 = 0;
  #dialect: Dialect | undefined;
  #scanner: CsvScanner | undefined;
  #checkpointedBytes = 0;
  #writing: Promise<void> = Promise.resolve();
  #checkpointing: Promise<void> = Promise.resolve();

  private constructor(target: Target, file: FileHandle, resumed: Checkpoint | undefined) {
    this.#store = target.store;
    this.#rawKey = target.rawKey;
    this.#spec = target.spec;
    this.#source = target.source;
    this.#file = file;
    if (!resumed) return;
    this.#bytes = resumed.bytes;
    this.#checkpointedBytes = resumed.bytes;
    this.#crc32 = resumed.crc32;
    this.#dialect = resumed.dialect;
    this.#scanner = new CsvScanner(resumed.dialect, resumed.scanner);
  }

  /** Goes on at `resumed`, whose bytes the file has; else from zero. */
  static async open(target: Target, resumed: Checkpoint | undefined): Promise<PartialFile> {
    const path = target.store.uri(partialKey(target.rawKey));
    try {
      await mkdir(dirname(path), { recursive: true });
      const file = await open(path, resumed ? 'r+' : 'w');
      if (resumed) await file.truncate(resumed.bytes);
      return new PartialFile(target, file, resumed);
    } catch (error) {
      throw storageError(error, path);
    }
  }

  get bytes(): number {
    return this.#bytes + this.#filled;
  }

  get records(): number {
    return this.#scanner?.records ?? 0;
  }

  /** Resolves when there is room for more. */
  async append(chunk: Uint8Array): Promise<void> {
    for (let at = 0; at < chunk.length;) {
      const piece = chunk.subarray(at, at + BLOCK_BYTES - this.#filled);
      this.#block.set(piece, this.#filled);
      this.#filled += piece.length;
      at += piece.length;
      if (this.#filled === BLOCK_BYTES) await this.#passOn(false);
    }
  }

  /** Everything is synced; the file still has its partial name. */
  async finish(): Promise<{ bytes: number; checksum: string; scan: CsvScan }> {
    await this.#passOn(true);
    try {
      await this.#writing;
      await this.#checkpointing;
      await this.#file.sync();
    } catch (error) {
      throw storageError(error, this.#path());
    }
    if (!this.#scanner) throw new Error('A finished file was never begun.');
    const scan = this.#scanner.finish(this.#spec.overrides.encoding);
    return { bytes: this.#bytes, checksum: formatChecksum(this.#crc32), scan };
  }

  /** Keeps what arrived for the next attempt, as far as it can be kept. */
  async interrupt(): Promise<void> {
    try {
      await this.#writing;
      await this.#checkpointing;
      if (this.#scanner && this.#filled > 0) await this.#passOn(false);
      if (this.#scanner && this.#bytes > this.#checkpointedBytes) this.#checkpoint(this.#scanner);
      await this.#checkpointing;
    } catch {
      // The error that interrupted is the one to report; the last checkpoint holds.
    }
  }

  async close(): Promise<void> {
    await Promise.allSettled([this.#writing, this.#checkpointing]);
    await this.#file.close();
  }

  /** Hands the block to the disk, and counts it while it is being written. */
  async #passOn(last: boolean): Promise<void> {
    const block = this.#block.subarray(0, this.#filled);
    const scanner = this.#scanner ?? this.#begin(block, last);
    try {
      await this.#writing;
    } catch (error) {
      throw storageError(error, this.#path());
    }
    this.#writing = quiet(writeAll(this.#file, block, this.#bytes));
    this.#crc32 = crc32(block, this.#crc32);
    scanner.push(block);
    this.#bytes += block.length;
    this.#filled = 0;
    [this.#block, this.#otherBlock] = [this.#otherBlock, this.#block];
    if (!last && this.#bytes - this.#checkpointedBytes >= CHECKPOINT_SPACING_BYTES) {
      await this.#checkpointing;
      this.#checkpoint(scanner);
    }
  }

  #begin(head: Buffer, complete: boolean): CsvScanner {
    this.#dialect = sniffHead(head, complete, this.#spec.overrides);
    this.#scanner = new CsvScanner(this.#dialect);
    return this.#scanner;
  }

  /** In the background: the data's sync first, then the checkpoint that speaks of it. */
  #checkpoint(scanner: CsvScanner): void {
    const { validator, totalBytes } = this.#source;
    if (!isPinned(validator) || !this.#dialect) return;
    const checkpoint: Checkpoint = {
      sourceKey: sourceKeyOf(this.#spec),
      validator,
      ...(totalBytes === undefined ? {} : { totalBytes }),
      bytes: this.#bytes,
      crc32: this.#crc32,
      dialect: this.#dialect,
      scanner: scanner.state(),
    };
    this.#checkpointedBytes = this.#bytes;
    this.#checkpointing = quiet(this.#sync(checkpoint, this.#writing));
  }

  async #sync(checkpoint: Checkpoint, written: Promise<void>): Promise<void> {
    await written;
    await this.#file.datasync();
    await writeCheckpoint(this.#store, this.#rawKey, checkpoint);
  }

  #path(): string {
    return this.#store.uri(partialKey(this.#rawKey));
  }
}

export interface Target {
  store: Store;
  rawKey: string;
  spec: SourceSpec;
  source: OpenedSource;
}

async function writeAll(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    const { bytesWritten } = await file.write(bytes, at, bytes.length - at, position + at);
    at += bytesWritten;
  }
}

/** It is awaited later: until then its failure is nobody's unhandled rejection. */
function quiet(work: Promise<void>): Promise<void> {
  work.catch(() => undefined);
  return work;
}
