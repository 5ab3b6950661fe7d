import { bytesText, countText } from '../model/texts.ts';
import { instanceHours, type EmrProgress } from '../model/emr.ts';
import { printable } from '../model/names.ts';
import type { CliContext } from './command.ts';
import type { RunState, SourceState, Wait } from './run-state.ts';
import { cut, durationText } from './text.ts';

export interface ProgressView {
  show(state: RunState): void;
  close(): void;
}

/** One view for each dataset. All views share one place of the terminal. */
export interface ProgressViews {
  open(dataset: string): ProgressView;
  /** Prints a sentence above the drawing. Running sources are drawn again at their next state. */
  readonly note: (text: string) => void;
  /** Erases the drawing, so that the CLI can print something else. */
  clear(): void;
}

/** Draws bars on a terminal, below the dataset's name if there are several. Elsewhere prints plain lines. */
export async function progressViews({
  interactive,
  note,
  width,
}: CliContext): Promise<ProgressViews> {
  if (!interactive) {
    return { open: (dataset) => plainLines(note, dataset), note, clear: () => undefined };
  }
  const { createLogUpdate } = await import('log-update');
  const update = createLogUpdate(process.stderr);
  const shown = new Map<string, RunState>();
  const draw = (): void => {
    const blocks = [...shown].map(([dataset, state]) => {
      const lines = progressLines(state, width);
      return shown.size === 1 ? lines : [dataset, ...lines];
    });
    update(blocks.flat().join('\n'));
  };
  const clear = (): void => update.clear();
  return {
    open: (dataset) => ({
      show: (state) => {
        // While no worker answers, the view keeps the last known sources.
        const sources = state.sources.length > 0 ? state.sources : shown.get(dataset)?.sources;
        shown.set(dataset, { ...state, sources: sources ?? [] });
        draw();
      },
      // The ledger, which the CLI prints next, replaces the bars.
      close: () => {
        shown.delete(dataset);
        clear();
      },
    }),
    note: (text) => {
      // If the drawing stayed, the next one would erase the sentence too.
      clear();
      note(text);
    },
    clear,
  };
}

/** Time between two lines of a source that stays in the same stage. */
const PLAIN_INTERVAL_MS = 5000;

/** @param now clock in milliseconds. */
export function plainLines(
  note: (text: string) => void,
  dataset: string,
  now: () => number = () => performance.now(),
): ProgressView {
  const said = new Map<string, { news: string; line: string; at: number }>();
  /** Prints a line if its news are new, or if it has changed and the last one is this old. */
  const say = (of: string, news: unknown, line: string, everyMs = Infinity): void => {
    const last = said.get(of);
    const text = JSON.stringify(news);
    if (last?.news === text && (last.line === line || now() - last.at < everyMs)) return;
    said.set(of, { news: text, line, at: now() });
    note(line);
  };
  return {
    show: (state) => {
      // The seconds of a wait and the hours of a cluster change all the time, so they are no news.
      for (const source of rowsOf(state)) {
        const { id, stage, wait } = source;
        if (stage === 'waiting' && !wait && !said.has(id)) continue;
        const line = progressLine(dataset, source);
        say(id, [stage, wait?.text, wait?.attempt], line, wait ? Infinity : PLAIN_INTERVAL_MS);
      }
      for (const wait of state.waits) {
        // Several activities may wait for the same, each at its own try.
        say(`wait ${wait.attempt} ${wait.text}`, '', `${dataset}: ${waitText(wait, Date.now())}`);
      }
      for (const line of state.emr ? emrLines(state.emr, Date.now()) : []) {
        const news = line.replace(/, [\d.]+ instance-hours.*$/, '');
        say(news.slice(0, news.indexOf(':')), news, `${dataset} ${line}`);
      }
    },
    close: () => undefined,
  };
}

function rowsOf({ sources, batch }: RunState): SourceState[] {
  return batch ? [...sources, batch] : sources;
}

/** The run as lines for a terminal, one for each source. @param width columns of the terminal. */
export function progressLines(state: RunState, width: number, nowMs = Date.now()): string[] {
  const rows = rowsOf(state);
  const idWidth = Math.max(0, ...rows.map(({ id }) => id.length));
  const lines = rows.map((source) => sourceLine(source, idWidth, width, nowMs));
  if (state.emr) lines.push(...emrLines(state.emr, nowMs).map((line) => cut(line, width)));
  const stage = state.stage === 'open' || state.stage === 'publish' ? state.stage : undefined;
  if (state.waits.length > 0) {
    const head = stage === undefined ? '' : `${stage}  `;
    lines.push(...state.waits.map((wait) => head + waitText(wait, nowMs, width - head.length)));
  } else if (stage !== undefined) lines.push(`${stage} …`);
  return lines.map((line) => cut(line, width));
}

/** Progress of a source as one plain line for a log. */
export function progressLine(dataset: string, source: SourceState, nowMs = Date.now()): string {
  const { wait } = source;
  const details = [...detailsOf(source), ...(wait ? [waitText(wait, nowMs)] : [])].join(', ');
  return printable(
    `${dataset} ${source.id}: ${source.stage}${details === '' ? '' : `, ${details}`}`,
  );
}

/**
 * For example `S3 did not answer …, try 4, next in 8 s`.
 * @param width columns. If they are too few, the text is cut and the numbers stay.
 */
function waitText(wait: Wait, nowMs: number, width = Number.POSITIVE_INFINITY): string {
  const { attempt, nextAttemptAtMs = 0, sinceMs } = wait;
  const details = present([
    attempt !== undefined && `try ${attempt}`,
    nextAttemptAtMs > nowMs && `next in ${durationText(nextAttemptAtMs - nowMs)}`,
    sinceMs !== undefined && `for ${durationText(nowMs - sinceMs)}`,
  ]);
  const tail = details.map((detail) => `, ${detail}`).join('');
  return cut(printable(wait.text), width - tail.length) + tail;
}

const STAGE_WIDTH = 'inspect'.length;
const MAX_BAR_WIDTH = 24;
/** Columns. A narrower bar does not show the progress. */
const MIN_BAR_WIDTH = 6;
const BAR_FRAME = '[]  '.length;

/** On a narrow terminal, the bar shrinks first, and then details are left out. Speed and time left stay. */
function sourceLine(source: SourceState, idWidth: number, width: number, nowMs: number): string {
  const head = `${printable(source.id).padEnd(idWidth)}  ${source.stage.padEnd(STAGE_WIDTH)}  `;
  const room = width - head.length;
  const texts = [0, 1, 2].map((less) => printable(detailsOf(source, less).join('  ')));
  const least = shareOf(source.transfer) !== undefined ? BAR_FRAME + MIN_BAR_WIDTH : 0;
  const details = texts.find((text) => text.length + least <= room) ?? texts.at(-1);
  if (source.wait) {
    const before = details ? `${head}${details}  ` : head;
    return before + waitText(source.wait, nowMs, width - before.length);
  }
  const text = details ?? '';
  return head + barOf(source, room - text.length - BAR_FRAME) + text;
}

function barOf({ transfer }: SourceState, room: number): string {
  const width = Math.min(MAX_BAR_WIDTH, room);
  const share = shareOf(transfer);
  if (share === undefined || transfer?.note !== undefined || width < MIN_BAR_WIDTH) return '';
  const full = Math.floor(share * width);
  return `[${'█'.repeat(full)}${'░'.repeat(width - full)}]  `;
}

/** The share of the bytes. The size of a portal's table is not known before its end, so its records count. */
function shareOf(transfer: SourceState['transfer']): number | undefined {
  const { bytes = 0, totalBytes, records = 0, totalRecords } = transfer ?? {};
  if (totalBytes) return Math.min(1, bytes / totalBytes);
  return totalRecords ? Math.min(1, records / totalRecords) : undefined;
}

/** @param less 1 leaves out the records and the written bytes, 2 also the read bytes of the total. */
function detailsOf(source: SourceState, less = 0): string[] {
  const { result, error, transfer } = source;
  if (error) return [error.code];
  if (result) {
    const { status, records, rows } = result;
    return [status, `${countText(records)} records`, `${countText(rows)} rows`];
  }
  if (transfer?.note !== undefined) return [transfer.note];
  if (!transfer || transfer.bytes === 0) return [];
  const {
    bytes,
    totalBytes = 0,
    bytesPerSecond,
    records = 0,
    totalRecords,
    bytesWritten = 0,
    sources,
  } = transfer;
  const share = shareOf(transfer);
  const ofTotal = totalRecords === undefined ? '' : ` of ${countText(totalRecords)}`;
  const isTimed = totalBytes > bytes && bytesPerSecond > 0;
  return present([
    share !== undefined && `${Math.floor(share * 100)}%`,
    totalBytes === 0 && bytesText(bytes),
    totalBytes > 0 && less < 2 && `${bytesText(bytes)} of ${bytesText(totalBytes)}`,
    bytesPerSecond > 0 && `${bytesText(bytesPerSecond)}/s`,
    sources && `${sources.done} of ${sources.total} sources`,
    isTimed && `ETA ${durationText(((totalBytes - bytes) / bytesPerSecond) * 1000)}`,
    bytesWritten > 0 && less < 1 && `${bytesText(bytesWritten)} written`,
    records > 0 && less < 1 && `${countText(records)}${ofTotal} records`,
  ]);
}

function present(details: readonly (string | false | undefined)[]): string[] {
  return details.filter((detail) => typeof detail === 'string');
}

/** One line for the cluster (`EMR j-…: STARTING, Provisioning …`), and one for each step that has not completed. */
function emrLines({ cluster, steps, earlierInstanceHours }: EmrProgress, nowMs: number): string[] {
  if (!cluster) return [];
  const { id, state, reason, isOurs } = cluster;
  // The hours of an ended cluster are in `earlierInstanceHours` already.
  const isCounted = state.startsWith('TERMINAT') && earlierInstanceHours > 0;
  const ofThis = isOurs && !isCounted ? instanceHours(cluster, nowMs) : 0;
  const hours = earlierInstanceHours + ofThis;
  const details = present([
    `EMR ${id}: ${state}`,
    reason !== '' && reason,
    !isOurs && "another owner's cluster",
    hours > 0 && `${hours.toFixed(2)} instance-hours so far`,
  ]);
  const open = steps.filter((step) => step.state !== 'COMPLETED');
  return [
    details.join(', '),
    ...open.map((step) => {
      const why = step.reason === undefined ? '' : `, ${step.reason}`;
      return `EMR step ${step.kind} (${step.id}): ${step.state}${why}`;
    }),
  ].map((line) => printable(line));
}

/** Text for `longhaul show`, with the completed steps and the address of the logs. */
export function emrText(emr: EmrProgress, nowMs: number): string[] {
  const done = emr.steps.filter(({ state }) => state === 'COMPLETED').length;
  const { logUri } = emr.cluster ?? {};
  return [
    ...emrLines(emr, nowMs),
    ...present([
      done > 0 && `EMR steps completed: ${done} of ${emr.steps.length}`,
      logUri !== undefined && `EMR logs: ${printable(logUri)}`,
    ]),
  ];
}
