import { randomUUID } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import pMap from 'p-map';
import type { DuckDbSettings } from '../config/settings.ts';
import { writtenFolder } from '../conversion/convert-source.ts';
import { runDuckDb } from '../conversion/duckdb/engine.ts';
import { settingsForWidth, settingStatements } from '../conversion/duckdb/plan.ts';
import { DUCKDB_SQL, castSql } from '../lake/views.ts';
import { LonghaulError } from '../model/errors.ts';
import { partialPartKey } from '../model/layout.ts';
import type { ParquetPart } from '../model/manifest.ts';
import { quoteIdentifier, quoteLiteral } from '../model/names.ts';
import type { Column } from '../model/schema.ts';
import { locateHttpfs } from '../programs/httpfs.ts';
import { keepingReserve } from '../storage/free-space.ts';
import type { Store } from '../storage/store.ts';
import { temporaryPath } from '../storage/temporary-folder.ts';
import { readFooter } from '../verification/footers.ts';
import { dataFileOf, fits } from './data-file.ts';
import { contentHash } from './days.ts';
import type { DataFile, ManifestEntry } from './manifest-files.ts';
import { tableFileKey } from './metadata.ts';
import { columnTypeOf, type IcebergField } from './table-schema.ts';

/** Footers that the worker reads at once. It casts one file at a time: see `inTurn`. */
const FILES_AT_ONCE = 8;

/** A Parquet file that a snapshot has to have. */
export interface WantedFile {
  part: ParquetPart;
  /** Columns as they are in the file. */
  columns: readonly Column[];
  partition: DataFile['partition'];
}

export interface CastOptions {
  converted: Store;
  duckdb: DuckDbSettings;
  signal: AbortSignal;
}

export interface MemberOptions extends CastOptions {
  /** The folder of the table that holds the copies. */
  copiesPrefix: string;
  files: readonly WantedFile[];
  /** Columns of the snapshot. */
  fields: readonly IcebergField[];
  /** Entries of the parent, and its columns. */
  before: { entries: readonly ManifestEntry[]; fields: readonly IcebergField[] };
  /** Entries of another table, whose copies are used here too. */
  shared: readonly ManifestEntry[];
  /** Takes the keys of the files that the parent does not have. */
  keepPrivate: (keys: readonly string[]) => Promise<void>;
}

/** A file of a snapshot: carried over from its parent, or new in it. */
export interface Member {
  file: DataFile;
  carried: ManifestEntry | undefined;
}

/** @throws LonghaulError LAKE_CORRUPT, ENGINE_…, STORE_…. */
export async function membersOf(options: MemberOptions): Promise<Member[]> {
  const { before, fields, files, keepPrivate } = options;
  const types = new Map(before.fields.map(({ name, type }) => [name, type]));
  const widened = fields.filter(({ name, type }) => types.get(name) !== type);
  const known: Known = {
    own: byPath(before.entries),
    shared: byPath(options.shared),
    widened: new Set(widened.map(({ name }) => name)),
  };
  const found = files.map((file) => ({ file, carried: carriedMember(options, known, file) }));
  await keepPrivate(found.flatMap(({ file, carried }) => (carried ? [] : [file.part.key])));
  const memberOf = async ({ file, carried }: (typeof found)[number]): Promise<Member> =>
    carried ?? (await newMember(options, known, file));
  return await pMap(found, memberOf, { concurrency: FILES_AT_ONCE });
}

interface Known {
  /** Entries of the parent by their paths, and by the start of their paths: see `castPrefix`. */
  own: ReadonlyMap<string, ManifestEntry>;
  shared: ReadonlyMap<string, ManifestEntry>;
  /** Names of columns whose type differs from the parent's. */
  widened: ReadonlySet<string>;
}

function byPath(entries: readonly ManifestEntry[]): Map<string, ManifestEntry> {
  const startOf = (path: string): string => path.slice(0, path.lastIndexOf('-') + 1);
  const paths = entries.map((entry) => [entry.data_file.file_path, entry] as const);
  return new Map(
    paths.flatMap(([path, entry]) => [[path, entry] as const, [startOf(path), entry]]),
  );
}

/** The parent's entry of the part itself, or of its copy in the table's types. */
function carriedMember(
  { converted, copiesPrefix, fields }: MemberOptions,
  { own, widened }: Known,
  { part, columns, partition }: WantedFile,
): Member | undefined {
  const isChanged = columns.some(({ name }) => widened.has(name));
  const asIs = isChanged ? undefined : own.get(converted.uri(part.key));
  const copied = own.get(converted.uri(castPrefix(copiesPrefix, { part, columns, fields })));
  const isSame = ({ data_file: { partition: before } }: ManifestEntry): boolean =>
    before.source === partition.source && before.ingest_date === partition.ingest_date;
  const carried = [asIs, copied].find((entry) => entry && isSame(entry));
  return carried && { file: carried.data_file, carried };
}

/** The part itself. If its columns do not have the table's types, a copy that has them. */
async function newMember(
  options: MemberOptions,
  { own, shared }: Known,
  { part, columns, partition }: WantedFile,
): Promise<Member> {
  const { converted, copiesPrefix, fields } = options;
  const path = converted.uri(part.key);
  const asIs = await readPart(converted, part.key, part.rows);
  if (fits(asIs.footer, fields)) {
    return { file: dataFileOf(path, asIs, partition, fields), carried: own.get(path) };
  }
  const cast = { part, columns, fields };
  const start = converted.uri(castPrefix(copiesPrefix, cast));
  const copied = own.get(start);
  const there = copied ?? shared.get(start);
  const key = there
    ? tableFileKey(copiesPrefix, 'data', there.data_file.file_path)
    : await castPart(copiesPrefix, cast, options);
  const copy = await readPart(converted, key, part.rows);
  return { file: dataFileOf(converted.uri(key), copy, partition, fields), carried: copied };
}

async function readPart(converted: Store, key: string, rows: number) {
  const file = await readFooter(converted, key);
  if (file.rows === rows) return file;
  const what = `${converted.uri(key)} has ${file.rows} rows, and should have ${rows}.`;
  throw new LonghaulError('LAKE_CORRUPT', what);
}

/** A Parquet file of a source, and the columns that it must have in the table. */
interface Cast {
  part: ParquetPart;
  /** Columns as they are in the file. */
  columns: readonly Column[];
  fields: readonly IcebergField[];
}

/**
 * The start of the keys of all copies that `castPart` makes of a file for these types. A later day finds the copy by it
 * and uses the copy again.
 * @param prefix the table's folder.
 */
function castPrefix(prefix: string, { part, columns, fields }: Cast): string {
  const types = targets(columns, fields).map(({ column, field }) => [column.name, field?.type]);
  return `${prefix}data/${contentHash([part.key, types])}-`;
}

/**
 * Writes a copy of a file with its values in the types of the table's columns, exactly as the views cast them. It
 * throws if the copy lacks a row.
 * @returns the copy's key.
 * @throws LonghaulError ENGINE_…, STORE_…, DISK_FULL; the signal's reason.
 */
async function castPart(prefix: string, cast: Cast, options: CastOptions): Promise<string> {
  const { converted, duckdb, signal } = options;
  const key = `${castPrefix(prefix, cast)}${randomUUID().slice(0, 8)}.parquet`;
  const location = converted.location(key);
  const target = location.kind === 'disk' ? converted.uri(partialPartKey(key)) : converted.uri(key);
  const forWidth = settingsForWidth(cast.columns.length, duckdb);
  const spillFolder = await temporaryPath();
  try {
    if (location.kind === 'disk') await mkdir(dirname(target), { recursive: true });
    const job = {
      settings: settingStatements(forWidth, spillFolder),
      ...(location.kind === 's3' && {
        s3: {
          settings: location.settings,
          httpfsPath: await locateHttpfs({ given: duckdb.httpfs, signal }),
          scratchFolder: spillFolder,
        },
      }),
      copy: copySql(converted.uri(cast.part.key), target, cast, forWidth),
      records: cast.part.rows,
      inputBytes: cast.part.bytes,
    };
    await inTurn(async () =>
      keepingReserve(writtenFolder(converted), signal, async (stopped) =>
        runDuckDb(job, stopped, () => undefined),
      ),
    );
    if (location.kind === 'disk') await converted.putFile(key, target);
    return key;
  } finally {
    await rm(spillFolder, { recursive: true, force: true });
    if (location.kind === 'disk') await rm(target, { force: true });
  }
}

let lastCast: Promise<unknown> = Promise.resolve();

/** One cast at a time in this process: each may use all of DuckDB's memory, while the worker converts other sources. */
async function inTurn(work: () => Promise<void>): Promise<void> {
  const turn = lastCast.then(work);
  lastCast = turn.catch(() => undefined);
  await turn;
}

function copySql(
  from: string,
  to: string,
  { columns, fields }: Cast,
  { rowsAGroup }: { rowsAGroup: number },
): string {
  const values = targets(columns, fields).map(({ column, field }) => {
    const name = quoteIdentifier(column.name);
    const type = field ? columnTypeOf(field) : column.type;
    const value = column.empty
      ? `CAST(NULL AS ${type})`
      : castSql(`part.${name}`, column, type, DUCKDB_SQL);
    return `${value} AS ${name}`;
  });
  const source = `read_parquet(${quoteLiteral(from)}, hive_partitioning = false)`;
  return `COPY (SELECT ${values.join(', ')} FROM ${source} AS part) TO ${quoteLiteral(to)} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE ${rowsAGroup})`;
}

function targets(
  columns: readonly Column[],
  fields: readonly IcebergField[],
): { column: Column; field: IcebergField | undefined }[] {
  return columns.map((column) => ({
    column,
    field: fields.find(({ name }) => name === column.name),
  }));
}
