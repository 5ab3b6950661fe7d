import { LonghaulError } from './errors.ts';
import type { SourceEntry } from './manifest.ts';

/** Source records = Parquet rows + rejected rows. It must balance before anything is published. */
export interface Ledger {
  records: number;
  rows: number;
  rejected: number;
}

export function balances(ledger: Ledger): boolean {
  return ledger.records === ledger.rows + ledger.rejected;
}

export function sumLedgers(ledgers: readonly Ledger[]): Ledger {
  const total: Ledger = { records: 0, rows: 0, rejected: 0 };
  for (const each of ledgers) {
    total.records += each.records;
    total.rows += each.rows;
    total.rejected += each.rejected;
  }
  return total;
}

/** @throws LonghaulError LEDGER_UNBALANCED with both numbers. */
export function assertBalanced(ledger: Ledger, source: string): void {
  if (balances(ledger)) return;
  throw new LonghaulError(
    'LEDGER_UNBALANCED',
    `Source ${source} has ${ledger.records} records, but its Parquet files hold ${ledger.rows} rows and ${ledger.rejected} were rejected: ${ledger.records - ledger.rows - ledger.rejected} are unaccounted for.`,
    { source },
  );
}

/** Share of the last snapshot's rows. A truncated publication passes every checksum, so the operator must look. */
const MIN_ROWS_RATIO = 0.5;

type Counted = Pick<SourceEntry, 'id' | 'rows'>;

/**
 * Stops the publication of a snapshot that has less than half of the last one's rows, in total or in a source that both
 * have.
 * @throws LonghaulError SNAPSHOT_SHRUNK with both numbers.
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
