import { sumLedgers } from '../model/ledger.ts';
import type { IngestInput, RunProgress, SourceProgress } from '../model/run.ts';

/** The run as a small markdown table for the Web UI's current details. Publishers' text never gets into it. */
export function tellStory(input: IngestInput, progress: RunProgress): string {
  const total = sumLedgers(progress.sources.flatMap((source) => source.ledger ?? []));
  return [
    `**${input.dataset.name}**, ${input.ingestDate}: ${progress.stage}`,
    '',
    line(['source', 'stage', 'records', 'rows', 'rejected', '']),
    '| --- | --- | ---: | ---: | ---: | --- |',
    ...progress.sources.map(sourceLine),
    line(['**all**', '', count(total.records), count(total.rows), count(total.rejected), '']),
  ].join('\n');
}

function sourceLine({ id, stage, ledger, error, outcome }: SourceProgress): string {
  const counts = ledger ? [ledger.records, ledger.rows, ledger.rejected].map(count) : ['', '', ''];
  return line([id, stage, ...counts, error?.code ?? outcome ?? '']);
}

/** The Web UI gives its tables no space between columns: each cell brings its own, which Markdown leaves alone. */
const SPACE = '\u00a0\u00a0';

function line(cells: string[]): string {
  return `|${cells.map((cell) => `${SPACE}${cell}${SPACE}`).join('|')}|`;
}

/** By hand: a workflow's text must not depend on a worker's locale data. */
function count(value: number): string {
  return String(value).replaceAll(/\B(?=(?:\d{3})+$)/g, ',');
}
