import { createHash } from 'node:crypto';
import { hasBegun, latestOfEachSource } from '../lake/catalogue.ts';
import { versionDateOf, type SnapshotManifest, type SourceEntry } from '../model/manifest.ts';
import { listSnapshots, readSnapshot, type SnapshotRef } from '../storage/manifests.ts';
import type { Store } from '../storage/store.ts';
import type { WantedFile } from './members.ts';

/** A published day: its newest revision, and those that it replaced, the oldest first. */
export interface Day {
  current: SnapshotRef;
  replaced: SnapshotRef[];
}

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

/** The published days of a dataset, the oldest first, as its manifests say. */
export class Days {
  readonly #converted: Store;
  readonly #days: Map<string, Day>;

  private constructor(converted: Store, days: Map<string, Day>) {
    this.#converted = converted;
    this.#days = days;
  }

  static async of(converted: Store, dataset: string): Promise<Days> {
    const days = new Map<string, Day>();
    for (const ref of await listSnapshots(converted, dataset)) {
      const before = days.get(ref.ingestDate);
      const replaced = before ? [...before.replaced, before.current] : [];
      days.set(ref.ingestDate, { current: ref, replaced });
    }
    return new Days(converted, days);
  }

  get dates(): string[] {
    return [...this.#days.keys()];
  }

  get(date: string): Day | undefined {
    return this.#days.get(date);
  }

  /** The newest revision of each day that has begun anywhere. */
  begun(): SnapshotRef[] {
    return [...this.#days.values()].map(({ current }) => current).filter(hasBegun(new Date()));
  }

  /** What the table is when no day is asked for. */
  newest(): string | undefined {
    return this.begun().at(-1)?.ingestDate;
  }

  before(date: string): string | undefined {
    return this.dates.findLast((each) => each < date);
  }

  /** With that revision of its day. */
  async content(ref: SnapshotRef): Promise<Content> {
    const earlier = [...this.#days.values()]
      .map(({ current }) => current)
      .filter(({ ingestDate }) => ingestDate < ref.ingestDate);
    const manifests = await latestOfEachSource(this.#converted, [...earlier, ref]);
    const sources = manifests.flatMap(({ sources: entries, ingestDate }) =>
      entries.map((entry) => ({ entry, versionDate: versionDateOf(entry, ingestDate) })),
    );
    // The day's own comes first, also where it has no source.
    const [manifest] = manifests as [SnapshotManifest, ...SnapshotManifest[]];
    return { manifest, sources, hash: hashOf(sources) };
  }

  /**
   * The later days that have some of these sources from that day, since their own publisher did not have them.
   * @param sources which that day has, or had.
   */
  async dependents(date: string, sources: Iterable<string>): Promise<string[]> {
    const open = new Set(sources);
    const found: string[] = [];
    for (const later of this.dates.filter((each) => each > date)) {
      const day = this.#days.get(later);
      if (!day || open.size === 0) break;
      const manifest = await readSnapshot(this.#converted, day.current);
      const missing = manifest.sources.filter(({ status }) => status === 'missing');
      if (missing.some(({ id }) => open.has(id))) found.push(later);
      for (const { id, status } of manifest.sources) if (status !== 'missing') open.delete(id);
    }
    return found;
  }
}

/** Of the versions. */
export function filesOf(versions: readonly Version[]): WantedFile[] {
  return versions.flatMap(({ entry: { id, parquet, schema }, versionDate }) => {
    const partition = { source: id, ingest_date: daysSinceEpoch(versionDate) };
    return parquet.map((part) => ({ part, columns: schema.columns, partition }));
  });
}

const DAY_MS = 86_400_000;

/** @param date YYYY-MM-DD. */
export function daysSinceEpoch(date: string): number {
  return Date.parse(date) / DAY_MS;
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
