import type { SourceResult } from '../../src/model/run.ts';

export function sourceResult(id: string, status: SourceResult['status']): SourceResult {
  const counts = { bytes: 1000, records: 10, rows: 10, rejected: 0 };
  return {
    id,
    url: `http://example.org/${id}.csv`,
    status,
    ...counts,
    checksum: 'crc32:00000000',
    raw: '/raw',
    parquet: [],
  };
}
