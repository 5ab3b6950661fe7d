import { emrLines } from './emr.ts';
import type { RunState, SourceState, Wait } from '../run-state.ts';
import { printable } from '../../model/names.ts';
import { bytesText } from '../../model/bytes-text.ts';
import { countText, durationText } from './units.ts';

/** The run as lines to be drawn over: one a source. @param width columns of the terminal. */
export function progressLines(state: RunState, width: number, nowMs = Date.now()): string[] {
  const idWidth = Math.max(0, ...state.sources.map(({ id }) => id.length));
  const lines = state.sources.map((source) => sourceLine(source, idWidth, width, nowMs));
  if (state.emr) lines.push(...emrLines(state.emr, nowMs).map((line) => cut(line, width)));
  const stage = state.stage === 'open' || state.stage === 'publish' ? state.stage : undefined;
  if (state.waits.length > 0) {
    const head = stage === undefined ? '' : `${stage}  `;
    lines.push(...state.waits.map((wait) => head + waitText(wait, nowMs, width - head.length)));
  } else if (stage !== undefined) lines.push(`${stage} …`);
  return lines.map((line) => cut(line, width));
}

/** The same for a log: one plain line of a source. */
export function progressLine(dataset: string, source: SourceState, nowMs = Date.now()): string {
  const { wait } = source;
  const facts = [...factsOf(source), ...(wait ? [waitText(wait, nowMs)] : [])].join(', ');
  return printable(`${dataset} ${source.id}: ${source.stage}${facts === '' ? '' : `, ${facts}`}`);
}

/**
 * `S3 did not answer …, try 4, next in 8 s`.
 * @param width columns; where they are too few, the numbers stay and the text is cut.
 */
export function waitText(wait: Wait, nowMs: number, width = Number.POSITIVE_INFINITY): string {
  const { attempt, nextAttemptAtMs, sinceMs } = wait;
  const facts = [
    ...(attempt === undefined ? [] : [`try ${attempt}`]),
    ...(nextAttemptAtMs !== undefined && nextAttemptAtMs > nowMs
      ? [`next in ${durationText(nextAttemptAtMs - nowMs)}`]
      : []),
    ...(sinceMs === undefined ? [] : [`for ${durationText(nowMs - sinceMs)}`]),
  ];
  const tail = facts.map((fact) => `, ${fact}`).join('');
  return cut(printable(wait.text), width - tail.length) + tail;
}

const STAGE_WIDTH = 'inspect'.length;
const MAX_BAR_WIDTH = 24;
/** Narrower says nothing. */
const MIN_BAR_WIDTH = 6;
const BAR_FRAME = '[]  '.length;

/** On a narrow terminal the bar shrinks, and what matters least goes, before speed and time left do. */
function sourceLine(source: SourceState, idWidth: number, width: number, nowMs: number): string {
  const head = `${printable(source.id).padEnd(idWidth)}  ${source.stage.padEnd(STAGE_WIDTH)}  `;
  const room = width - head.length;
  const texts = LESS.map((less) => printable(factsOf(source, less).join('  ')));
  const least = source.transfer?.totalBytes ? BAR_FRAME + MIN_BAR_WIDTH : 0;
  const facts = texts.find((text) => text.length + least <= room) ?? texts.at(-1);
  if (source.wait) {
    const before = facts ? `${head}${facts}  ` : head;
    return before + waitText(source.wait, nowMs, width - before.length);
  }
  const text = facts ?? '';
  return head + barOf(source, room - text.length - BAR_FRAME) + text;
}

/** What is left out, step by step. */
const LESS: readonly Detail[][] = [[], ['records'], ['records', 'bytes']];
type Detail = 'records' | 'bytes';

function barOf({ transfer }: SourceState, room: number): string {
  const width = Math.min(MAX_BAR_WIDTH, room);
  if (!transfer?.totalBytes || transfer.note !== undefined || width < MIN_BAR_WIDTH) return '';
  const share = Math.min(1, transfer.bytes / transfer.totalBytes);
  const full = Math.floor(share * width);
  return `[${'█'.repeat(full)}${'░'.repeat(width - full)}]  `;
}

function factsOf(source: SourceState, without: readonly Detail[] = []): string[] {
  const { ledger, outcome, error } = source;
  if (error) return [error.code];
  if (!ledger) return transferFacts(source, without);
  const rows = source.stage === 'done' ? `${countText(ledger.rows)} rows` : '';
  return [outcome ?? '', `${countText(ledger.records)} records`, rows].filter(Boolean);
}

function transferFacts({ transfer }: SourceState, without: readonly Detail[]): string[] {
  if (transfer?.note !== undefined) return [transfer.note];
  if (!transfer || transfer.bytes === 0) return [];
  const { bytes, totalBytes, bytesPerSecond, records, bytesWritten } = transfer;
  const facts: string[] = [];
  if (totalBytes) facts.push(`${Math.floor((bytes / totalBytes) * 100)}%`);
  if (!totalBytes) facts.push(bytesText(bytes));
  else if (!without.includes('bytes'))
    facts.push(`${bytesText(bytes)} of ${bytesText(totalBytes)}`);
  if (bytesPerSecond > 0) {
    facts.push(`${bytesText(bytesPerSecond)}/s`);
    if (totalBytes && totalBytes > bytes) {
      facts.push(`ETA ${durationText(((totalBytes - bytes) / bytesPerSecond) * 1000)}`);
    }
  }
  if (bytesWritten && !without.includes('records'))
    facts.push(`${bytesText(bytesWritten)} written`);
  if (records && !without.includes('records')) facts.push(`${countText(records)} records`);
  return facts;
}

function cut(line: string, width: number): string {
  return line.length <= width ? line : `${line.slice(0, Math.max(0, width - 1))}…`;
}
