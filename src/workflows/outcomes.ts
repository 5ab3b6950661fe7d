import type { SourceSpec } from '../model/dataset.ts';
import type { EmrOutput } from '../model/emr.ts';
import { balances, sumLedgers } from '../model/ledger.ts';
import type {
  EmrResult,
  IngestResult,
  RunError,
  SourceProgress,
  SourceResult,
} from '../model/run.ts';
import { runError } from './failures.ts';

interface SortedOutcomes {
  results: SourceResult[];
  /** Errors because of which the day is not published. */
  errors: RunError[];
  /** Ids of the optional sources that failed. */
  missing: string[];
}

export function sorted(
  sources: readonly SourceSpec[],
  progress: readonly SourceProgress[],
): SortedOutcomes {
  const results: SourceResult[] = [];
  const errors: RunError[] = [];
  const missing: string[] = [];
  for (const { id, optional } of sources) {
    const { result, error } = progress.find((each) => each.id === id) ?? {};
    if (result) results.push(result);
    else if (optional) missing.push(id);
    else errors.push(error ?? runError('INTERNAL', `${id} has no outcome.`));
  }
  // A day without any source is not published, even if all sources are optional.
  if (results.length === 0 && errors.length === 0) {
    errors.push(...progress.flatMap(({ error }) => error ?? []));
  }
  return { results, errors, missing };
}

/** The result of a run that publishes nothing, because it only lands, or because its files lie on HDFS. */
export function unpublished(
  status: 'landed' | 'on-hdfs',
  run: Pick<IngestResult, 'dataset' | 'ingestDate' | 'mode' | 'revision' | 'sources'>,
): IngestResult {
  const ledger = sumLedgers(run.sources);
  return {
    ...run,
    status,
    ledger: { ...ledger, balanced: status === 'on-hdfs' && balances(ledger) },
  };
}

export function emrOfRun({ progress }: EmrResult, output: EmrOutput): Pick<IngestResult, 'emr'> {
  const { cluster, earlierInstanceHours, clusterLeft } = progress;
  if (!cluster) return {};
  const hours = Number(earlierInstanceHours.toFixed(3));
  return { emr: { clusterId: cluster.id, instanceHours: hours, output, clusterLeft } };
}
