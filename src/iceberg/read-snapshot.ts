import { basename } from 'node:path';
import pMap from 'p-map';
import { LonghaulError } from '../model/errors.ts';
import type { Store } from '../storage/store.ts';
import {
  decodeManifest,
  decodeManifestList,
  ENTRY_STATUS,
  type ManifestEntry,
  type ManifestInList,
} from './manifest-files.ts';
import type { TableSnapshot } from './metadata.ts';

/** A table's folder in its zone. */
export interface TableFolder {
  converted: Store;
  prefix: string;
}

/** What a snapshot consists of: the keys of its own files, its manifests, and those of their entries that it has. */
export interface SnapshotFiles {
  keys: string[];
  manifests: ManifestInList[];
  entries: ManifestEntry[];
}

const MANIFESTS_AT_ONCE = 8;

/** @throws LonghaulError TABLE_UNREADABLE. */
export async function readSnapshotFiles(
  table: TableFolder,
  snapshot: TableSnapshot,
): Promise<SnapshotFiles> {
  const list = tableFileKey(table.prefix, 'metadata', snapshot['manifest-list']);
  const manifests = await read(table, list, decodeManifestList);
  const keys = manifests.map(({ manifest_path: path }) =>
    tableFileKey(table.prefix, 'metadata', path),
  );
  const entries = await pMap(keys, async (key) => await read(table, key, decodeManifest), {
    concurrency: MANIFESTS_AT_ONCE,
  });
  const isLive = ({ status }: ManifestEntry): boolean => status !== ENTRY_STATUS.deleted;
  return { keys: [list, ...keys], manifests, entries: entries.flat().filter(isLive) };
}

/** The key of a table's own file. Paths in a table are whole; it may be read from another place than they name. */
export function tableFileKey(prefix: string, folder: 'metadata' | 'data', path: string): string {
  return `${prefix}${folder}/${basename(path)}`;
}

async function read<T>(
  { converted }: TableFolder,
  key: string,
  decode: (file: Buffer) => T,
): Promise<T> {
  const body = await converted.get(key);
  if (!body) throw new LonghaulError('TABLE_UNREADABLE', `${converted.uri(key)} is gone.`);
  try {
    return decode(body);
  } catch (error) {
    const what = `${converted.uri(key)} cannot be read: it is damaged.`;
    throw new LonghaulError('TABLE_UNREADABLE', what, {}, { cause: error });
  }
}
