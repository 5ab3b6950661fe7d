import { createReadStream } from 'node:fs';
import { link } from 'node:fs/promises';
import { dirname } from 'node:path';
import { crc32 } from 'node:zlib';
import { formatChecksum } from '../model/checksum.ts';
import { storageError } from '../storage/disk-errors.ts';
import { syncFolder } from '../storage/disk-store.ts';
import type { Store } from '../storage/store.ts';
import { checkpointKey, partialKey, unseal } from './checkpoint.ts';
import { DISK_FORMAT, PartialFile, type DiskCheckpoint } from './partial-file.ts';
import { LandingNameTaken } from './commit.ts';
import type { LandingSinks, Unfinished } from './sink.ts';
import type { Landed } from './tally.ts';

/** Landings on a disk: a partial file beside the landing, which is linked to its name once it is whole. */
export function diskSinks(store: Store): LandingSinks {
  const publish = async (rawKey: string, landed: Landed): Promise<void> => {
    await nameFile(store, rawKey, landed);
  };
  return {
    find: async (rawKey, sourceKey): Promise<Unfinished | undefined> => {
      const sealed = await store.get(checkpointKey(rawKey));
      const checkpoint = unseal(DISK_FORMAT, sealed) as DiskCheckpoint | undefined;
      if (checkpoint?.sourceKey !== sourceKey) return undefined;
      const lengthBytes = (await store.size(partialKey(rawKey))) ?? 0;
      if (checkpoint.bytes > lengthBytes) return undefined;
      return {
        ...checkpoint,
        offset: checkpoint.bytes,
        goOn: async (target) => await PartialFile.open({ ...target, store, publish }, checkpoint),
      };
    },
    begin: async (target) => await PartialFile.open({ ...target, store, publish }, undefined),
    discard: async (rawKey) => {
      await store.delete(checkpointKey(rawKey));
      await store.delete(partialKey(rawKey));
    },
  };
}

async function nameFile(store: Store, rawKey: string, landed: Landed): Promise<void> {
  const path = store.uri(rawKey);
  const partial = store.uri(partialKey(rawKey));
  try {
    if (!(await linked(partial, path)) && !(await holds(path, landed))) {
      throw new LandingNameTaken(rawKey);
    }
    await syncFolder(dirname(path));
  } catch (error) {
    throw storageError(error, path);
  }
}

/** False where the name is taken. */
async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

async function holds(path: string, { bytes, checksum }: Landed): Promise<boolean> {
  let length = 0;
  let crc = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024 })) {
    length += (chunk as Buffer).length;
    crc = crc32(chunk as Buffer, crc);
  }
  return length === bytes && formatChecksum(crc) === checksum;
}
