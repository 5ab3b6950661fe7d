import { readSnapshot, type SnapshotRef } from '../storage/manifests.ts';
import type { Store } from '../storage/store.ts';
import { filesOf, type Content, type Days } from './days.ts';
import type { Draft } from './draft.ts';
import { MAIN, type TableSnapshot } from './metadata.ts';
import { readSnapshotFiles, type TableFolder } from './read-snapshot.ts';

/** Makes a table have a tagged snapshot for each published day, and the newest one as its head. */
export async function followDays(draft: Draft, days: Days, table: TableFolder): Promise<void> {
  await new DayTags(draft, days, table).follow();
}

/** A table's property, for each day whose tag is not of its first revision. */
const REVISION = 'longhaul.revision.';

const DAY_TAG = /^\d{4}-\d{2}-\d{2}$/;

const replacedTag = ({ ingestDate, revision }: SnapshotRef): string => `${ingestDate}.r${revision}`;

class DayTags {
  readonly #draft: Draft;
  readonly #days: Days;
  readonly #folder: TableFolder;
  readonly #converted: Store;

  constructor(draft: Draft, days: Days, folder: TableFolder) {
    this.#draft = draft;
    this.#days = days;
    this.#folder = folder;
    this.#converted = folder.converted;
  }

  async follow(): Promise<void> {
    const changed = await this.#changedDates();
    this.#dropTags();
    for (const date of this.#days.dates) {
      await this.#keepReplaced(date);
      if (changed.has(date)) await this.#tagDay(date);
    }
    this.#draft.setHead(this.#draft.tagged(this.#days.newest()));
  }

  /** Days whose newest revision is another than the table's, and the later ones that have a source from them. */
  async #changedDates(): Promise<Set<string>> {
    const tagged = Object.keys(this.#draft.table.refs).filter((name) => DAY_TAG.test(name));
    const own = [...new Set([...tagged, ...this.#days.dates])].filter(
      (date) => this.#revision(date) !== this.#days.get(date)?.current.revision,
    );
    const changed = new Set(own);
    for (const date of own) {
      const sources = new Set(await this.#taggedSources(date));
      const day = this.#days.get(date);
      if (day) {
        const manifest = await readSnapshot(this.#converted, day.current);
        for (const { id, status } of manifest.sources) if (status !== 'missing') sources.add(id);
      }
      for (const later of await this.#days.dependents(date, sources)) changed.add(later);
    }
    return changed;
  }

  /** The revision that the day's tag is of. */
  #revision(date: string): number | undefined {
    const { refs, properties } = this.#draft.table;
    return refs[date] ? Number(properties[REVISION + date] ?? 1) : undefined;
  }

  async #taggedSources(date: string): Promise<string[]> {
    const snapshot = this.#draft.tagged(date);
    if (!snapshot) return [];
    const { entries } = await readSnapshotFiles(this.#folder, snapshot);
    return entries.flatMap(({ data_file: file }) => file.partition.source ?? []);
  }

  /** Of days and revisions that are not published any more. */
  #dropTags(): void {
    const { refs, properties } = this.#draft.table;
    for (const name of Object.keys(refs)) {
      const date = name.slice(0, 'YYYY-MM-DD'.length);
      const day = this.#days.get(date);
      const isKept =
        day && (name === date || day.replaced.some((ref) => replacedTag(ref) === name));
      // A tag of the day that is about to become one of a replaced revision stays until then.
      if (isKept || name === MAIN) continue;
      delete refs[name];
      if (name === date) delete properties[REVISION + date];
      this.#draft.isChanged = true;
    }
  }

  /** Each revision that another one has replaced has a tag of its own. */
  async #keepReplaced(date: string): Promise<void> {
    for (const ref of this.#days.get(date)?.replaced ?? []) {
      if (this.#draft.table.refs[replacedTag(ref)]) continue;
      const known = this.#revision(date) === ref.revision ? this.#draft.tagged(date) : undefined;
      this.#draft.setTag(replacedTag(ref), known ?? (await this.#snapshotOf(ref)));
    }
  }

  async #tagDay(date: string): Promise<void> {
    const ref = this.#days.get(date)?.current;
    if (!ref) return;
    this.#draft.setTag(date, await this.#snapshotOf(ref));
    const { properties } = this.#draft.table;
    if (ref.revision === 1) delete properties[REVISION + date];
    else properties[REVISION + date] = String(ref.revision);
  }

  /** A day on which nothing has changed is the snapshot of the day before. */
  async #snapshotOf(ref: SnapshotRef): Promise<TableSnapshot> {
    const content = await this.#days.content(ref);
    return this.#draft.withContent(content.hash) ?? (await this.#addSnapshot(ref, content));
  }

  async #addSnapshot(
    ref: SnapshotRef,
    { manifest, sources, hash }: Content,
  ): Promise<TableSnapshot> {
    const { runId, publishedAt, ledger } = manifest;
    return await this.#draft.addSnapshot({
      schema: this.#draft.evolved(sources.map(({ entry }) => entry.schema.columns)),
      files: filesOf(sources),
      parent: this.#parentOf(ref),
      content: hash,
      summary: {
        'longhaul.snapshot': `${ref.dataset}/${ref.ingestDate}/r${ref.revision}`,
        'longhaul.run': runId,
        'longhaul.published-at': publishedAt,
        'longhaul.ledger': `${ledger.records} records = ${ledger.rows} rows + ${ledger.rejected} rejected`,
      },
    });
  }

  /** What the new snapshot's files are compared with: the head, where the day becomes it; else the day before it. */
  #parentOf({ ingestDate }: SnapshotRef): TableSnapshot | undefined {
    const newest = this.#days.newest();
    const isHead = newest !== undefined && ingestDate >= newest;
    return (
      (isHead ? this.#draft.head : undefined) ?? this.#draft.tagged(this.#days.before(ingestDate))
    );
  }
}
