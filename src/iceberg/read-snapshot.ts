import { basename } from 'node:path';
import { LonghaulError } from '../model/errors.ts';
import type { Store } from '../storage/store.ts';
import {
  decodeManifest,
  decodeManifestList,
  ENTRY_STATUS,
  type ManifestEntry,
} from './manifest-files.ts';
import type { TableSnapshot } from './metadata.ts';

/** A table's folder in its zone. */
export interface TableFolder {
  converted: Store;
  prefix: string;
}

/** What a snapshot consists of: the keys of its own files, and the entries of its manifests. */
export interface SnapshotFiles {
  keys: string[];
  entries: ManifestEntry[];
}

/** @throws LonghaulError TABLE_UNREADABLE. */
export async function readSnapshotFiles(
  table: TableFolder,
  snapshot: TableSnapshot,
): Promise<SnapshotFiles> {
  const list = tableFileKey(table.prefix, 'metadata', snapshot['manifest-list']);
  const keys = [list];
  const entries: ManifestEntry[] = [];
  for (const { manifest_path: path } of await read(table, list, decodeManifestList)) {
    const key = tableFileKey(table.prefix, 'metadata', path);
    keys.push(key);
    entries.push(...(await read(table, key, decodeManifest)));
  }
  return { keys, entries };
}

/** The files of rows that a snapshot has, by path. */
export async function liveEntries(
  table: TableFolder,
  snapshot: TableSnapshot,
): Promise<Map<string, ManifestEntry>> {
  const { entries } = await readSnapshotFiles(table, snapshot);
  const live = entries.filter(({ status }) => status !== ENTRY_STATUS.deleted);
  return new Map(live.map((entry) => [entry.data_file.file_path, entry]));
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
