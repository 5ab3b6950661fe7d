import type { ColumnType } from '../../src/model/schema.ts';
import { sorted, type ReadTable, type Row } from '../helpers/table-readers.ts';
import type { Kind, Publication, PublishedFile } from './plans.ts';

/** A source's file, and the day on which it was published first. */
interface Version {
  day: string;
  file: PublishedFile;
}

type Sources = Map<string, Version | 'missing'>;

interface Tagged {
  /** The versions that it is of. */
  versions: ReadonlyMap<string, Version>;
  table: ReadTable;
}

/**
 * What a dataset's table has to be, by what was published and the product's documents alone: a snapshot for each day,
 * of the latest version of each source that the day lists; types that hold whatever the column ever held.
 */
export class TableModel {
  /** Tag → table. */
  #tags = new Map<string, Tagged>();
  readonly #days = new Map<string, { revision: number; sources: Sources }>();
  readonly #types = new Map<string, Held>();

  get tags(): [string, ReadTable][] {
    return [...this.#tags].map(([tag, { table }]) => [tag, table]);
  }

  get head(): ReadTable {
    const newest = [...this.#days.keys()].toSorted().at(-1) ?? '';
    const tagged = this.#tags.get(newest);
    if (!tagged) throw new Error('Nothing was published.');
    return tagged.table;
  }

  revisionOf(day: string): number {
    return this.#days.get(day)?.revision ?? 0;
  }

  /** What a source was in the publication before this one. */
  previous(day: string, id: string): Version | undefined {
    const last = [...this.#days.keys()].toSorted().findLast((each) => each <= day);
    const version = last === undefined ? undefined : this.#days.get(last)?.sources.get(id);
    return version === 'missing' ? undefined : version;
  }

  publish({ day }: Pick<Publication, 'day'>, sources: Sources): void {
    const revision = this.revisionOf(day);
    const tags = new Map(this.#tags);
    const former = tags.get(day);
    if (former) tags.set(`${day}.r${revision}`, former);
    this.#days.set(day, { revision: revision + 1, sources });
    const known = [...this.#tags.values()];
    for (const each of [...this.#days.keys()].toSorted()) {
      const versions = this.#versionsOf(each);
      const same = known.find((tagged) => isSame(tagged.versions, versions));
      const tagged = same ?? { versions, table: this.#tableOf(versions) };
      if (!same) known.push(tagged);
      tags.set(each, tagged);
    }
    this.#tags = tags;
  }

  /** Of a source that is missing on the day, the last one before it. */
  #versionsOf(day: string): Map<string, Version> {
    const versions = new Map<string, Version>();
    const days = [...this.#days.keys()].toSorted().filter((each) => each <= day);
    for (const id of this.#days.get(day)?.sources.keys() ?? []) {
      const held = days.map((each) => this.#days.get(each)?.sources.get(id));
      const latest = held.flatMap((each) => (each && each !== 'missing' ? [each] : [])).at(-1);
      if (latest) versions.set(id, latest);
    }
    return versions;
  }

  #tableOf(versions: ReadonlyMap<string, Version>): ReadTable {
    const kinds = new Map<string, (Kind | undefined)[]>();
    for (const { file } of versions.values()) {
      for (const { name, kind } of file.columns)
        kinds.set(name, [...(kinds.get(name) ?? []), kind]);
    }
    const own = [...kinds].map(([name, all]) => {
      const filled = all.flatMap((kind) => (kind === undefined ? [] : heldBy(kind)));
      const held = [...filled, this.#types.get(name) ?? []]
        .flat()
        .reduce<Held | undefined>(widest, undefined);
      if (held) this.#types.set(name, { type: held.type });
      return { name, type: held?.type ?? 'VARCHAR' };
    });
    const columns = [...own, ...PARTITION_COLUMNS];
    const rows = [...versions].flatMap(([id, { day, file }]) =>
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

/** The order of columns is nobody's promise. */
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
  /** Integers of which DOUBLE does not have every digit. */
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
