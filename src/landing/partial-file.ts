import { mkdir, open, rm, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isPinned } from '../model/validator.ts';
import { storageError } from '../storage/disk-errors.ts';
import { modeOfFilesIn } from '../storage/disk-store.ts';
import { assertReserve } from '../storage/free-space.ts';
import type { Store } from '../storage/store.ts';
import {
  checkpointKey,
  partialKey,
  seal,
  sourceKeyOf,
  type CheckpointedSource,
} from './checkpoint.ts';
import { claimRoom } from './claim-room.ts';
import type { LandingSink, Target } from './sink.ts';
import { BLOCK_BYTES, Tally, type Landed, type TallyState } from './tally.ts';

/** Up to here the partial file is synced and everything about it known: where a later attempt goes on. */
export type DiskCheckpoint = CheckpointedSource & TallyState;

export const DISK_FORMAT = 'longhaul/checkpoint/1';

/**
 * A checkpoint is begun this often and takes effect once its bytes are synced, before the next one begins. So a
 * killed worker reads at most twice this again, and what was on its way: under 32 MiB.
 */
const CHECKPOINT_SPACING_BYTES = 12 * 1024 * 1024;

/** The free space is looked at this often: four downloads at once take 40 MiB in between, less than the reserve. */
const LOOK_SPACING_BYTES = 8 * 1024 * 1024;

export interface DiskTarget extends Target {
  store: Store;
  publish: (rawKey: string, landed: Landed) => Promise<void>;
}

/** A source on its way to the disk: one block is filled while the other is written. */
export class PartialFile implements LandingSink {
  readonly #target: DiskTarget;
  readonly #file: FileHandle;
  readonly #tally: Tally;
  #block = Buffer.allocUnsafe(BLOCK_BYTES);
  #otherBlock = Buffer.allocUnsafe(BLOCK_BYTES);
  #filled = 0;
  #checkpointedBytes: number;
  /** What the last checkpoint that is on the disk speaks of. */
  #durableBytes: number;
  #endClaim: () => void = () => undefined;
  #lookedAtBytes: number;
  #looking: Promise<void> = Promise.resolve();
  #writing: Promise<void> = Promise.resolve();
  #checkpointing: Promise<void> = Promise.resolve();

  private constructor(target: DiskTarget, file: FileHandle, resumed: TallyState | undefined) {
    this.#target = target;
    this.#file = file;
    this.#tally = new Tally(target.spec.overrides, resumed);
    this.#checkpointedBytes = this.#tally.bytes;
    this.#durableBytes = this.#tally.bytes;
    this.#lookedAtBytes = this.#tally.bytes;
  }

  /**
   * Goes on at `resumed`, whose bytes the file has; else from zero.
   * @throws LonghaulError DISK_FULL also where it is known already that the source will not fit.
   */
  static async open(target: DiskTarget, resumed: TallyState | undefined): Promise<PartialFile> {
    const path = target.store.uri(partialKey(target.rawKey));
    try {
      await mkdir(dirname(path), { recursive: true });
      const file = await openFile(path, resumed !== undefined);
      const partial = new PartialFile(target, file, resumed);
      try {
        if (resumed) await file.truncate(resumed.bytes);
        await partial.#claimRoom();
        return partial;
      } catch (error) {
        await partial.close();
        throw error;
      }
    } catch (error) {
      throw storageError(error, path);
    }
  }

  get bytes(): number {
    return this.#tally.bytes + this.#filled;
  }

  get records(): number {
    return this.#tally.records;
  }

  async append(chunk: Uint8Array): Promise<void> {
    for (let at = 0; at < chunk.length;) {
      const piece = chunk.subarray(at, at + BLOCK_BYTES - this.#filled);
      this.#block.set(piece, this.#filled);
      this.#filled += piece.length;
      at += piece.length;
      if (this.#filled < BLOCK_BYTES) continue;
      await this.#looking;
      await this.#passOn(false);
      this.#lookForRoom();
    }
  }

  /** Everything is synced; the file still has its partial name. */
  async finish(): Promise<Landed> {
    await this.#passOn(true);
    try {
      await this.#writing;
      await this.#checkpointing;
      await this.#file.sync();
    } catch (error) {
      throw storageError(error, this.#path());
    }
    return this.#tally.finish();
  }

  async publish(landed: Landed): Promise<void> {
    await this.#target.publish(this.#target.rawKey, landed);
  }

  async interrupt(): Promise<void> {
    try {
      await this.#writing;
      await this.#checkpointing;
      if (this.#tally.bytes > 0 && this.#filled > 0) await this.#passOn(false);
      if (this.#tally.bytes > this.#checkpointedBytes) this.#checkpoint();
      await this.#checkpointing;
    } catch {
      // The error that interrupted is the one to report; the last checkpoint holds. What lies behind it would be
      // fetched again, and may be all that keeps Temporal from writing on a full disk.
      await Promise.allSettled([this.#writing, this.#checkpointing]);
      await this.#file.truncate(this.#durableBytes).catch(() => undefined);
    }
  }

  async close(): Promise<void> {
    this.#endClaim();
    await Promise.allSettled([this.#looking, this.#writing, this.#checkpointing]);
    await this.#file.close();
  }

  /** Beside the writing: the next block waits for it. */
  #lookForRoom(): void {
    if (this.#tally.bytes - this.#lookedAtBytes < LOOK_SPACING_BYTES) return;
    this.#lookedAtBytes = this.#tally.bytes;
    this.#looking = quiet(assertReserve(this.#target.store.uri('')));
  }

  async #claimRoom(): Promise<void> {
    const { source, converted } = this.#target;
    this.#endClaim = await claimRoom({
      path: this.#target.store.uri(''),
      totalBytes: source.totalBytes,
      landedBytes: () => this.#tally.bytes,
      convertedPath: converted?.kind === 'disk' ? converted.path : undefined,
    });
  }

  /** Hands the block to the disk, and counts it while it is being written. */
  async #passOn(last: boolean): Promise<void> {
    const block = this.#block.subarray(0, this.#filled);
    try {
      await this.#writing;
    } catch (error) {
      throw storageError(error, this.#path());
    }
    this.#writing = quiet(writeAll(this.#file, block, this.#tally.bytes));
    this.#tally.push(block, last);
    this.#filled = 0;
    [this.#block, this.#otherBlock] = [this.#otherBlock, this.#block];
    if (!last && this.#tally.bytes - this.#checkpointedBytes >= CHECKPOINT_SPACING_BYTES) {
      await this.#checkpointing;
      this.#checkpoint();
    }
  }

  /** In the background: the data's sync first, then the checkpoint that speaks of it. */
  #checkpoint(): void {
    const { source, spec } = this.#target;
    const { validator, totalBytes } = source;
    const state = this.#tally.state();
    if (!isPinned(validator) || !state) return;
    const checkpoint: DiskCheckpoint = {
      sourceKey: sourceKeyOf(spec),
      validator,
      totalBytes,
      ...state,
    };
    this.#checkpointedBytes = state.bytes;
    this.#checkpointing = quiet(this.#sync(checkpoint, this.#writing));
  }

  async #sync(checkpoint: DiskCheckpoint, written: Promise<void>): Promise<void> {
    const { store, rawKey } = this.#target;
    await written;
    await this.#file.datasync();
    await store.put(checkpointKey(rawKey), seal(DISK_FORMAT, checkpoint));
    this.#durableBytes = checkpoint.bytes;
  }

  #path(): string {
    return this.#target.store.uri(partialKey(this.#target.rawKey));
  }
}

async function openFile(path: string, isResumed: boolean): Promise<FileHandle> {
  if (isResumed) return await open(path, 'r+');
  // Another file, not the same one emptied: somebody may hold that open, who must not read what comes now.
  await rm(path, { force: true });
  return await open(path, 'wx', await modeOfFilesIn(dirname(path)));
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
