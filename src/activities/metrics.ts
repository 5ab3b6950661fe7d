import { Context } from '@temporalio/activity';
import type { Ledger } from '../model/ledger.ts';
import type { SourceStage } from '../model/run.ts';

interface Totals {
  bytes: number;
  records?: number;
}

/** Totals of a stage, including the work of earlier attempts. */
export interface StageProgress {
  /** First report of this attempt; undefined until it exists. */
  first: Totals | undefined;
  latest: Totals;
  bytesPerSecond: number;
}

/** If a landing's first report is larger, it continues an earlier attempt, whose bytes are counted already. */
const MAX_FIRST_READ_BYTES = 1_048_576;

/**
 * Measures an activity. The worker adds dataset and source to each metric. If no metrics are configured, this costs
 * nothing.
 */
export class StageMetrics {
  readonly #meter = Context.current().metricMeter;
  readonly #stage: SourceStage;
  /** Totals that are counted already. */
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

  /** Sets the rate to 0 after success and failure: nothing moves any more. */
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
