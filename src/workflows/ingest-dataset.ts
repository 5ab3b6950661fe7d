import { defineSearchAttributeKey } from '@temporalio/common';
import {
  CancellationScope,
  defineQuery,
  defineSignal,
  isCancellation,
  log,
  setCurrentDetails,
  setHandler,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import type { OpenResult } from '../activities/days.ts';
import type { SourceSpec } from '../model/dataset.ts';
import type { EmrProgress } from '../model/emr.ts';
import { sumLedgers } from '../model/ledger.ts';
import { checkRunInput, inputOfDay } from '../model/run-input.ts';
import {
  SEARCH_ATTRIBUTES,
  type DayInput,
  type IngestInput,
  type IngestResult,
  type EmrResult,
  type RunDay,
  type RunError,
  type RunProgress,
  type SourceProgress,
  type SourceResult,
} from '../model/run.ts';
import { TABLE_BEHIND } from '../model/table.ts';
import { activities } from './activities.ts';
import { failRun, incomplete, overtakenBy, toRunError, withClusterLeft } from './failures.ts';
import { emrNews } from './convert-on-emr.ts';
import { emrOfRun, sorted, unpublished } from './outcomes.ts';
import { runSource, type SequenceOptions } from './source-sequence.ts';
import { SparkWaves } from './spark-waves.ts';
import { runSummary } from './run-summary.ts';

const progressQuery = defineQuery<RunProgress>('progress');
/** A command sends this before it cancels. The run then deletes its downloads, which the day's next run could use. */
const discardDownloads = defineSignal('discardDownloads');

/** Ingests a dataset for one day: opens the day, makes verified Parquet of each source, publishes the manifest. */
export async function ingestDataset(input: IngestInput): Promise<IngestResult> {
  const run = new Run(checked(input));
  setHandler(progressQuery, () => run.progress);
  setHandler(emrNews, (progress) => run.note(progress));
  let discardPartials = false;
  setHandler(discardDownloads, () => {
    discardPartials = true;
  });
  try {
    return await run.ingest();
  } catch (error) {
    run.show('failed');
    const overtaken = await CancellationScope.nonCancellable(
      async () => await run.cleanUp({ discardPartials }),
    );
    if (isCancellation(error)) throw error;
    return failRun(overtaken ?? toRunError(error));
  }
}

/** Fails the workflow at once if its input is not valid, or if its id is not a run's id. */
function checked(input: unknown): DayInput {
  const { workflowId, startTime } = workflowInfo();
  try {
    return inputOfDay(checkRunInput(input), workflowId, startTime.toISOString().slice(0, 10));
  } catch (error) {
    return failRun(toRunError(error));
  }
}

class Run {
  readonly progress: RunProgress = { stage: 'open', sources: [] };
  readonly #input: DayInput;
  readonly #runId = workflowInfo().runId;
  #opened: OpenResult | undefined;

  constructor(input: DayInput) {
    this.#input = input;
    this.#showWaiting(input.spec?.sources ?? []);
  }

  #showWaiting(sources: readonly SourceSpec[]): void {
    this.progress.sources = sources.map(({ id }) => ({ id, stage: 'waiting' }));
  }

  async ingest(): Promise<IngestResult> {
    this.show('open');
    const opened = await this.#open();
    this.#showWaiting(opened.plan.spec.sources);
    if (opened.published) {
      for (const result of opened.published.sources) this.#finish(result);
      const table = await this.#syncTable(opened);
      this.show('done');
      return { ...opened.published, ...table };
    }
    this.show('sources');
    const onEmr = await this.#runSources(opened);
    const result = await this.#conclude(opened, onEmr);
    this.show('done');
    return result;
  }

  /** Shows the run's stage in the query, in the Web UI and in the list of runs. */
  show(stage: RunProgress['stage']): void {
    const changed = this.progress.stage !== stage;
    this.progress.stage = stage;
    setCurrentDetails(runSummary(this.#input, this.progress));
    if (!changed || !this.#opened?.plan.hasSearchAttributes) return;
    const { dataset, ingestDate } = this.#input;
    const keyword = (name: 'dataset' | 'ingestDate' | 'stage', value: string) => ({
      key: defineSearchAttributeKey(SEARCH_ATTRIBUTES[name], 'KEYWORD'),
      value,
    });
    const { rows } = sumLedgers(this.progress.sources.flatMap(({ result }) => result ?? []));
    const rowsKey = defineSearchAttributeKey(SEARCH_ATTRIBUTES.rows, 'INT');
    upsertSearchAttributes([
      ...[keyword('dataset', dataset), keyword('ingestDate', ingestDate), keyword('stage', stage)],
      // The number of rows is known only at the end.
      ...(stage === 'done' ? [{ key: rowsKey, value: rows }] : []),
    ]);
  }

  /** @returns an error if another host's run has published the day: this run's files may then be gone. */
  async cleanUp(options: { discardPartials: boolean }): Promise<RunError | undefined> {
    if (!this.#opened || this.#opened.published) return undefined;
    const { revision, plan } = this.#opened;
    const { cleanUp } = activities('CLEAN_UP', {
      heartbeatTimeoutMs: plan.heartbeatTimeoutMs,
      summary: options.discardPartials ? 'Staging and partial landings' : 'Staging',
    });
    const day = this.#dayOf(this.#opened);
    try {
      const { publishedBy } = await cleanUp({ ...day, dataset: plan.spec, ...options });
      if (publishedBy === undefined || publishedBy === this.#runId) return undefined;
      return overtakenBy(publishedBy, `${plan.spec.name} ${day.ingestDate}`, revision);
    } catch (error) {
      log.warn('Staging could not be removed: `longhaul sweep` removes it', { error });
      return undefined;
    }
  }

  async #open(): Promise<OpenResult> {
    const { dataset, ingestDate } = this.#input;
    const { openSnapshot } = activities('SHORT_CALL', {
      heartbeatTimeoutMs: this.#input.heartbeatTimeoutMs,
      summary: `${dataset} ${ingestDate}: what is there already`,
    });
    const startedAt = workflowInfo().startTime.toISOString();
    this.#opened = await openSnapshot({ ...this.#input, runId: this.#runId, startedAt });
    return this.#opened;
  }

  /** Runs a limited number at once. If one fails, the others go on. @returns the result of engine `emr`, if it ran. */
  async #runSources(opened: OpenResult): Promise<EmrResult | undefined> {
    for (const result of opened.finished) this.#finish(result);
    const { spec, sourceConcurrency } = opened.plan;
    const queue = spec.sources.filter(({ id }) => !this.#progressOf(id)?.result);
    const waves = new SparkWaves({
      ...{ day: this.#dayOf(opened), backfill: this.#input.backfill, plan: opened.plan },
      isWhole: () =>
        spec.sources.every(({ id, optional }) => optional || !this.#progressOf(id)?.error),
      onDone: (result) => this.#finish(result),
      onFail: (id, error) => this.#fail(id, error),
    });
    const worker = async (): Promise<void> => {
      for (let source = queue.shift(); source; source = queue.shift()) {
        await this.#settle(source, opened, waves);
      }
    };
    const workers = Array.from({ length: sourceConcurrency }, worker);
    // All loops must have stopped, also cancelled ones, before the run cleans up their files.
    const taken = await Promise.allSettled(workers);
    const waved = await Promise.allSettled([waves.finish()]);
    const broken = [...taken, ...waved].find((each) => each.status === 'rejected');
    if (broken) throw broken.reason;
    return waves.onEmr;
  }

  async #settle(source: SourceSpec, opened: OpenResult, waves: SparkWaves): Promise<void> {
    const { engine } = opened.plan;
    const options = this.#sequenceOptions(source, opened);
    try {
      const sequence = await runSource({ ...this.#dayOf(opened), source, engine }, options);
      if ('result' in sequence) this.#finish(sequence.result);
      else await waves.add(sequence.prepared, options);
    } catch (failure) {
      if (isCancellation(failure)) throw failure;
      this.#fail(source.id, toRunError(failure, source.id));
    }
  }

  #dayOf({ revision }: OpenResult): RunDay {
    const { dataset, ingestDate } = this.#input;
    return { dataset, ingestDate, revision, runId: this.#runId };
  }

  #sequenceOptions(source: SourceSpec, opened: OpenResult): SequenceOptions {
    const { again, followed, backfill } = this.#input;
    const { mode, heartbeatTimeoutMs } = opened.plan;
    return {
      mode,
      // With EMR_OUTPUT=hdfs each source is converted: `unchanged` needs files in the lake.
      again: again === true || opened.plan.emr?.output === 'hdfs',
      followed,
      backfill,
      heartbeatTimeoutMs,
      onStage: (stage) => {
        this.#note(source.id, { stage });
      },
    };
  }

  /** Records news of `convertOnEmr`. */
  note(progress: EmrProgress): void {
    this.progress.emr = progress;
    setCurrentDetails(runSummary(this.#input, this.progress));
  }

  async #conclude(opened: OpenResult, onEmr: EmrResult | undefined): Promise<IngestResult> {
    const { dataset, ingestDate } = this.#input;
    const { spec, mode } = opened.plan;
    const { results, errors, missing } = sorted(spec.sources, this.progress.sources);
    if (errors.length > 0) {
      failRun(withClusterLeft(incomplete(errors, spec.sources.length), onEmr?.progress));
    }
    const what = { dataset, ingestDate, mode, revision: opened.revision, sources: results };
    if (mode === 'land') return unpublished('landed', what);
    const emr = onEmr && emrOfRun(onEmr, opened.plan.emr?.output ?? 'both');
    if (onEmr && opened.plan.emr?.output === 'hdfs') {
      await this.cleanUp({ discardPartials: true });
      return { ...unpublished('on-hdfs', what), ...emr };
    }

    this.show('publish');
    const published = await this.#publish(opened, results, missing);
    const table = await this.#syncTable(opened);
    await this.cleanUp({ discardPartials: true });
    return { ...published, ...emr, ...table, dataset, ingestDate, mode };
  }

  /** If the table fails, the day is published all the same: readers of the manifests have it. */
  async #syncTable({ plan }: OpenResult): Promise<Pick<IngestResult, 'table'>> {
    const { dataset, ingestDate } = this.#input;
    const { syncTable } = activities('TABLE', {
      heartbeatTimeoutMs: plan.heartbeatTimeoutMs,
      summary: 'The Iceberg table',
    });
    try {
      this.progress.table = await syncTable({ dataset, ingestDate });
    } catch (failure) {
      if (isCancellation(failure)) throw failure;
      const error = toRunError(failure);
      log.error(TABLE_BEHIND, { error });
      this.progress.table = { error };
    }
    return { table: this.progress.table };
  }

  async #publish(
    opened: OpenResult,
    results: SourceResult[],
    missing: string[],
  ): Promise<IngestResult> {
    const { accept = false } = this.#input;
    const { spec: dataset, engine, heartbeatTimeoutMs } = opened.plan;
    const unchanged = results
      .filter(({ status }) => status === 'unchanged')
      .map(({ id, checksum, bytes }) => ({ id, checksum, bytes }));
    const { records, rows, rejected } = sumLedgers(results);
    const { publishSnapshot } = activities('SHORT_CALL', {
      heartbeatTimeoutMs,
      summary: `Ledger: ${records} records = ${rows} rows + ${rejected} rejected`,
    });
    const at = { ...this.#dayOf(opened), dataset };
    return await publishSnapshot({ ...at, engine, accept, missing, unchanged });
  }

  #finish(result: SourceResult): void {
    this.#note(result.id, { stage: 'done', result });
  }

  #fail(id: string, error: RunError): void {
    this.#note(id, { stage: 'failed', error });
  }

  #note(id: string, news: Partial<SourceProgress>): void {
    Object.assign(this.#progressOf(id) ?? {}, news);
    setCurrentDetails(runSummary(this.#input, this.progress));
  }

  #progressOf(id: string): SourceProgress | undefined {
    return this.progress.sources.find((source) => source.id === id);
  }
}
