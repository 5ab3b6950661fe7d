import { createHash, randomUUID } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { DuckDbSettings } from '../config/settings.ts';
import { writtenFolder } from '../conversion/convert-source.ts';
import { runInChild } from '../conversion/duckdb/child-process.ts';
import { settingStatements } from '../conversion/duckdb/plan.ts';
import { settingsForWidth } from '../conversion/duckdb/width.ts';
import { DUCKDB_SQL } from '../lake/duckdb-sql.ts';
import { castSql } from '../lake/views.ts';
import { partialPartKey } from '../model/layout.ts';
import type { ParquetPart } from '../model/manifest.ts';
import { quoteIdentifier, quoteLiteral } from '../model/names.ts';
import type { Column } from '../model/schema.ts';
import { locateHttpfs } from '../programs/httpfs.ts';
import { keepingReserve } from '../storage/free-space.ts';
import type { Store } from '../storage/store.ts';
import { temporaryPath } from '../storage/temporary-folder.ts';
import { columnTypeOf, type IcebergField } from './table-schema.ts';

export interface CastOptions {
  converted: Store;
  duckdb: DuckDbSettings;
  signal: AbortSignal;
}

/** A Parquet file of a source, and the columns of the table that it has to have. */
export interface Cast {
  part: ParquetPart;
  /** As the file has them. */
  columns: readonly Column[];
  fields: readonly IcebergField[];
}

/**
 * What the keys of all copies start with which `castPart` makes of a file for these types: the copy of an earlier day
 * serves again.
 * @param prefix the table's folder.
 */
export function castPrefix(prefix: string, { part, columns, fields }: Cast): string {
  const types = targets(columns, fields).map(({ column, field }) => [column.name, field?.type]);
  const hash = createHash('sha256')
    .update(JSON.stringify([part.key, types]))
    .digest('hex');
  return `${prefix}data/${hash.slice(0, HASH_DIGITS)}-`;
}

/** Of 64: two copies of one table never meet by chance. */
const HASH_DIGITS = 32;

/**
 * Writes a file once more, with its values in the types of the table's columns, exactly as the views cast them; every
 * row is there, or it throws.
 * @returns the copy's key.
 * @throws LonghaulError ENGINE_…, STORE_…, DISK_FULL; the signal's reason.
 */
export async function castPart(prefix: string, cast: Cast, options: CastOptions): Promise<string> {
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
      ...(location.kind === 's3'
        ? {
            s3: {
              settings: location.settings,
              httpfsPath: await locateHttpfs({ given: duckdb.httpfs, signal }),
              scratchFolder: spillFolder,
            },
          }
        : {}),
      copy: copySql(converted.uri(cast.part.key), target, cast, forWidth),
      records: cast.part.rows,
      inputBytes: cast.part.bytes,
    };
    await inTurn(async () =>
      keepingReserve(writtenFolder(converted), signal, async (stopped) =>
        runInChild(job, stopped, () => undefined),
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

/** One at a time in this process: each has all the memory that DuckDB may have, whatever else the worker converts. */
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
