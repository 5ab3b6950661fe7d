import { link, mkdir, open, rm, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { storageError } from '../storage/disk-errors.ts';
import { modeOfFilesIn } from '../storage/disk-store.ts';
import { assertReserve, claimRoom } from '../storage/free-space.ts';
import { checksumAt } from '../storage/location.ts';
import { syncPath } from '../storage/replace-file.ts';
import type { Store } from '../storage/store.ts';
import { checkpointKey, partialKey, sealedFor, unseal } from './checkpoint.ts';
import {
  LandingNameTaken,
  type LandingSink,
  type LandingSinks,
  type LandingTarget,
} from './sink.ts';
import { BLOCK_BYTES, IngestState, type Landed, type IngestStateFields } from './ingest-state.ts';

/**
 * Bytes between two checkpoints. A checkpoint takes effect when its bytes are synced, before the next checkpoint
 * begins. So after a kill, an attempt reads again at most twice this and the blocks in memory: under 32 MiB.
 */
const CHECKPOINT_SPACING_BYTES = 12 * 1024 * 1024;

/** Bytes between two checks of the free space. Four downloads take 40 MiB between two checks, less than the reserve. */
const LOOK_SPACING_BYTES = 8 * 1024 * 1024;

/** Landings on a disk: the worker writes a partial file, and links it to the landing's name when it is complete. */
export function diskSinks(store: Store): LandingSinks {
  return {
    find: async (rawKey, sourceKey) => {
      const checkpoint = unseal(await store.get(checkpointKey(rawKey)));
      if (checkpoint?.sourceKey !== sourceKey || checkpoint.upload) return undefined;
      const { end } = checkpoint;
      const lengthBytes = (await store.size(partialKey(rawKey))) ?? 0;
      return end && end.bytes <= lengthBytes ? { ...checkpoint, end } : undefined;
    },
    open: async (target, resumed) => await DiskSink.open(store, target, resumed?.end),
    discard: async (rawKey) => {
      await store.delete(checkpointKey(rawKey));
      await store.delete(partialKey(rawKey));
    },
  };
}

/** Writes a source to the disk. One block is filled while the other is written. */
class DiskSink implements LandingSink {
  readonly #store: Store;
  readonly #target: LandingTarget;
  readonly #file: FileHandle;
  readonly #ingestState: IngestState;
  #block = Buffer.allocUnsafe(BLOCK_BYTES);
  #otherBlock = Buffer.allocUnsafe(BLOCK_BYTES);
  #filled = 0;
  #checkpointedBytes: number;
  /** The bytes that the last checkpoint on the disk covers. */
  #durableBytes: number;
  #endClaim: () => void = () => undefined;
  #lookedAtBytes: number;
  #writing: Promise<void> = Promise.resolve();
  #checkpointing: Promise<void> = Promise.resolve();

  private constructor(
    store: Store,
    target: LandingTarget,
    file: FileHandle,
    resumed: IngestStateFields | undefined,
  ) {
    this.#store = store;
    this.#target = target;
    this.#file = file;
    this.#ingestState = new IngestState(target.source.reading ?? target.spec.overrides, resumed);
    this.#checkpointedBytes = this.#ingestState.bytes;
    this.#durableBytes = this.#ingestState.bytes;
    this.#lookedAtBytes = this.#ingestState.bytes;
  }

  /**
   * Continues at `resumed`, whose bytes the file has, or starts at the first byte.
   * @throws LonghaulError DISK_FULL, also if the source's length already shows that it will not fit.
   */
  static async open(
    store: Store,
    target: LandingTarget,
    resumed: IngestStateFields | undefined,
  ): Promise<DiskSink> {
    const path = store.uri(partialKey(target.rawKey));
    try {
      await mkdir(dirname(path), { recursive: true });
      const file = await openFile(path, resumed !== undefined);
      const sink = new DiskSink(store, target, file, resumed);
      try {
        if (resumed) await file.truncate(resumed.bytes);
        await sink.#claimRoom();
        return sink;
      } catch (error) {
        await sink.close();
        throw error;
      }
    } catch (error) {
      throw storageError(error, path);
    }
  }

  get bytes(): number {
    return this.#ingestState.bytes + this.#filled;
  }

  get records(): number {
    return this.#ingestState.records;
  }

  async append(chunk: Uint8Array): Promise<void> {
    for (let at = 0; at < chunk.length;) {
      const piece = chunk.subarray(at, at + BLOCK_BYTES - this.#filled);
      this.#block.set(piece, this.#filled);
      this.#filled += piece.length;
      at += piece.length;
      if (this.#filled < BLOCK_BYTES) continue;
      await this.#passOn(false);
      if (this.#ingestState.bytes - this.#lookedAtBytes < LOOK_SPACING_BYTES) continue;
      this.#lookedAtBytes = this.#ingestState.bytes;
      await assertReserve(this.#store.uri(''));
    }
  }

  /** Resolves when all bytes are synced. The file still has its partial name. */
  async finish(): Promise<Landed> {
    await this.#passOn(true);
    try {
      await this.#writing;
      await this.#checkpointing;
      await this.#file.sync();
    } catch (error) {
      throw storageError(error, this.#path());
    }
    return this.#ingestState.finish();
  }

  async publish(landed: Landed): Promise<void> {
    const path = this.#store.uri(this.#target.rawKey);
    try {
      if (!(await linked(this.#path(), path)) && !(await this.#holds(landed))) {
        throw new LandingNameTaken(this.#target.rawKey);
      }
      await syncPath(dirname(path));
    } catch (error) {
      throw storageError(error, path);
    }
  }

  async interrupt(): Promise<void> {
    try {
      await this.#writing;
      await this.#checkpointing;
      if (this.#ingestState.bytes > 0 && this.#filled > 0) await this.#passOn(false);
      if (this.#ingestState.bytes > this.#checkpointedBytes) this.#checkpoint();
      await this.#checkpointing;
    } catch {
      // The caller reports the error that interrupted. The last checkpoint stays valid. The next attempt reads the
      // bytes after that checkpoint again. They are removed because Temporal may need their room on a full disk.
      await Promise.allSettled([this.#writing, this.#checkpointing]);
      await this.#file.truncate(this.#durableBytes).catch(() => undefined);
    }
  }

  async close(): Promise<void> {
    this.#endClaim();
    await Promise.allSettled([this.#writing, this.#checkpointing]);
    await this.#file.close();
  }

  async #claimRoom(): Promise<void> {
    const { source, converted } = this.#target;
    this.#endClaim = await claimRoom({
      path: this.#store.uri(''),
      totalBytes: source.totalBytes,
      landedBytes: () => this.#ingestState.bytes,
      convertedPath: converted?.kind === 'disk' ? converted.path : undefined,
    });
  }

  /** Starts the write of the block, and counts the block while the disk writes. */
  async #passOn(last: boolean): Promise<void> {
    const block = this.#block.subarray(0, this.#filled);
    await this.#writing;
    this.#writing = quiet(this.#write(block, this.#ingestState.bytes));
    this.#ingestState.push(block, last);
    this.#filled = 0;
    [this.#block, this.#otherBlock] = [this.#otherBlock, this.#block];
    if (!last && this.#ingestState.bytes - this.#checkpointedBytes >= CHECKPOINT_SPACING_BYTES) {
      await this.#checkpointing;
      this.#checkpoint();
    }
  }

  /** Syncs the data in the background, and then writes the checkpoint that covers it. */
  #checkpoint(): void {
    const state = this.#ingestState.state();
    const end = { ...state, position: this.#target.source.positionAt?.(state.bytes) };
    const sealed = sealedFor(this.#target, end);
    if (sealed === undefined) return;
    this.#checkpointedBytes = state.bytes;
    this.#checkpointing = quiet(this.#sync(sealed, state.bytes, this.#writing));
  }

  async #write(block: Buffer, position: number): Promise<void> {
    try {
      for (let at = 0; at < block.length;) {
        const length = block.length - at;
        at += (await this.#file.write(block, at, length, position + at)).bytesWritten;
      }
    } catch (error) {
      throw storageError(error, this.#path());
    }
  }

  async #sync(checkpoint: string, bytes: number, written: Promise<void>): Promise<void> {
    await written;
    await this.#file.datasync();
    await this.#store.put(checkpointKey(this.#target.rawKey), checkpoint);
    this.#durableBytes = bytes;
  }

  /** Whether the file with the landing's name has the same bytes. */
  async #holds({ bytes, checksum }: Landed): Promise<boolean> {
    const { rawKey } = this.#target;
    if ((await this.#store.size(rawKey)) !== bytes) return false;
    return (await checksumAt(this.#store.location(rawKey))) === checksum;
  }

  #path(): string {
    return this.#store.uri(partialKey(this.#target.rawKey));
  }
}

async function openFile(path: string, isResumed: boolean): Promise<FileHandle> {
  if (isResumed) return await open(path, 'r+');
  // Creates a new file and does not empty the old one, because another process may still read the old one.
  await rm(path, { force: true });
  return await open(path, 'wx', await modeOfFilesIn(dirname(path)));
}

/** The caller awaits the work later. Until then, a failure must not count as an unhandled rejection. */
function quiet(work: Promise<void>): Promise<void> {
  work.catch(() => undefined);
  return work;
}

/** Returns false if the name is taken. */
async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}
