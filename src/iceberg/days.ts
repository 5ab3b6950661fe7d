import { createHash } from 'node:crypto';
import pMap from 'p-map';
import { hasBegun, latestOfEachSource } from '../lake/catalogue.ts';
import {
  revisionText,
  versionDateOf,
  type SnapshotManifest,
  type SourceEntry,
} from '../model/manifest.ts';
import { listSnapshots, readSnapshot, type SnapshotRef } from '../storage/manifests.ts';
import type { Store } from '../storage/store.ts';

/** A source as it was published. */
export interface Version {
  entry: SourceEntry;
  /** `ingest_date` of its rows. */
  versionDate: string;
}

/** What a dataset was on a day: the latest version of each of its sources. */
export interface Content {
  /** The day's own. */
  manifest: Omit<SnapshotManifest, 'sources'>;
  sources: Version[];
  /** The same for the same versions. */
  hash: string;
}

/** A source of a published day, and the version of it that the day consists of. */
export interface SourceOfDay {
  day: string;
  source: string;
  versionDate: string;
}

const MANIFESTS_AT_ONCE = 16;

/** The published days of a dataset, as its manifests say; each is read once. */
export class Days {
  readonly #converted: Store;
  readonly #manifests = new Map<string, Promise<SnapshotManifest>>();
  /** All published revisions, the oldest day first, and of a day the newest revision last. */
  readonly revisions: readonly SnapshotRef[];
  /** The newest revision of each day. */
  readonly current: readonly SnapshotRef[];
  /** The days of these that have begun anywhere; the last of them is what the table is when no day is asked for. */
  readonly begun: readonly SnapshotRef[];

  private constructor(converted: Store, revisions: readonly SnapshotRef[]) {
    this.#converted = converted;
    this.revisions = revisions;
    this.current = revisions.filter(
      ({ ingestDate }, index) => revisions[index + 1]?.ingestDate !== ingestDate,
    );
    this.begun = this.current.filter(hasBegun(new Date()));
  }

  static async of(converted: Store, dataset: string): Promise<Days> {
    const days = new Days(converted, await listSnapshots(converted, dataset));
    // Many at once; of one that cannot be read, whoever needs it is told.
    const read = async (ref: SnapshotRef): Promise<unknown> =>
      await days.#read(ref).catch(() => undefined);
    await pMap(days.current, read, { concurrency: MANIFESTS_AT_ONCE });
    return days;
  }

  before(date: string): SnapshotRef | undefined {
    return this.current.findLast(({ ingestDate }) => ingestDate < date);
  }

  /** Of the dataset with that revision of its day. @throws LonghaulError MANIFEST_UNREADABLE, LAKE_CORRUPT. */
  async content(ref: SnapshotRef): Promise<Content> {
    const earlier = this.current.filter(({ ingestDate }) => ingestDate < ref.ingestDate);
    const read = async (each: SnapshotRef): Promise<SnapshotManifest> => await this.#read(each);
    const manifests = await latestOfEachSource([...earlier, ref], read);
    const sources = manifests.flatMap(({ sources: entries, ingestDate }) =>
      entries.map((entry) => ({ entry, versionDate: versionDateOf(entry, ingestDate) })),
    );
    // The day's own comes first, also where it has no source.
    const [manifest] = manifests as [SnapshotManifest, ...SnapshotManifest[]];
    return { manifest, sources, hash: hashOf(sources) };
  }

  /**
   * Each version once, and which of them each day consists of. A version has the date of the first of these days that
   * consists of it. That is the day on which it was published, but where a later revision of that day has another version
   * of the source: a source and a date are one version.
   * @throws LonghaulError MANIFEST_UNREADABLE, LAKE_CORRUPT.
   */
  async history(): Promise<{ versions: Version[]; days: SourceOfDay[] }> {
    const versions = new Map<string, Version>();
    const days: SourceOfDay[] = [];
    for (const ref of this.begun) {
      const { ingestDate: day, sources } = await this.#read(ref);
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

  async #read(ref: SnapshotRef): Promise<SnapshotManifest> {
    const name = revisionText(ref);
    const manifest = this.#manifests.get(name) ?? readSnapshot(this.#converted, ref);
    this.#manifests.set(name, manifest);
    return await manifest;
  }
}

function hashOf(sources: readonly Version[]): string {
  const versions = sources
    .map(({ entry, versionDate }) => [
      ...[entry.id, versionDate, entry.parquet.map(({ key }) => key)],
      entry.schema.columns.map(({ name, type, empty = false }) => [name, type, empty]),
    ])
    .toSorted(([a], [b]) => ((a as string) < (b as string) ? -1 : 1));
  return contentHash(versions);
}

/** Of 64: two contents of one table never meet by chance. */
const HASH_DIGITS = 32;

export function contentHash(content: unknown): string {
  return createHash('sha256').update(JSON.stringify(content)).digest('hex').slice(0, HASH_DIGITS);
}
