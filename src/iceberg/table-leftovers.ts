import type { Store, StoredObject } from '../storage/store.ts';
import {
  metadataKey,
  prefixOfTable,
  readNewest,
  tableFileKey,
  TABLES,
  TABLES_PREFIX,
} from './metadata.ts';
import { readSnapshotFiles } from './snapshot.ts';

/**
 * Time limit of a commit (the workflow's policy TABLE). Until then, the next version may name a file that no version
 * names yet.
 */
const COMMIT_LIMIT_MS = 2 * 24 * 60 * 60_000;

/**
 * The files of all tables that their newest version does not name: files of earlier versions, of withdrawn days, and of
 * a commit that a killed worker did not finish. Tags and their files stay.
 * A table that cannot be read keeps all of its files.
 */
export async function* tableLeftovers(
  converted: Store,
  nowMs: number,
): AsyncIterable<StoredObject> {
  for (const view of await converted.folders(TABLES_PREFIX)) {
    const prefix = prefixOfTable(view);
    const named = await namedKeys(converted, view).catch(() => undefined);
    if (!named) continue;
    for await (const object of converted.list(prefix)) {
      const isOurs = OWN_NAME.test(object.key.slice(prefix.length));
      const isSettled = object.modifiedAtMs > 0 && nowMs - object.modifiedAtMs > COMMIT_LIMIT_MS;
      if (isOurs && isSettled && !named.has(object.key)) yield object;
    }
  }
}

/** The names that Longhaul gives to files of a table. The sweep keeps any other file. */
const OWN_NAME =
  /^(?:metadata\/(?:v\d+\.metadata\.json|snap-\d+-[\da-f-]{36}\.avro|[\da-f-]{36}-m0\.avro|\.[\da-f-]{36}\.tmp)|data\/(?:[\da-f]{32}-[\da-f]{8}\.parquet|\.[\da-f]{32}-[\da-f]{8}\.parquet\.partial))$/;

/** @returns undefined if there is no table. */
async function namedKeys(converted: Store, view: string): Promise<Set<string> | undefined> {
  const own = await namedBy(converted, view);
  if (!own) return undefined;
  // The table of versions has its copies in the folder of the dataset's main table.
  const versions = await namedBy(converted, view + TABLES.versions);
  const copies = [...(versions?.paths ?? []), ...own.paths].map((path) =>
    tableFileKey(prefixOfTable(view), 'data', path),
  );
  return new Set([...own.keys, ...copies]);
}

async function namedBy(
  converted: Store,
  name: string,
): Promise<{ keys: Set<string>; paths: Set<string> } | undefined> {
  const prefix = prefixOfTable(name);
  const newest = await readNewest(converted, prefix);
  if (!newest) return undefined;
  const keys = new Set([metadataKey(prefix, newest.version)]);
  const paths = new Set<string>();
  for (const snapshot of newest.metadata.snapshots) {
    const files = await readSnapshotFiles({ converted, prefix }, snapshot);
    for (const key of files.keys) keys.add(key);
    for (const { data_file: file } of files.entries) paths.add(file.file_path);
  }
  return { keys, paths };
}
