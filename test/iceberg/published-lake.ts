import { unpublish } from '../../src/lake/unpublish.ts';
import { snapshotManifestKey, sourcePrefix } from '../../src/model/layout.ts';
import type { SourceEntry } from '../../src/model/manifest.ts';
import { DiskStore } from '../../src/storage/disk-store.ts';
import { toJson } from '../../src/storage/manifests.ts';
import type { Store } from '../../src/storage/store.ts';
import { readFooter } from '../../src/verification/footers.ts';
import { converted, inProcessDuckDb, landed } from '../conversion/samples.ts';
import { entryOf, snapshotOf } from '../helpers/manifests.ts';
import { withTempFolder } from '../helpers/temp-folder.ts';
import { publishedFile, type PlannedSource, type DayEvent } from './plans.ts';
import { TableModel } from './table-model.ts';

/** Publishes a dataset as a run does: the product's own conversion writes real Parquet files and manifests. */
export class PublishedLake {
  readonly model = new TableModel();
  readonly #store: Store;
  readonly #dataset: string;
  /** Entries of the sources' files, by the object that the model knows each file by. */
  readonly #entries = new Map<object, SourceEntry>();

  constructor(store: Store, dataset: string) {
    this.#store = store;
    this.#dataset = dataset;
  }

  /** Publishes or withdraws the day. A withdrawal does nothing if the day is not published. */
  async publish({ day, sources: planned }: DayEvent): Promise<void> {
    if (planned === 'withdrawn') {
      if (!this.model.withdraw(day)) return;
      const how = { reason: 'wrong', by: 'a test', withLater: true };
      const lake = { raw: this.#store, converted: this.#store };
      await unpublish(lake, { dataset: this.#dataset, ingestDate: day, ...how });
      return;
    }
    const revision = this.model.revisionOf(day) + 1;
    const at = { dataset: this.#dataset, ingestDate: day, revision };
    const entries: SourceEntry[] = [];
    const versions: Parameters<TableModel['publish']>[1] = new Map();
    for (const source of planned) {
      const { id, state } = source;
      const previous = this.model.previous(day, id);
      if (state === 'missing') {
        versions.set(id, 'missing');
        entries.push(entryOf({ id, status: 'missing' }));
      } else if (state === 'unchanged' && previous) {
        versions.set(id, previous);
        entries.push({ ...this.#entryOf(previous), status: 'unchanged' });
      } else {
        const version = { day, revision, file: publishedFile(source) };
        versions.set(id, version);
        const entry = await this.#convert(sourcePrefix({ ...at, source: id }), source, version);
        entries.push(entry);
      }
    }
    const manifest = snapshotOf({ ...at, sources: entries });
    const key = snapshotManifestKey({ dataset: this.#dataset, ingestDate: day, revision });
    await this.#store.putIfAbsent(key, toJson(manifest));
    this.model.publish(day, versions);
  }

  #entryOf(version: object): SourceEntry {
    const entry = this.#entries.get(version);
    if (!entry) throw new Error('No such version was published.');
    return entry;
  }

  async #convert(
    prefix: string,
    { id }: PlannedSource,
    version: { file: { csv: string; rows: unknown[] } },
  ): Promise<SourceEntry> {
    return await withTempFolder(async (folder) => {
      const scratch = new DiskStore(folder);
      const made = await converted(inProcessDuckDb(), await landed(scratch, version.file.csv));
      const parquet = await Promise.all(
        made.parts.map(async (name) => {
          const body = (await scratch.get(made.prefix + name)) ?? Buffer.alloc(0);
          await this.#store.put(prefix + name, body);
          const { rows, bytes } = await readFooter(scratch, made.prefix + name);
          return { key: prefix + name, rows, bytes, checksum: '' };
        }),
      );
      const rows = version.file.rows.length;
      const rawKey = `${prefix}a.csv`;
      const entry = entryOf({ id, rawKey, schema: made.schema, parquet, rows, records: rows });
      this.#entries.set(version, entry);
      return entry;
    });
  }
}
