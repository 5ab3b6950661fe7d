import { LonghaulError } from './errors.ts';

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
