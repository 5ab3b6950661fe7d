import pMap from 'p-map';
import { LonghaulError } from '../model/errors.ts';
import type { ParquetPart } from '../model/manifest.ts';
import type { Column } from '../model/schema.ts';
import type { Store } from '../storage/store.ts';
import { readFooter } from '../verification/footers.ts';
import { castPart, castPrefix, type CastOptions } from './cast.ts';
import { dataFileOf, fits } from './data-file.ts';
import type { DataFile, ManifestEntry } from './manifest-files.ts';
import { tableFileKey } from './read-snapshot.ts';
import type { IcebergField } from './table-schema.ts';

/** Footers read, or files cast, at once. */
const FILES_AT_ONCE = 8;

/** A Parquet file that a snapshot has to have. */
export interface WantedFile {
  part: ParquetPart;
  /** As the file has them. */
  columns: readonly Column[];
  partition: DataFile['partition'];
}

export interface MemberOptions extends CastOptions {
  /** The folder of the table that holds the copies. */
  copiesPrefix: string;
  files: readonly WantedFile[];
  /** Of the snapshot. */
  fields: readonly IcebergField[];
  /** What the parent has, and the columns by which it has it. */
  before: { entries: readonly ManifestEntry[]; fields: readonly IcebergField[] };
  /** Of another table, whose copies serve here too. */
  shared: readonly ManifestEntry[];
}

/** A file that a snapshot has: carried over from its parent, or new in it. */
export interface Member {
  file: DataFile;
  carried: ManifestEntry | undefined;
}

/** @throws LonghaulError LAKE_CORRUPT, ENGINE_…, STORE_…. */
export async function membersOf(options: MemberOptions): Promise<Member[]> {
  const { before, shared, fields, files } = options;
  const known: Known = {
    paths: new Map(before.entries.map((entry) => [entry.data_file.file_path, entry])),
    copies: byStart(before.entries),
    shared: byStart(shared),
    widened: widened(before.fields, fields),
  };
  const find = async (file: WantedFile): Promise<Member> => await memberOf(options, known, file);
  return await pMap(files, find, { concurrency: FILES_AT_ONCE });
}

interface Known {
  paths: ReadonlyMap<string, ManifestEntry>;
  /** By what `castPrefix` says. */
  copies: ReadonlyMap<string, ManifestEntry>;
  shared: ReadonlyMap<string, ManifestEntry>;
  /** The names of columns whose type is another one than the parent's. */
  widened: ReadonlySet<string>;
}

function byStart(entries: readonly ManifestEntry[]): Map<string, ManifestEntry> {
  return new Map(entries.map((entry) => [entry.data_file.file_path.replace(/[^-]*$/, ''), entry]));
}

function widened(before: readonly IcebergField[], now: readonly IcebergField[]): Set<string> {
  const types = new Map(before.map(({ name, type }) => [name, type]));
  const others = now.filter(({ name, type }) => types.get(name) !== type);
  return new Set(others.map(({ name }) => name));
}

/** The part itself; where its columns are not of the table's types, a copy that has them. */
async function memberOf(
  options: MemberOptions,
  known: Known,
  { part, columns, partition }: WantedFile,
): Promise<Member> {
  const { converted, copiesPrefix, fields } = options;
  const isSame = ({ data_file: file }: ManifestEntry): boolean =>
    file.partition.source === partition.source &&
    file.partition.ingest_date === partition.ingest_date;
  const path = converted.uri(part.key);
  const own = known.paths.get(path);
  if (own && isSame(own) && !columns.some(({ name }) => known.widened.has(name))) {
    return { file: own.data_file, carried: own };
  }
  const cast = { part, columns, fields };
  const copies = converted.uri(castPrefix(copiesPrefix, cast));
  const copied = known.copies.get(copies);
  if (copied && isSame(copied)) return { file: copied.data_file, carried: copied };
  const asIs = await readPart(converted, part.key, part.rows);
  if (fits(asIs.footer, fields)) {
    return { file: dataFileOf(path, asIs, partition, fields), carried: own };
  }
  const there = copied ?? known.shared.get(copies);
  const key = there
    ? tableFileKey(copiesPrefix, 'data', there.data_file.file_path)
    : await castPart(copiesPrefix, cast, options);
  const copy = await readPart(converted, key, part.rows);
  return { file: dataFileOf(converted.uri(key), copy, partition, fields), carried: copied };
}

async function readPart(converted: Store, key: string, rows: number) {
  const file = await readFooter(converted, key);
  if (Number(file.footer.num_rows) === rows) return file;
  const what = `${converted.uri(key)} has ${Number(file.footer.num_rows)} rows, and should have ${rows}.`;
  throw new LonghaulError('LAKE_CORRUPT', what);
}
