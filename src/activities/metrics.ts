import { Context } from '@temporalio/activity';
import type { Ledger } from '../model/ledger.ts';
import type { SourceStage } from '../model/run.ts';

/** A landing whose first news is of more goes on where an earlier attempt was: those bytes are counted already. */
const MAX_FIRST_READ_BYTES = 1_048_576;

/**
 * What an activity measures. Its dataset and source are put on by the worker; where no metrics are asked for, all of
 * it costs nothing.
 */
export class StageMetrics {
  readonly #meter = Context.current().metricMeter;
  readonly #stage: SourceStage;
  #bytes: number | undefined;
  #records = 0;

  constructor(stage: SourceStage) {
    this.#stage = stage;
  }

  /** @param done totals of the stage so far, with what earlier attempts did. */
  report(done: { bytes: number; records: number; bytesPerSecond: number }): void {
    if (done.bytes === 0) return;
    const tags = { stage: this.#stage };
    if (this.#bytes === undefined) {
      const isGoingOn = this.#stage === 'land' && done.bytes > MAX_FIRST_READ_BYTES;
      this.#bytes = isGoingOn ? done.bytes : 0;
      this.#records = isGoingOn ? done.records : 0;
    }
    const [bytes, records] = [done.bytes - this.#bytes, done.records - this.#records];
    if (bytes > 0) this.#meter.createCounter('longhaul_bytes_total').add(bytes, tags);
    if (records > 0) this.#meter.createCounter('longhaul_records_total').add(records, tags);
    this.#meter.createGauge('longhaul_bytes_per_second').set(done.bytesPerSecond, tags);
    this.#bytes = Math.max(this.#bytes, done.bytes);
    this.#records = Math.max(this.#records, done.records);
  }

  /** Whatever the end: nothing moves any more. */
  end(): void {
    this.#meter.createGauge('longhaul_bytes_per_second').set(0, { stage: this.#stage });
  }
}

/** Of a source whose ledger balances. */
export function countLedger({ rows, rejected }: Pick<Ledger, 'rows' | 'rejected'>): void {
  const { metricMeter } = Context.current();
  metricMeter.createCounter('longhaul_rows_total').add(rows);
  metricMeter.createCounter('longhaul_rejected_rows_total').add(rejected);
}
