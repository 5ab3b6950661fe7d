import {
  parquetFolderOf,
  type IngestResult,
  type RunProgress,
  type SourceResult,
} from '../model/run.ts';
import { csvReadingText } from '../model/scan.ts';
import { printable, viewNameOf } from '../model/names.ts';
import { tableLines } from '../model/table.ts';
import { countsText, durationText, tableText } from './text.ts';
import { bytesText } from '../model/texts.ts';

/** The CLI's JSON of a run that succeeded. */
export interface RunReport extends IngestResult {
  runId: string;
  durationMs: number;
}

/**
 * The text of a run's result: its ledger with one line for each source, and where the files are.
 * @param lakeFlag see `CliContext`.
 */
export function resultText(report: RunReport, lakeFlag: string): string {
  const { dataset, ingestDate, sources, ledger } = report;
  const rows = sources.map((source) => [
    source.id,
    source.status,
    bytesText(source.bytes),
    ...countsText(source),
  ]);
  const size = bytesText(sources.reduce((sum, { bytes }) => sum + bytes, 0));
  return [
    `${dataset}, ${ingestDate}: ${headline(report)}`,
    tableText(LEDGER_HEAD, [...rows, ['all', '', size, ...countsText(ledger)]], [2, 3, 4, 5]),
    ...sources.flatMap((source) => placeLines(source)),
    ...(report.emr
      ? [`EMR ${report.emr.clusterId}  ${report.emr.instanceHours.toFixed(2)} instance-hours`]
      : []),
    ...(report.emr?.clusterLeft === undefined
      ? []
      : [
          `The cluster ${report.emr.clusterLeft} may still be there, and cost: longhaul sweep${lakeFlag}`,
        ]),
    ...tableLines(report.table).map(printable),
    '',
    closing(report, lakeFlag),
  ].join('\n');
}

const LEDGER_HEAD = ['source', 'status', 'size', 'records', 'rows', 'rejected'];

function headline({ status, revision, durationMs, ledger, emr }: RunReport): string {
  const took = durationText(durationMs);
  switch (status) {
    case 'published':
      return `published as revision ${revision} in ${took}; the ledger ${ledger.balanced ? 'balances' : 'does not balance'}.`;
    case 'unchanged':
      return `published as revision ${revision} in ${took}; every source is unchanged since the last snapshot.`;
    case 'already-published':
      return `already published (revision ${revision}); nothing was changed. --again publishes a new revision.`;
    case 'landed':
      return `landed in ${took}; not converted or published yet.`;
    case 'on-hdfs':
      return `converted in ${took} to HDFS of cluster ${emr?.clusterId ?? '?'} only; no lake lists it.`;
  }
}

function placeLines(result: SourceResult): string[] {
  const { id, raw, parquet, csv } = result;
  const lines: string[] = [];
  if (raw !== '') lines.push(`${id}  raw      ${printable(raw)}`);
  const folder = parquetFolderOf(result);
  if (folder !== undefined) {
    const size = bytesText(parquet.reduce((sum, { bytes }) => sum + bytes, 0));
    const files = parquet.length === 1 ? '1 file' : `${parquet.length} files`;
    lines.push(`${id}  parquet  ${printable(folder)} (${files}, ${size})`);
  }
  if (csv) lines.push(`${id}  read as  ${csvReadingText(csv)}`);
  return lines;
}

function closing({ dataset, status, ingestDate, runId }: RunReport, lakeFlag: string): string {
  if (status === 'on-hdfs') return `The run:   longhaul show ${runId}${lakeFlag}`;
  if (status === 'landed')
    return `Next: longhaul convert ${dataset} --date ${ingestDate}${lakeFlag}`;
  return [
    `Query it:  longhaul query${lakeFlag} "SELECT source, count(*) FROM ${viewNameOf(dataset)} GROUP BY source"`,
    `The run:   longhaul show ${runId}${lakeFlag}`,
  ].join('\n');
}

/** How far each source got in a run that has not succeeded. */
export function progressTable(progress: RunProgress): string {
  const rows = progress.sources.map(({ id, stage, result, error }) => [
    id,
    stage,
    result?.status ?? error?.code ?? '',
    ...countsText(result),
  ]);
  const head = ['source', 'stage', '', 'records', 'rows', 'rejected'];
  return tableText(head, rows, [3, 4, 5]);
}
