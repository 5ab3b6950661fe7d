import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { mkdirSync } from 'node:fs';
import { DuckDBInstance } from '@duckdb/node-api';
import { rowJson } from '../../src/lake/values.ts';
import { query, type QueryOptions } from '../../src/lake/query.ts';
import { partName, snapshotManifestKey, sourcePrefix } from '../../src/model/layout.ts';
import type { SnapshotManifest, SourceEntry } from '../../src/model/manifest.ts';
import { quoteLiteral } from '../../src/model/names.ts';
import type { Column } from '../../src/model/schema.ts';
import { DiskStore } from '../../src/storage/disk-store.ts';
import { toJson } from '../../src/storage/manifests.ts';
import { entryOf, snapshotOf } from '../helpers/manifests.ts';

export interface TinySource {
  id: string;
  columns: (Partial<Column> & Pick<Column, 'name' | 'type'>)[];
  /** A SELECT with the columns above. Without it, the source has no Parquet file. */
  select?: string;
}

/** A converted zone with real Parquet files and manifests, in a folder of its own. */
export class TinyLake {
  readonly root: string;
  readonly store: DiskStore;
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
    this.root = join(folder, 'converted');
    this.store = new DiskStore(this.root);
  }

  /** @param name part of the folder's path, with any characters that a user may put there. */
  static async create(name = 'lake'): Promise<TinyLake> {
    return new TinyLake(await mkdtemp(join(tmpdir(), `longhaul-${name}-`)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.remove();
  }

  async remove(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }

  async publish(
    dataset: string,
    ingestDate: string,
    sources: TinySource[],
    revision = 1,
  ): Promise<SnapshotManifest> {
    const at = { dataset, ingestDate, revision };
    const entries = await Promise.all(sources.map(async (source) => this.#entry(at, source)));
    return await this.publishEntries(at, entries);
  }

  async publishEntries(
    at: { dataset: string; ingestDate: string; revision: number },
    sources: SourceEntry[],
  ): Promise<SnapshotManifest> {
    const manifest = snapshotOf({ ...at, sources });
    const key = snapshotManifestKey(at);
    await this.store.putIfAbsent(key, toJson(manifest));
    return manifest;
  }

  /** Rows of a query, parsed from the JSON text that `query --format json` prints. */
  async rows(sql: string, asOf?: string): Promise<unknown[]> {
    return await rowsOf(sql, { converted: this.store, asOf });
  }

  /** Name and hash of every file in the folder. Tests compare them to show that nothing changed. */
  async fingerprint(): Promise<string[]> {
    const entries = await readdir(this.#folder, { recursive: true, withFileTypes: true });
    const lines = entries.map(async (entry) => {
      const path = join(entry.parentPath, entry.name);
      if (entry.isDirectory()) return `${path}/`;
      return `${path} ${createHash('sha256')
        .update(await readFile(path))
        .digest('hex')}`;
    });
    return (await Promise.all(lines)).toSorted();
  }

  async #entry(
    at: { dataset: string; ingestDate: string; revision: number },
    { id, columns, select }: TinySource,
  ): Promise<SourceEntry> {
    const key = `${sourcePrefix({ ...at, source: id })}${partName(0)}`;
    const rows = select === undefined ? 0 : await writeParquet(select, this.store.uri(key));
    return entryOf({
      ...{ id, rows },
      schema: { columns: columns.map((column) => ({ publisherName: column.name, ...column })) },
      parquet: select === undefined ? [] : [{ key, rows, bytes: 1, checksum: 'x' }],
    });
  }
}

/** Rows of a query on any lake, in the form of `TinyLake.rows`. */
export async function rowsOf(
  sql: string,
  lake: Pick<QueryOptions, 'converted' | 's3' | 'asOf'>,
): Promise<unknown[]> {
  const options = { ...lake, duckdb: { memoryLimit: '1GiB', threads: 1 }, stream: false };
  return await query(sql, options, async (result) => {
    const names = result.deduplicatedColumnNames();
    const rows = await result.getRows();
    return rows.map((row) => JSON.parse(rowJson(names, row)) as unknown);
  });
}

/** @returns the number of rows. */
export async function writeParquet(select: string, path: string): Promise<number> {
  mkdirSync(dirname(path), { recursive: true });
  const instance = await DuckDBInstance.create(':memory:');
  try {
    const connection = await instance.connect();
    const copy = `COPY (${select}) TO ${quoteLiteral(path)} (FORMAT parquet)`;
    const result = await connection.runAndReadAll(copy);
    return Number(result.getRowsJS()[0]?.[0]);
  } finally {
    instance.closeSync();
  }
}
