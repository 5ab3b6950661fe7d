import type { Column } from '../model/schema.ts';
import { isPrivate, makePrivate } from '../storage/disk-store.ts';
import type { ManifestEntry } from './manifest-files.ts';
import type { CastOptions, WantedFile } from './members.ts';
import {
  MAIN,
  newSnapshotId,
  NO_SNAPSHOT,
  schemaOf,
  type TableMetadata,
  type TableSnapshot,
} from './metadata.ts';
import { writeSnapshot } from './snapshot.ts';
import { evolve, nameMapping, type IcebergSchema, type PartitionSpec } from './table-schema.ts';

export interface DraftOptions extends CastOptions {
  dataset: string;
  /** The table's folder. */
  prefix: string;
  spec: PartitionSpec;
  /** The folder of the table that holds the copies of cast files. */
  copiesPrefix: string;
}

export interface NewSnapshot {
  schema: IcebergSchema;
  files: WantedFile[];
  /** Snapshot whose files the new files are compared with. */
  parent: TableSnapshot | undefined;
  /** Entries of the table that holds the copies, if that is another table. */
  shared?: readonly ManifestEntry[];
  /** Hash of the content: the same snapshot has the same hash. */
  content: string;
  /** Properties of the snapshot's summary besides the counts. */
  summary: Record<string, string>;
}

/** Property of a snapshot's summary that holds `content`. */
const CONTENT = 'longhaul.content';
/** Former versions that the metadata names. Iceberg's own writers also keep 100 by default. */
const METADATA_LOG_LENGTH = 100;

/** The next version of a table. */
export class Draft {
  readonly table: TableMetadata;
  readonly options: DraftOptions;
  /** Schemas that the table ever had, even if it is rebuilt: their columns keep their field ids. */
  readonly #former: readonly IcebergSchema[];

  constructor(
    options: DraftOptions,
    base: TableMetadata,
    former: readonly IcebergSchema[] | undefined = [],
  ) {
    this.options = options;
    this.table = structuredClone(base);
    this.#former = former;
  }

  /**
   * @param former the metadata file of the version before this one.
   * @param schema the schema of a table that never had a snapshot: readers need one.
   */
  finished(former: string | undefined, schema: IcebergSchema): TableMetadata {
    const { table } = this;
    if (table.schemas.length === 0) this.#addSchema(schema);
    const log = [...table['metadata-log']];
    if (former !== undefined) {
      log.push({ 'metadata-file': former, 'timestamp-ms': table['last-updated-ms'] });
    }
    // If no tag names a snapshot, its day was withdrawn. The sweep may remove its files.
    const named = new Set(Object.values(table.refs).map((ref) => ref['snapshot-id']));
    const isNamed = (each: { 'snapshot-id': number }): boolean => named.has(each['snapshot-id']);
    return {
      ...table,
      snapshots: table.snapshots.filter(isNamed),
      'snapshot-log': table['snapshot-log'].filter(isNamed),
      'last-updated-ms': this.#now(),
      'metadata-log': log.slice(-METADATA_LOG_LENGTH),
      properties: {
        ...table.properties,
        'longhaul.dataset': this.options.dataset,
        'schema.name-mapping.default': nameMapping(table.schemas),
      },
    };
  }

  tagged(tag: string | undefined): TableSnapshot | undefined {
    const id = tag === undefined ? undefined : this.table.refs[tag]?.['snapshot-id'];
    return this.table.snapshots.find((each) => each['snapshot-id'] === id);
  }

  withContent(content: string): TableSnapshot | undefined {
    return this.table.snapshots.findLast(({ summary }) => summary[CONTENT] === content);
  }

  setTag(name: string, snapshot: TableSnapshot): void {
    this.table.refs[name] = { 'snapshot-id': snapshot['snapshot-id'], type: 'tag' };
  }

  dropTag(name: string): void {
    delete this.table.refs[name];
  }

  setHead(head: TableSnapshot | undefined): void {
    const { table } = this;
    const id = head?.['snapshot-id'] ?? NO_SNAPSHOT;
    if (table['current-snapshot-id'] === id) return;
    table['current-snapshot-id'] = id;
    if (!head) {
      delete table.refs[MAIN];
      return;
    }
    table.refs[MAIN] = { 'snapshot-id': id, type: 'branch' };
    table['current-schema-id'] = head['schema-id'];
    table['snapshot-log'].push({ 'snapshot-id': id, 'timestamp-ms': this.#now() });
  }

  /** The table's schema for files with these columns. */
  evolved(columns: readonly (readonly Column[])[]): IcebergSchema {
    return evolve(this.table.schemas, columns, this.#former);
  }

  async addSnapshot(snapshot: NewSnapshot): Promise<TableSnapshot> {
    const { table } = this;
    const { schema, files, parent, shared = [], content, summary } = snapshot;
    if (!table.schemas.some((each) => each['schema-id'] === schema['schema-id'])) {
      this.#addSchema(schema);
    }
    const before = schemaOf(table, parent);
    const added = await writeSnapshot({
      ...this.options,
      ...{ schema, files, shared },
      keepPrivate: async (keys) => await this.keepPrivate(keys),
      parent: parent && before ? { snapshot: parent, schema: before } : undefined,
      id: newSnapshotId(),
      sequenceNumber: table['last-sequence-number'] + 1,
      timestampMs: this.#now(),
      summary: { ...summary, [CONTENT]: content },
    });
    table['last-sequence-number'] = added['sequence-number'];
    table.snapshots.push(added);
    return added;
  }

  /**
   * Metadata and copies have values of the files. If only the owner can read a file, the folders become private too.
   * @param keys of files, or of a folder.
   */
  async keepPrivate(keys: readonly string[]): Promise<void> {
    const { converted, prefix, copiesPrefix } = this.options;
    for (const key of keys) {
      if (!(await isPrivate(converted.location(key)))) continue;
      for (const folder of [`${prefix}metadata`, `${prefix}data`, `${copiesPrefix}data`]) {
        await makePrivate(converted.location(folder));
      }
      return;
    }
  }

  #addSchema(schema: IcebergSchema): void {
    this.table.schemas.push(schema);
    const ids = schema.fields.map(({ id }) => id);
    this.table['last-column-id'] = Math.max(this.table['last-column-id'], ...ids);
  }

  /** Times in a table's metadata never go back, even if the host's clock does. */
  #now(): number {
    return Math.max(Date.now(), this.table['last-updated-ms']);
  }
}
