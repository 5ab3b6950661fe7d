import { sumLedgers } from '../model/ledger.ts';
import type { IngestInput, RunProgress, SourceProgress } from '../model/run.ts';

/** The run as a small markdown table for the Web UI's current details. Publishers' text never gets into it. */
export function tellStory(input: IngestInput, progress: RunProgress): string {
  const total = sumLedgers(progress.sources.flatMap((source) => source.ledger ?? []));
  return [
    `**${input.dataset.name}**, ${input.ingestDate}: ${progress.stage}`,
    '',
    '| source | stage | records | rows | rejected | |',
    '| --- | --- | ---: | ---: | ---: | --- |',
    ...progress.sources.map(row),
    `| **all** | | ${total.records} | ${total.rows} | ${total.rejected} | |`,
  ].join('\n');
}

function row(source: SourceProgress): string {
  const { records, rows, rejected } = source.ledger ?? { records: '', rows: '', rejected: '' };
  const remark = source.error?.code ?? source.outcome ?? '';
  return `| ${source.id} | ${source.stage} | ${records} | ${rows} | ${rejected} | ${remark} |`;
}
