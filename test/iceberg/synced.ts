import { syncTable, type SyncedTable } from '../../src/iceberg/sync.ts';
import type { ColumnType } from '../../src/model/schema.ts';
import type { Store } from '../../src/storage/store.ts';
import type { TinySource } from '../lake/tiny-lake.ts';

export async function synced(
  converted: Store,
  dataset: string,
  { rebuild = false } = {},
): Promise<SyncedTable | undefined> {
  const { signal } = new AbortController();
  const duckdb = { memoryLimit: '1GiB', threads: 1 };
  return await syncTable({ converted, duckdb, dataset, signal, rebuild });
}

/** A source of one row with one column, `n`. */
export function oneValue(id: string, value: number, type: ColumnType = 'BIGINT'): TinySource {
  return { id, columns: [{ name: 'n', type }], select: `SELECT ${value}::${type} AS n` };
}
