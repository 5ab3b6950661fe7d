import { printable } from '../../model/names.ts';
import type { RunDetails } from '../show.ts';
import type { RunSummary } from '../runs.ts';
import type { ZoneOf } from '../time-zones.ts';
import { emrText } from './emr.ts';
import { progressLine } from './progress.ts';
import { progressTable, resultText } from './result.ts';
import { tableText } from './table.ts';
import { durationText, momentText } from './units.ts';

export function runsText(runs: readonly RunSummary[], zoneOf: ZoneOf): string {
  if (runs.length === 0) return 'No runs yet: `longhaul ingest <dataset>` starts one.';
  const rows = runs.map(({ workflowId, runId, status, startedAt, durationMs }) => [
    workflowId,
    status.toLowerCase(),
    momentText(new Date(startedAt), zoneOf(workflowId)),
    durationMs === undefined ? '' : durationText(durationMs),
    runId,
  ]);
  return tableText(['run', 'status', 'started', 'took', 'run id'], rows, { right: [3] });
}

export function runText(run: RunDetails, now: Date, zoneOf: ZoneOf): string {
  const { workflowId, runId, status, startedAt, durationMs, progress, result, error } = run;
  const ago = durationText(now.getTime() - new Date(startedAt).getTime());
  const lines = [
    `${printable(workflowId)} (${runId}): ${status.toLowerCase()}`,
    `Started ${momentText(new Date(startedAt), zoneOf(workflowId))}, ${ago} ago; took ${durationText(durationMs)}.`,
  ];
  if (run.uiUrl !== undefined) lines.push(`Web UI: ${run.uiUrl}`);
  if (result) lines.push('', resultText({ ...result, runId, durationMs }));
  else if (progress) lines.push('', progressTable(progress));
  for (const line of pendingLines(run)) lines.push(line);
  if (progress?.emr) lines.push('', ...emrText(progress.emr, now.getTime()));
  if (error)
    lines.push('', `${error.code}: ${printable(error.message)}`, `→ ${printable(error.hint)}`);
  for (const { source, log } of logsOf(run)) {
    lines.push(
      '',
      `The end of ${printable(log.uri)}${source === undefined ? '' : ` (${source})`}:`,
    );
    lines.push(
      ...(log.lines.length === 0
        ? ['  (not there yet)']
        : log.lines.map((line) => `  ${printable(line)}`)),
    );
  }
  return lines.join('\n');
}

/** Of the run's own error, and of its sources' where there are several. */
function logsOf({ error, progress }: RunDetails) {
  const failed = [
    ...(error ? [error] : []),
    ...(progress?.sources ?? []).flatMap((source) => source.error ?? []),
  ];
  const found = failed.flatMap(({ source, log }) => (log ? [{ source, log }] : []));
  return found.filter(
    ({ log }, index) => found.findIndex((each) => each.log.uri === log.uri) === index,
  );
}

function pendingLines({ pending }: RunDetails): string[] {
  return pending.flatMap(({ type, attempt, transfer, lastFailure }) => {
    const lines = [`${type}, attempt ${attempt}`];
    if (transfer) {
      const { source: id, stage } = transfer;
      lines[0] = `${progressLine(type, { id, stage, transfer })}, attempt ${attempt}`;
    }
    if (lastFailure)
      lines.push(`  last failure: ${lastFailure.code}: ${printable(lastFailure.message)}`);
    return lines;
  });
}
