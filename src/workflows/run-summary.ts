import { csvReadingText } from '../model/scan.ts';
import { clusterLeftText, type EmrProgress } from '../model/emr.ts';
import { sumLedgers } from '../model/ledger.ts';
import { tableLines } from '../model/table.ts';
import {
  parquetFolderOf,
  STAGES,
  type DayInput,
  type RunProgress,
  type SourceProgress,
  type SourceResult,
} from '../model/run.ts';

/** The run as a small Markdown table for the Web UI. Text of publishers never gets into it. */
export function runSummary(
  { dataset, ingestDate }: Pick<DayInput, 'dataset' | 'ingestDate'>,
  progress: RunProgress,
): string {
  const results = progress.sources.flatMap(({ result }) => result ?? []);
  const total = sumLedgers(results);
  const bytes = results.reduce((sum, result) => sum + result.bytes, 0);
  const isLong = progress.sources.length > MAX_SOURCES_SHOWN;
  return [
    `**${dataset}**, ${ingestDate}: ${progress.stage}`,
    '',
    line(['source', 'stage', 'bytes', 'records', 'rows', 'rejected', '']),
    '| --- | --- | ---: | ---: | ---: | ---: | --- |',
    ...linesOf(progress.sources),
    line(['**all**', '', ...[bytes, total.records, total.rows, total.rejected].map(count), '']),
    ...(isLong ? [] : placesOf(results)),
    ...(progress.emr ? ['', emrSummary(progress.emr)] : []),
    ...tableLines(progress.table).flatMap((each) => ['', codeOf(each)]),
  ].join('\n');
}

/** Longer tables are not readable and cost the workflow time. The summary then counts the sources at each stage. */
const MAX_SOURCES_SHOWN = 100;

function linesOf(sources: readonly SourceProgress[]): string[] {
  if (sources.length <= MAX_SOURCES_SHOWN) return sources.map(sourceLine);
  const failed = sources.filter(({ error }) => error).slice(0, MAX_SOURCES_SHOWN);
  const counts = STAGES.flatMap((stage) => {
    const number = sources.filter((source) => source.stage === stage).length;
    return number === 0 ? [] : line([`${count(number)} sources`, stage, '', '', '', '', '']);
  });
  return [...counts, ...failed.map(sourceLine)];
}

/**
 * The cluster and its steps, with EMR's messages.
 * @param hours instance-hours of the cluster in use, if they are known.
 */
export function emrSummary(progress: EmrProgress, hours = 0): string {
  const left = clusterLeftText(progress);
  return (left === '' ? '' : `**${left}**\n\n`) + clusterSummary(progress, hours);
}

function clusterSummary(
  { cluster, steps, earlierInstanceHours }: EmrProgress,
  hours: number,
): string {
  if (!cluster) return 'No cluster yet.';
  const { id, state, reason, logUri, isOurs } = cluster;
  const total = earlierInstanceHours + hours;
  const details = [
    `**EMR cluster ${id}**: ${state}${reason === undefined ? '' : ` (${cell(reason)})`}`,
    ...(isOurs ? [] : ["another owner's cluster: Longhaul does not end it"]),
    ...(total > 0 ? [`${total.toFixed(2)} instance-hours so far`] : []),
    ...(logUri === undefined ? [] : [`logs in \`${cell(logUri)}\``]),
  ];
  if (steps.length === 0) return details.join('; ');
  return [
    details.join('; '),
    '',
    line(['step', 'state', 'id', '']),
    '| --- | --- | --- | --- |',
    ...steps.map((step) => line([step.kind, step.state, step.id, cell(step.reason ?? '')])),
  ].join('\n');
}

/** EMR's message may quote a log, so its Markdown is removed. */
function cell(text: string): string {
  return text.replaceAll(/[|`<>*_[\]\\]/g, ' ').slice(0, MAX_CELL_LENGTH);
}

const MAX_CELL_LENGTH = 200;

/** Shows a column's name or a path as code, so that its Markdown has no effect. A backtick would end the code. */
function codeOf(text: string): string {
  return `\`${text.replaceAll('`', ' ')}\``;
}

function sourceLine({ id, stage, result, error }: SourceProgress): string {
  const { bytes, records, rows, rejected, status } = result ?? {};
  return line([
    id,
    stage,
    ...[bytes, records, rows, rejected].map(count),
    error?.code ?? status ?? '',
  ]);
}

/** Paths are too long for a column, so they follow the table. */
function placesOf(results: readonly SourceResult[]): string[] {
  const places = results.flatMap((result) => {
    const { id, raw, csv } = result;
    const parquet = parquetFolderOf(result) ?? '';
    return [
      ...Object.entries({ raw, parquet }).flatMap(([what, place]) =>
        place === '' ? [] : [`- **${id}** ${what}: ${codeOf(place)}`],
      ),
      ...(csv ? [`- **${id}** read as: ${csvReadingText(csv)}`] : []),
    ];
  });
  return places.length === 0 ? [] : ['', ...places];
}

/** The Web UI puts no space between columns, so each cell has its own. Markdown keeps non-breaking spaces. */
const SPACE = '\u00a0\u00a0';

function line(cells: string[]): string {
  return `|${cells.map((cell) => `${SPACE}${cell}${SPACE}`).join('|')}|`;
}

/** Groups digits without `Intl`: a workflow's text must not depend on a worker's locale data. */
function count(value: number | undefined): string {
  return String(value ?? '').replaceAll(/\B(?=(?:\d{3})+$)/g, ',');
}
