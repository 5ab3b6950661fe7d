import pMap from 'p-map';
import { versionDateOf } from '../model/manifest.ts';
import { readSnapshot, type SnapshotRef } from '../storage/manifests.ts';
import type { Store } from '../storage/store.ts';
import { contentHash, filesOf, type Days, type Version } from './days.ts';
import { DAYS_COLUMNS, DAYS_SCHEMA, writeDaysFile, type SourceOfDay } from './days-file.ts';
import type { Draft, NewSnapshot } from './draft.ts';
import { NO_SNAPSHOT, type TableMetadata, type TableSnapshot } from './metadata.ts';
import { readSnapshotFiles, type TableFolder } from './read-snapshot.ts';

const MANIFESTS_AT_ONCE = 16;

/** What a dataset's published days consist of, the oldest first. */
interface Published {
  /** Each once. */
  versions: Version[];
  days: SourceOfDay[];
}

/**
 * A dataset's history as two tables that are joined: each version of a source once, and which of them each day consists of.
 * Both are what the newest revisions of the days that have begun say, as `<view>_history` is.
 */
export class History {
  readonly #converted: Store;
  readonly #refs: SnapshotRef[];
  /** Read once for both tables, and not where both have it. */
  #published: Promise<Published> | undefined;

  constructor(converted: Store, days: Days) {
    this.#converted = converted;
    this.#refs = days.begun();
  }

  /** @param main the table of the days: what it had to cast serves here too. */
  async followVersions(
    draft: Draft,
    main: TableFolder & { metadata: TableMetadata },
  ): Promise<void> {
    await this.#follow(draft, async ({ versions }) => ({
      schema: draft.evolved(versions.map(({ entry }) => entry.schema.columns)),
      files: filesOf(versions),
      shared: await headEntries(main),
    }));
  }

  async followDays(draft: Draft, table: TableFolder): Promise<void> {
    await this.#follow(draft, async (published) => ({
      schema: DAYS_SCHEMA,
      files: (await writeDaysFile(table, published.days)).map((part) => ({
        ...{ part, columns: DAYS_COLUMNS, partition: {} },
      })),
      privateAs: published.versions.flatMap(({ entry }) => entry.parquet.map(({ key }) => key)),
    }));
  }

  async #follow(
    draft: Draft,
    made: (
      published: Published,
    ) => Promise<Pick<NewSnapshot, 'schema' | 'files' | 'shared' | 'privateAs'>>,
  ): Promise<void> {
    const newest = this.#refs.at(-1);
    // A revision never changes: what the same ones say need not be read again.
    const content = contentHash(this.#refs.map((ref) => [ref.ingestDate, ref.revision]));
    const add = async (newestDay: string): Promise<TableSnapshot> => {
      this.#published ??= readPublished(this.#converted, this.#refs);
      return await draft.addSnapshot({
        ...(await made(await this.#published)),
        ...{ parent: draft.head, content },
        summary: { 'longhaul.days': `${this.#refs.length} to ${newestDay}` },
      });
    };
    draft.setHead(newest && (draft.withContent(content) ?? (await add(newest.ingestDate))));
  }
}

/**
 * A version has the date of the first of these days that consists of it. That is the day on which it was published, but
 * where a later revision of that day has another version of the source: a source and a date are one version.
 */
async function readPublished(converted: Store, refs: readonly SnapshotRef[]): Promise<Published> {
  const manifests = await pMap(refs, async (ref) => await readSnapshot(converted, ref), {
    concurrency: MANIFESTS_AT_ONCE,
  });
  const versions = new Map<string, Version>();
  const days: SourceOfDay[] = [];
  for (const { ingestDate: day, sources } of manifests) {
    for (const entry of sources.filter(({ status }) => status !== 'missing')) {
      const files = entry.parquet.map(({ key }) => key);
      const name = JSON.stringify([entry.id, versionDateOf(entry, day), files]);
      const version = versions.get(name) ?? { entry, versionDate: day };
      versions.set(name, version);
      days.push({ day, source: entry.id, versionDate: version.versionDate });
    }
  }
  return { versions: [...versions.values()], days };
}

async function headEntries(table: TableFolder & { metadata: TableMetadata }) {
  const { 'current-snapshot-id': id, snapshots } = table.metadata;
  const head = snapshots.find((each) => id !== NO_SNAPSHOT && each['snapshot-id'] === id);
  return head ? (await readSnapshotFiles(table, head)).entries : [];
}
