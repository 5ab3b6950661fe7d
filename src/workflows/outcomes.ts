import { balances, sumLedgers } from '../model/ledger.ts';
import type { EmrResult, IngestInput, IngestResult, RunError, SourceResult } from '../model/run.ts';

/** What became of a source. */
export type Outcome = { result: SourceResult } | { error: RunError };

/** What the engine `emr` made. */
export type OnEmr = Pick<EmrResult, 'output' | 'progress'>;

export function errorsOf(outcomes: Map<string, Outcome>): RunError[] {
  return [...outcomes.values()].flatMap((outcome) => ('error' in outcome ? outcome.error : []));
}

/** The end of a run that publishes nothing: it was to land only, or what it made lies on HDFS. */
export function unpublished(
  { dataset, ingestDate, mode }: IngestInput,
  status: 'landed' | 'on-hdfs',
  revision: number,
  sources: SourceResult[],
): IngestResult {
  const ledger = sumLedgers(sources);
  const balanced = status === 'on-hdfs' && balances(ledger);
  return {
    dataset: dataset.name,
    ingestDate,
    mode,
    status,
    revision,
    sources,
    ledger: { ...ledger, balanced },
  };
}

export function emrFacts({ output, progress }: OnEmr): Pick<IngestResult, 'emr'> {
  const { cluster, earlierInstanceHours } = progress;
  if (!cluster) return {};
  const hours = Number(earlierInstanceHours.toFixed(3));
  return { emr: { clusterId: cluster.id, instanceHours: hours, output } };
}
