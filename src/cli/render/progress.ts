import { emrLines } from './emr.ts';
import type { RunState, SourceState } from '../run-state.ts';
import { printable } from '../../model/names.ts';
import { bytesText, countText, durationText } from './units.ts';

/** The run as lines to be drawn over: one a source. @param width columns of the terminal. */
export function progressLines(state: RunState, width: number, nowMs = Date.now()): string[] {
  const idWidth = Math.max(0, ...state.sources.map(({ id }) => id.length));
  const lines = state.sources.map((source) => {
    const head = `${source.id.padEnd(idWidth)}  ${source.stage.padEnd(STAGE_WIDTH)}`;
    return `${head}  ${barOf(source)}${factsOf(source).join('  ')}`;
  });
  if (state.emr) lines.push(...emrLines(state.emr, nowMs));
  if (state.stage === 'open' || state.stage === 'publish') lines.push(`${state.stage} …`);
  return lines.map((line) => cut(printable(line), width));
}

/** The same for a log: one plain line of a source. */
export function progressLine(dataset: string, source: SourceState): string {
  const facts = factsOf(source).join(', ');
  return printable(`${dataset} ${source.id}: ${source.stage}${facts === '' ? '' : `, ${facts}`}`);
}

const STAGE_WIDTH = 'inspect'.length;
const BAR_WIDTH = 24;

function barOf({ transfer }: SourceState): string {
  if (!transfer?.totalBytes) return '';
  const share = Math.min(1, transfer.bytes / transfer.totalBytes);
  const full = Math.floor(share * BAR_WIDTH);
  return `[${'█'.repeat(full)}${'░'.repeat(BAR_WIDTH - full)}]  `;
}

function factsOf(source: SourceState): string[] {
  const { ledger, outcome, error, retrying } = source;
  if (error) return [error.code];
  if (ledger) {
    const rows = source.stage === 'done' ? `${countText(ledger.rows)} rows` : '';
    return [outcome ?? '', `${countText(ledger.records)} records`, rows].filter(Boolean);
  }
  const facts = transferFacts(source);
  if (retrying)
    facts.push(`attempt ${retrying.attempt} after ${retrying.code}: ${retrying.message}`);
  return facts;
}

function transferFacts({ transfer }: SourceState): string[] {
  if (!transfer || transfer.bytes === 0) return [];
  const { bytes, totalBytes, bytesPerSecond, records } = transfer;
  const facts = totalBytes
    ? [
        `${Math.floor((bytes / totalBytes) * 100)}%`,
        `${bytesText(bytes)} of ${bytesText(totalBytes)}`,
      ]
    : [bytesText(bytes)];
  if (bytesPerSecond > 0) {
    facts.push(`${bytesText(bytesPerSecond)}/s`);
    if (totalBytes && totalBytes > bytes) {
      facts.push(`ETA ${durationText(((totalBytes - bytes) / bytesPerSecond) * 1000)}`);
    }
  }
  if (records) facts.push(`${countText(records)} records`);
  return facts;
}

function cut(line: string, width: number): string {
  return line.length <= width ? line : `${line.slice(0, Math.max(0, width - 1))}…`;
}
