import { createHash } from 'node:crypto';
import pMap from 'p-map';
import { hasBegun, latestOfEachSource, newestOfEachDay, versionsOf } from '../lake/catalogue.ts';
import type { SnapshotRef } from '../model/layout.ts';
import type { DatedEntry } from '../lake/views.ts';
import { revisionText, versionDateOf, type SnapshotManifest } from '../model/manifest.ts';
import { listSnapshots, readSnapshot, type RevisionRef } from '../storage/manifests.ts';
import type { Store } from '../storage/store.ts';

/** The content of a dataset on a day: the latest version of each of its sources. */
export interface Content {
  /** Manifest of the day itself. */
  manifest: Omit<SnapshotManifest, 'sources'>;
  sources: DatedEntry[];
  /** Hash of the versions: the same versions have the same hash. */
  hash: string;
}

/** A source of a published day, and the version of it that the day consists of. */
export interface SourceOfDay {
  day: string;
  source: string;
  versionDate: string;
}

const MANIFESTS_AT_ONCE = 16;

/** The published days of a dataset, from its manifests. Each manifest is read once. */
export class Days {
  readonly #converted: Store;
  readonly #manifests = new Map<string, Promise<SnapshotManifest>>();
  /** All published revisions: the oldest day first, and within a day the newest revision last. */
  readonly revisions: readonly SnapshotRef[];
  /** The newest revision of each day. */
  readonly current: readonly SnapshotRef[];
  /** The days of `current` that have begun in any time zone. Readers who ask for no day get the last of them. */
  readonly begun: readonly SnapshotRef[];

  private constructor(converted: Store, revisions: readonly RevisionRef[]) {
    this.#converted = converted;
    this.revisions = revisions;
    this.current = newestOfEachDay(revisions);
    this.begun = this.current.filter(hasBegun(new Date()));
  }

  static async of(converted: Store, dataset: string): Promise<Days> {
    const days = new Days(converted, await listSnapshots(converted, dataset));
    // Many are read at once. If a manifest cannot be read, the caller that needs it gets the error.
    const read = async (ref: SnapshotRef): Promise<unknown> =>
      await days.#read(ref).catch(() => undefined);
    await pMap(days.current, read, { concurrency: MANIFESTS_AT_ONCE });
    return days;
  }

  before(date: string): SnapshotRef | undefined {
    return this.current.findLast(({ ingestDate }) => ingestDate < date);
  }

  /** The dataset's content with this revision of the day. @throws LonghaulError MANIFEST_UNREADABLE, LAKE_CORRUPT. */
  async content(ref: SnapshotRef): Promise<Content> {
    const earlier = this.current.filter(({ ingestDate }) => ingestDate < ref.ingestDate);
    const read = async (each: SnapshotRef): Promise<SnapshotManifest> => await this.#read(each);
    const manifests = await latestOfEachSource([...earlier, ref], read);
    const sources = versionsOf(manifests);
    // The day's own manifest comes first, even if it has no source.
    const [manifest] = manifests as [SnapshotManifest, ...SnapshotManifest[]];
    return { manifest, sources, hash: hashOf(sources) };
  }

  /**
   * Each version once, and the versions that each day consists of. A version has the date of the first of these days
   * that consists of it. Usually the version was published on that day. If a later revision of that day replaced the
   * version, it has the date of a later day, because a source and a date name one version.
   * @throws LonghaulError MANIFEST_UNREADABLE, LAKE_CORRUPT.
   */
  async history(): Promise<{ versions: DatedEntry[]; days: SourceOfDay[] }> {
    const versions = new Map<string, DatedEntry>();
    const days: SourceOfDay[] = [];
    for (const ref of this.begun) {
      const { ingestDate: day, sources } = await this.#read(ref);
      for (const entry of sources.filter(({ status }) => status !== 'missing')) {
        const files = entry.parquet.map(({ key }) => key);
        const name = JSON.stringify([entry.id, versionDateOf(entry, day), files]);
        const version = versions.get(name) ?? { entry, ingestDate: day };
        versions.set(name, version);
        days.push({ day, source: entry.id, versionDate: version.ingestDate });
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

function hashOf(sources: readonly DatedEntry[]): string {
  const versions = sources
    .map(({ entry, ingestDate }) => [
      ...[entry.id, ingestDate, entry.parquet.map(({ key }) => key)],
      entry.schema.columns.map(({ name, type, empty = false }) => [name, type, empty]),
    ])
    .toSorted(([a], [b]) => ((a as string) < (b as string) ? -1 : 1));
  return contentHash(versions);
}

/** Hex digits that are kept, of 64: enough that two contents or copies of a table never have one hash by chance. */
const HASH_DIGITS = 32;

export function contentHash(content: unknown): string {
  return createHash('sha256').update(JSON.stringify(content)).digest('hex').slice(0, HASH_DIGITS);
}
