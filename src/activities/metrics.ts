import { Context } from '@temporalio/activity';
import type { Ledger } from '../model/ledger.ts';
import type { SourceStage } from '../model/run.ts';

interface Totals {
  bytes: number;
  records?: number;
}

/** Totals of a stage, with what earlier attempts did. */
export interface StageProgress {
  /** The first news of this attempt; undefined as long as there is none. */
  first: Totals | undefined;
  latest: Totals;
  bytesPerSecond: number;
}

/** A landing whose first news is of more goes on where an earlier attempt was: those bytes are counted already. */
const MAX_FIRST_READ_BYTES = 1_048_576;

/**
 * What an activity measures. Its dataset and source are put on by the worker; where no metrics are asked for, all of
 * it costs nothing.
 */
export class StageMetrics {
  readonly #meter = Context.current().metricMeter;
  readonly #stage: SourceStage;
  /** Counted already. */
  #done: Totals | undefined;

  constructor(stage: SourceStage) {
    this.#stage = stage;
  }

  report({ first, latest, bytesPerSecond }: StageProgress): void {
    if (!first) return;
    if (this.#done === undefined) {
      const isGoingOn = this.#stage === 'land' && first.bytes > MAX_FIRST_READ_BYTES;
      this.#done = isGoingOn ? first : { bytes: 0 };
    }
    const tags = { stage: this.#stage };
    const bytes = latest.bytes - this.#done.bytes;
    const records = (latest.records ?? 0) - (this.#done.records ?? 0);
    if (bytes > 0) this.#meter.createCounter('longhaul_bytes_total').add(bytes, tags);
    if (records > 0) this.#meter.createCounter('longhaul_records_total').add(records, tags);
    this.#meter.createGauge('longhaul_bytes_per_second').set(bytesPerSecond, tags);
    this.#done = latest;
  }

  /** Whatever the end: nothing moves any more. */
  end(): void {
    this.#meter.createGauge('longhaul_bytes_per_second').set(0, { stage: this.#stage });
  }
}

/** Counts the rows of a source whose ledger balances. */
export function countLedger({ rows, rejected }: Pick<Ledger, 'rows' | 'rejected'>): void {
  const { metricMeter } = Context.current();
  metricMeter.createCounter('longhaul_rows_total').add(rows);
  metricMeter.createCounter('longhaul_rejected_rows_total').add(rejected);
}
