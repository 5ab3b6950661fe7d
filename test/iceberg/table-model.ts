import type { ColumnType } from '../../src/model/schema.ts';
import { sorted, type ReadTable, type Row } from '../helpers/table-readers.ts';
import type { Kind, PublishedFile } from './plans.ts';

/** A version of a source's file, with the day and the revision that published it first. */
interface Version {
  day: string;
  revision: number;
  file: PublishedFile;
}

type Sources = Map<string, Version | 'missing'>;

/** A version with the date that its rows show. */
interface DatedVersion {
  id: string;
  day: string;
  file: PublishedFile;
}

/** The history of a dataset: its versions and its days. */
export interface HistoryModel {
  versions: ReadTable;
  days: ReadTable;
  /** Rows of each version for each day that consists of it. */
  joined: ReadTable;
}

interface Tagged {
  /** Versions that the tag consists of, by source. */
  versions: ReadonlyMap<string, Version>;
  table: ReadTable;
}

/**
 * The table that a dataset must have, computed only from the publications and the product's documents. It has a
 * snapshot for each day, with the latest version of each source that the day lists. Its types hold all values that the
 * column ever had.
 */
export class TableModel {
  /** Tag → table. */
  readonly #tags = new Map<string, Tagged>();
  /** Day → the sources of each of its revisions, the oldest first. A withdrawn revision is undefined. */
  readonly #days = new Map<string, (Sources | undefined)[]>();
  readonly #types = new Map<string, Held>();
  readonly #historyTypes = new Map<string, Held>();
  /** Undefined if nothing is published any more. */
  history: HistoryModel | undefined;

  get tags(): [string, ReadTable][] {
    return [...this.#tags].map(([tag, { table }]) => [tag, table]);
  }

  /** Undefined if nothing is published any more. */
  get head(): ReadTable | undefined {
    const newest = this.#upTo('9999').at(-1)?.day ?? '';
    return this.#tags.get(newest)?.table;
  }

  revisionOf(day: string): number {
    return this.#days.get(day)?.length ?? 0;
  }

  /** The version of a source in the last publication up to this day. Undefined if the source is missing there. */
  previous(day: string, id: string): Version | undefined {
    const last = this.#upTo(day).at(-1);
    const version = last?.sources.get(id);
    return version === 'missing' ? undefined : version;
  }

  publish(day: string, sources: Sources): void {
    const revisions = this.#days.get(day) ?? [];
    const former = this.#tags.get(day);
    const replaced = revisions.findLastIndex((each) => each !== undefined) + 1;
    if (former) this.#tags.set(`${day}.r${replaced}`, former);
    this.#days.set(day, [...revisions, sources]);
    this.#tag();
  }

  /** Withdraws a day's newest revision, and all that carry its versions. @returns false if none is published. */
  withdraw(day: string): boolean {
    const revisions = this.#days.get(day) ?? [];
    const newest = revisions.findLastIndex((sources) => sources !== undefined);
    if (newest === -1) return false;
    const gone = new Set([`${day}.r${newest + 1}`]);
    for (const [each, all] of [...this.#days].toSorted(byDay)) {
      for (const [index, sources] of all.entries()) {
        const name = `${each}.r${index + 1}`;
        const versions = [...(sources?.values() ?? [])].filter((version) => version !== 'missing');
        const isCarrier = versions.some((version) =>
          gone.has(`${version.day}.r${version.revision}`),
        );
        if (sources && (isCarrier || gone.has(name))) {
          gone.add(name);
          all[index] = undefined;
        }
      }
    }
    this.#tag();
    return true;
  }

  /** Makes the table again as if all days had been published in order. */
  rebuild(): void {
    this.#tags.clear();
    this.#types.clear();
    this.#historyTypes.clear();
    this.#tag();
  }

  #tag(): void {
    this.#tagDays();
    this.history = this.#historyOf();
  }

  /** The history of the newest revisions. A version has the date of the first of them that lists it. */
  #historyOf(): HistoryModel | undefined {
    const all = this.#upTo('9999').flatMap(({ day, sources }) =>
      [...sources].flatMap(([id, version]) =>
        version === 'missing' ? [] : [{ id, day, version, file: version.file }],
      ),
    );
    if (this.#upTo('9999').length === 0) return undefined;
    const firstDay = ({ version }: (typeof all)[number]): string =>
      all.find((each) => each.version === version)?.day ?? '';
    const versions = all.filter((each) => each.day === firstDay(each));
    return {
      versions: this.#tableOf(versions, this.#historyTypes),
      days: byName({
        columns: [
          { name: 'day', type: 'DATE' },
          { name: 'source', type: 'VARCHAR' },
          { name: 'version_date', type: 'DATE' },
        ],
        rows: all.map((each) => [each.day, each.id, firstDay(each)]),
      }),
      joined: this.#tableOf(all, this.#historyTypes),
    };
  }

  /** Tags each published revision. A replaced revision keeps its table, even if more is published later. */
  #tagDays(): void {
    const known = [...this.#tags.values()];
    const before = new Map(this.#tags);
    this.#tags.clear();
    for (const [day, revisions] of [...this.#days].toSorted(byDay)) {
      const newest = revisions.findLastIndex((each) => each !== undefined);
      for (const [index, sources] of revisions.entries()) {
        if (!sources) continue;
        const tag = index === newest ? day : `${day}.r${index + 1}`;
        const kept = index === newest ? undefined : before.get(tag);
        if (kept) {
          this.#tags.set(tag, kept);
          continue;
        }
        const versions = this.#versionsOf(day, sources);
        const same = known.find((tagged) => isSame(tagged.versions, versions));
        const dated = [...versions].map(([id, version]) => ({ ...version, id }));
        const tagged = same ?? { versions, table: this.#tableOf(dated, this.#types) };
        if (!same) known.push(tagged);
        this.#tags.set(tag, tagged);
      }
    }
  }

  /** Versions that the day shows. A source that is missing on the day has its last version before it. */
  #versionsOf(day: string, sources: Sources): Map<string, Version> {
    const versions = new Map<string, Version>();
    const earlier = this.#upTo(day).filter((each) => each.day < day);
    for (const [id, own] of sources) {
      const held = [...earlier.map((each) => each.sources.get(id)), own];
      const latest = held.flatMap((each) => (each && each !== 'missing' ? [each] : [])).at(-1);
      if (latest) versions.set(id, latest);
    }
    return versions;
  }

  /** The newest revisions of the days up to this one, the oldest first. */
  #upTo(day: string): { day: string; sources: Sources }[] {
    return [...this.#days].toSorted(byDay).flatMap(([each, revisions]) => {
      const sources = revisions.findLast((every) => every !== undefined);
      return sources && each <= day ? [{ day: each, sources }] : [];
    });
  }

  #tableOf(versions: readonly DatedVersion[], types: Map<string, Held>): ReadTable {
    const kinds = new Map<string, (Kind | undefined)[]>();
    for (const { file } of versions) {
      for (const { name, kind } of file.columns)
        kinds.set(name, [...(kinds.get(name) ?? []), kind]);
    }
    const own = [...kinds].map(([name, all]) => {
      const filled = all.flatMap((kind) => (kind === undefined ? [] : heldBy(kind)));
      const held = [...filled, types.get(name) ?? []]
        .flat()
        .reduce<Held | undefined>(widest, undefined);
      if (held) types.set(name, { type: held.type });
      return { name, type: held?.type ?? 'VARCHAR' };
    });
    const columns = [...own, ...PARTITION_COLUMNS];
    const rows = versions.flatMap(({ id, day, file }) =>
      file.rows.map((row): Row => [
        ...own.map(({ name, type }) => {
          const at = file.columns.findIndex((each) => each.name === name);
          return neutral(row[at] ?? null, file.columns[at]?.kind, type);
        }),
        id,
        day,
      ]),
    );
    return byName({ columns, rows });
  }
}

const PARTITION_COLUMNS = [
  { name: 'source', type: 'VARCHAR' },
  { name: 'ingest_date', type: 'DATE' },
] as const;

function byDay([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1;
}

/** Sorts columns by name, because no document promises their order. */
export function byName({ columns, rows }: ReadTable): ReadTable {
  const order = columns
    .map(({ name }, index) => ({ name, index }))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ index }) => index);
  const inOrder = <T>(all: readonly T[]): T[] => order.map((index) => all[index] as T);
  return { columns: inOrder(columns), rows: sorted(rows.map(inOrder)) };
}

function isSame(a: ReadonlyMap<string, Version>, b: ReadonlyMap<string, Version>): boolean {
  return a.size === b.size && [...a].every(([id, version]) => b.get(id) === version);
}

interface Held {
  type: ColumnType;
  /** Some integers have more digits than DOUBLE can hold. */
  long?: boolean;
}

function heldBy(kind: Kind): Held {
  if (kind === 'LONG') return { type: 'BIGINT', long: true };
  if (kind === 'US_DATE') return { type: 'DATE' };
  return { type: kind === 'TEXT' ? 'VARCHAR' : kind };
}

function widest(a: Held | undefined, b: Held): Held {
  if (!a) return b;
  const long = a.long === true || b.long === true;
  if (a.type === b.type) return { type: a.type, long };
  const both = new Set([a.type, b.type]);
  if (both.has('BIGINT') && both.has('DOUBLE') && !long) return { type: 'DOUBLE' };
  if (both.has('DATE') && both.has('TIMESTAMP')) return { type: 'TIMESTAMP' };
  return { type: 'VARCHAR' };
}

function neutral(
  text: string | null,
  kind: Kind | undefined,
  type: ColumnType,
): string | number | null {
  if (text === null || type === 'VARCHAR') return text;
  if (type === 'DOUBLE') return Number(text);
  if (type === 'BIGINT') return text;
  const iso = kind === 'US_DATE' ? text.replace(/^(..)\/(..)\/(....)$/, '$3-$1-$2') : text;
  if (type === 'DATE') return iso;
  if (kind !== 'TIMESTAMP') return `${iso} 00:00:00.000000`;
  const [moment = '', fraction = ''] = iso.split('.');
  return `${moment}.${fraction.padEnd(6, '0')}`;
}
