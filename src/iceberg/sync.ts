import { isPrivate, makePrivate } from '../storage/disk-store.ts';
import { noneIf } from '../storage/leftovers.ts';
import { readSnapshot, type SnapshotRef } from '../storage/manifests.ts';
import type { CastOptions } from './cast.ts';
import { Days, type Content } from './days.ts';
import {
  commitTable,
  headSchema,
  MAIN,
  metadataKey,
  newSnapshotId,
  newestVersion,
  newTable,
  NO_SNAPSHOT,
  readVersion,
  tablePrefix,
  type TableMetadata,
  type TableSnapshot,
} from './metadata.ts';
import { sourcesOf, writeSnapshot } from './snapshot.ts';
import { evolve, nameMapping, type IcebergSchema } from './table-schema.ts';

/** A dataset's table as it is now. */
export interface SyncedTable {
  /** The folder, as readers open it. */
  location: string;
  /** The newest metadata file. */
  metadataFile: string;
  metadata: TableMetadata;
  /** The columns of the head before, and now; undefined where it has none. */
  before: IcebergSchema | undefined;
  after: IcebergSchema | undefined;
}

export interface SyncOptions extends CastOptions {
  dataset: string;
  /** Of AWS Glue, in which the table is entered. */
  glueDatabase?: string | undefined;
  /** Makes everything anew from the manifests; else only what they have and the table does not. */
  rebuild?: boolean;
}

/**
 * Brings a dataset's Iceberg table to what the manifests of its published days say: a snapshot for each day, tagged with
 * its date; the newest day is the head. It may be done at any time and by many at once: what is there already is not done
 * again, and of two writers one goes on from the other's version.
 * @returns undefined where no day was ever published.
 * @throws LonghaulError TABLE_FOREIGN_COMMIT, TABLE_UNREADABLE, LAKE_CORRUPT, MANIFEST_UNREADABLE, ENGINE_…, STORE_…, GLUE_….
 */
export async function syncTable(options: SyncOptions): Promise<SyncedTable | undefined> {
  const synced = await commitDays(options);
  if (synced && options.glueDatabase !== undefined) {
    const { enterInGlue } = await import('./glue.ts');
    // Also where nothing was committed: the entry of the last version may be missing.
    await enterInGlue(options.glueDatabase, { ...options, ...synced });
  }
  return synced;
}

async function commitDays(options: SyncOptions): Promise<SyncedTable | undefined> {
  const { converted, dataset, signal } = options;
  const prefix = tablePrefix(dataset);
  const location = converted.uri(prefix).replace(/\/$/, '');
  for (;;) {
    signal.throwIfAborted();
    const version = await newestVersion(converted, prefix);
    const days = await Days.of(converted, dataset);
    if (version === undefined && days.dates.length === 0) return undefined;
    const current = version === undefined ? undefined : await readCurrent(options, version);
    // Paths in the metadata are whole: those of a lake that was moved lead nowhere.
    const isUsable = current?.location === location && !options.rebuild;
    const base = isUsable ? current : anew(location, current);
    const draft = new Draft(options, prefix, base, days, current?.schemas);
    await draft.follow();
    const before = headSchema(current);
    const synced = (number: number, metadata: TableMetadata): SyncedTable => ({
      ...{ location, metadataFile: converted.uri(metadataKey(prefix, number)), metadata },
      ...{ before, after: headSchema(metadata) },
    });
    if (isUsable && !draft.isChanged) return synced(version ?? 0, base);
    const next = (version ?? 0) + 1;
    const metadata = draft.finished(
      version === undefined ? undefined : converted.uri(metadataKey(prefix, version)),
    );
    if (await commitTable(converted, prefix, next, metadata)) return synced(next, metadata);
  }
}

/** Who wants everything made anew does so because the newest version cannot be read, or is not ours. */
async function readCurrent(
  { converted, dataset, rebuild }: SyncOptions,
  version: number,
): Promise<TableMetadata | undefined> {
  const table = readVersion(converted, tablePrefix(dataset), version);
  if (!rebuild) return await table;
  return await table.catch(noneIf('TABLE_FOREIGN_COMMIT', 'TABLE_UNREADABLE'));
}

/** Without snapshots. */
function anew(location: string, before: TableMetadata | undefined): TableMetadata {
  const table = newTable(location);
  if (!before) return table;
  return {
    ...table,
    'table-uuid': before['table-uuid'],
    'last-column-id': before['last-column-id'],
    'last-sequence-number': before['last-sequence-number'],
  };
}

/** In a snapshot's summary. */
const CONTENT = 'longhaul.content';
/** A table's property, for each day whose tag is not of its first revision. */
const REVISION = 'longhaul.revision.';
/** How many former versions the metadata names, as Iceberg's own writers have it. */
const METADATA_LOG_LENGTH = 100;

const replacedTag = ({ ingestDate, revision }: SnapshotRef): string => `${ingestDate}.r${revision}`;

/** The next version of a table. */
class Draft {
  isChanged = false;
  readonly #options: SyncOptions;
  readonly #prefix: string;
  readonly #table: TableMetadata;
  readonly #days: Days;
  /** The columns that the table ever had, also where it is made anew: their names keep their ids. */
  readonly #former: readonly IcebergSchema[];

  constructor(
    options: SyncOptions,
    prefix: string,
    base: TableMetadata,
    days: Days,
    former: readonly IcebergSchema[] = [],
  ) {
    this.#options = options;
    this.#prefix = prefix;
    this.#table = structuredClone(base);
    this.#days = days;
    this.#former = former;
  }

  async follow(): Promise<void> {
    const changed = await this.#changedDates();
    this.#dropTags();
    for (const date of this.#days.dates) {
      await this.#keepReplaced(date);
      if (changed.has(date)) await this.#tagDay(date);
    }
    this.#setHead();
  }

  /** @param former the file of the version that it follows. */
  finished(former: string | undefined): TableMetadata {
    const table = this.#table;
    const log = [...table['metadata-log']];
    if (former !== undefined) {
      log.push({ 'metadata-file': former, 'timestamp-ms': table['last-updated-ms'] });
    }
    // What no tag names any more is of a day that was withdrawn: its files may go.
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
        'longhaul.dataset': this.#options.dataset,
        'schema.name-mapping.default': nameMapping(table.schemas),
      },
    };
  }

  /** Days whose newest revision is another than the table's, and the later ones that have a source from them. */
  async #changedDates(): Promise<Set<string>> {
    const tagged = Object.keys(this.#table.refs).filter((name) => DAY_TAG.test(name));
    const own = [...new Set([...tagged, ...this.#days.dates])].filter(
      (date) => this.#revision(date) !== this.#days.get(date)?.current.revision,
    );
    const changed = new Set(own);
    for (const date of own) {
      const sources = new Set(await this.#taggedSources(date));
      const day = this.#days.get(date);
      if (day) {
        const manifest = await readSnapshot(this.#options.converted, day.current);
        for (const { id, status } of manifest.sources) if (status !== 'missing') sources.add(id);
      }
      for (const later of await this.#days.dependents(date, sources)) changed.add(later);
    }
    return changed;
  }

  /** The revision that the day's tag is of. */
  #revision(date: string): number | undefined {
    if (!this.#table.refs[date]) return undefined;
    return Number(this.#table.properties[REVISION + date] ?? 1);
  }

  async #taggedSources(date: string): Promise<string[]> {
    const snapshot = this.#tagged(date);
    if (!snapshot) return [];
    return await sourcesOf({ ...this.#options, prefix: this.#prefix }, snapshot);
  }

  #tagged(tag: string | undefined): TableSnapshot | undefined {
    const id = tag === undefined ? undefined : this.#table.refs[tag]?.['snapshot-id'];
    return this.#table.snapshots.find((each) => each['snapshot-id'] === id);
  }

  /** Of days and revisions that are not published any more. */
  #dropTags(): void {
    for (const name of Object.keys(this.#table.refs)) {
      const date = name.slice(0, 'YYYY-MM-DD'.length);
      const day = this.#days.get(date);
      const isKept =
        day && (name === date || day.replaced.some((ref) => replacedTag(ref) === name));
      // A tag of the day that is about to become one of a replaced revision stays until then.
      if (isKept || name === MAIN) continue;
      delete this.#table.refs[name];
      if (name === date) delete this.#table.properties[REVISION + date];
      this.isChanged = true;
    }
  }

  /** Each revision that another one has replaced has a tag of its own. */
  async #keepReplaced(date: string): Promise<void> {
    for (const ref of this.#days.get(date)?.replaced ?? []) {
      if (this.#table.refs[replacedTag(ref)]) continue;
      const known = this.#revision(date) === ref.revision ? this.#tagged(date) : undefined;
      const snapshot = known ?? (await this.#snapshotOf(ref));
      this.#setRef(replacedTag(ref), snapshot);
    }
  }

  async #tagDay(date: string): Promise<void> {
    const ref = this.#days.get(date)?.current;
    if (!ref) return;
    this.#setRef(date, await this.#snapshotOf(ref));
    const name = REVISION + date;
    if (ref.revision === 1) delete this.#table.properties[name];
    else this.#table.properties[name] = String(ref.revision);
  }

  #setRef(name: string, snapshot: TableSnapshot): void {
    this.#table.refs[name] = { 'snapshot-id': snapshot['snapshot-id'], type: 'tag' };
    this.isChanged = true;
  }

  /** A day on which nothing has changed is the snapshot of the day before. */
  async #snapshotOf(ref: SnapshotRef): Promise<TableSnapshot> {
    const content = await this.#days.content(ref);
    const same = this.#table.snapshots.findLast((each) => each.summary[CONTENT] === content.hash);
    return same ?? (await this.#addSnapshot(ref, content));
  }

  async #addSnapshot(ref: SnapshotRef, content: Content): Promise<TableSnapshot> {
    const table = this.#table;
    const schema = evolve(
      table.schemas,
      content.sources.map(({ entry }) => entry.schema.columns),
      this.#former,
    );
    if (!table.schemas.includes(schema)) table.schemas.push(schema);
    table['last-column-id'] = Math.max(
      table['last-column-id'],
      ...schema.fields.map(({ id }) => id),
    );
    await this.#keepPrivate(content);
    const { runId, publishedAt, ledger } = content.manifest;
    const snapshot = await writeSnapshot({
      ...this.#options,
      prefix: this.#prefix,
      id: newSnapshotId(),
      sequenceNumber: table['last-sequence-number'] + 1,
      timestampMs: this.#now(),
      schema,
      parent: this.#parentOf(ref),
      content,
      summary: {
        'longhaul.snapshot': `${ref.dataset}/${ref.ingestDate}/r${ref.revision}`,
        'longhaul.run': runId,
        'longhaul.published-at': publishedAt,
        'longhaul.ledger': `${ledger.records} records = ${ledger.rows} rows + ${ledger.rejected} rejected`,
        [CONTENT]: content.hash,
      },
    });
    table['last-sequence-number'] = snapshot['sequence-number'];
    table.snapshots.push(snapshot);
    return snapshot;
  }

  /** Metadata has values of the files, and copies have all: what only its owner can read stays so. */
  async #keepPrivate({ sources }: Content): Promise<void> {
    const { converted } = this.#options;
    const parts = sources.flatMap(({ entry }) => entry.parquet.slice(0, 1));
    for (const { key } of parts) {
      if (!(await isPrivate(converted.location(key)))) continue;
      for (const folder of ['metadata', 'data']) {
        await makePrivate(converted.location(this.#prefix + folder));
      }
      return;
    }
  }

  /** What the new snapshot's files are compared with: the head, where the day becomes it; else the day before it. */
  #parentOf({ ingestDate }: SnapshotRef): TableSnapshot | undefined {
    const newest = this.#days.newest();
    const isHead = newest !== undefined && ingestDate >= newest;
    return (isHead ? this.#tagged(MAIN) : undefined) ?? this.#tagged(this.#days.before(ingestDate));
  }

  #setHead(): void {
    const table = this.#table;
    const head = this.#tagged(this.#days.newest());
    const id = head?.['snapshot-id'] ?? NO_SNAPSHOT;
    if (table['current-snapshot-id'] === id) return;
    this.isChanged = true;
    table['current-snapshot-id'] = id;
    if (!head) {
      delete table.refs[MAIN];
      return;
    }
    table.refs[MAIN] = { 'snapshot-id': id, type: 'branch' };
    table['current-schema-id'] = head['schema-id'];
    table['snapshot-log'].push({ 'snapshot-id': id, 'timestamp-ms': this.#now() });
  }

  /** Times in a table's metadata never go back, also where a clock does. */
  #now(): number {
    return Math.max(Date.now(), this.#table['last-updated-ms']);
  }
}

const DAY_TAG = /^\d{4}-\d{2}-\d{2}$/;
