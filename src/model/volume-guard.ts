import { LonghaulError } from './errors.ts';
import type { SourceEntry } from './manifest.ts';

/** Under half the rows of the last one: a truncated publication passes every checksum, so a person looks. */
const MIN_ROWS_RATIO = 0.5;

type Counted = Pick<SourceEntry, 'id' | 'rows'>;

/**
 * Holds a snapshot whose rows, of all sources or of one that the last snapshot had too, are under half of the
 * last one's.
 * @throws LonghaulError SNAPSHOT_SHRUNK naming the numbers.
 */
export function assertVolume(current: readonly Counted[], previous: readonly Counted[]): void {
  const before = new Map(previous.map((each) => [each.id, each.rows]));
  for (const { id, rows } of current) hold(`Source ${id}`, rows, before.get(id) ?? 0);
  const total = (entries: readonly Counted[]): number =>
    entries.reduce((sum, each) => sum + each.rows, 0);
  hold('The snapshot', total(current), total(previous));
}

function hold(what: string, rows: number, rowsBefore: number): void {
  if (rows >= rowsBefore * MIN_ROWS_RATIO) return;
  throw new LonghaulError(
    'SNAPSHOT_SHRUNK',
    `${what} has ${rows} rows, the last snapshot had ${rowsBefore}: held, not published.`,
  );
}
