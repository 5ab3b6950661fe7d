import type { DuckDbSettings } from '../../config/settings.ts';

const MIB = 1024 * 1024;

/** DuckDB's vector: it makes room for that many values of each column, however few rows there are. */
const VECTOR_ROWS = 2048;
/** What a text takes in a vector. */
const VALUE_BYTES = 16;
/** Vectors of each column that a thread holds from reader to writer: 9,074 columns need 5 to get through, 7 not to spill. */
const VECTORS_A_THREAD = 7;
/** As many rows as DuckDB's own row groups hold: its vectors fit, and readers can skip. */
const ROWS_A_GROUP = 122_880;
/** The share of the memory that the row group may take that is being filled. */
const GROUP_SHARE = 1 / 4;

/**
 * What a table of many columns is written with: fewer threads and shorter row groups, so that its vectors fit into the
 * memory; and where not even one thread's do, as much memory as they need, since there is no other way.
 */
export function settingsForWidth(
  columns: number,
  { memoryLimit, threads }: Pick<DuckDbSettings, 'memoryLimit' | 'threads'>,
): { memoryLimit: string; threads: number; rowsAGroup: number } {
  const limitBytes = bytesOf(memoryLimit);
  const threadBytes = columns * VECTORS_A_THREAD * VECTOR_ROWS * VALUE_BYTES;
  const bytes = Math.max(limitBytes, threadBytes);
  const vectors = Math.floor((bytes * GROUP_SHARE) / (columns * VALUE_BYTES * VECTOR_ROWS));
  return {
    memoryLimit: bytes > limitBytes ? `${Math.ceil(bytes / MIB)}MiB` : memoryLimit,
    threads: Math.max(1, Math.min(threads, Math.floor(bytes / threadBytes))),
    rowsAGroup: Math.min(ROWS_A_GROUP, Math.max(1, vectors) * VECTOR_ROWS),
  };
}

/** As DuckDB reads what the settings allow: `2GiB`, `512MB`. */
function bytesOf(size: string): number {
  const [, number = '0', unit = ''] = /^([\d.]+)([KMGT]i?)B$/.exec(size) ?? [];
  const base = unit.endsWith('i') ? 1024 : 1000;
  return Number(number) * base ** ('KMGT'.indexOf(unit.charAt(0)) + 1);
}
