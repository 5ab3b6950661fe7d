import type { createLogUpdate } from 'log-update';
import type { CliContext } from './context.ts';
import { emrLines } from './render/emr.ts';
import { progressLine, progressLines, waitText } from './render/progress.ts';
import type { RunState, Wait } from './run-state.ts';

export interface ProgressView {
  show(state: RunState): void;
  close(): void;
}

/** One view for each dataset, all in one place of the terminal. */
export interface ProgressViews {
  open(dataset: string): ProgressView;
  /** Makes room for something else; what is under way is drawn again at its next news. */
  clear(): void;
  /** Says a sentence above the bars, which stays. */
  note(text: string): void;
}

/** Bars that are drawn over on a terminal; else a plain line now and then. */
export async function progressViews(context: CliContext): Promise<ProgressViews> {
  if (!context.interactive) {
    return {
      open: (dataset) => plainLines(context, dataset),
      clear: () => undefined,
      note: (text) => context.note(text),
    };
  }
  const { createLogUpdate } = await import('log-update');
  const update = createLogUpdate(process.stderr);
  const note = (text: string): void => {
    // What is drawn over is taken away first: else the next drawing would erase the sentence with it.
    update.clear();
    context.note(text);
  };
  return { ...bars(context.width, update), note };
}

type Draw = Pick<ReturnType<typeof createLogUpdate>, 'clear'> & ((text: string) => void);

/** Of several datasets each has its name above its bars. */
function bars(width: number, update: Draw): Omit<ProgressViews, 'note'> {
  const shown = new Map<string, RunState>();
  const draw = (): void => {
    const blocks = [...shown].map(([dataset, state]) => {
      const lines = progressLines(state, width);
      return shown.size === 1 ? lines : [dataset, ...lines];
    });
    update(blocks.flat().join('\n'));
  };
  return {
    open: (dataset) => ({
      show: (state) => {
        // While no worker answers, the sources are as they were last seen.
        const sources = state.sources.length > 0 ? state.sources : shown.get(dataset)?.sources;
        shown.set(dataset, { ...state, sources: sources ?? [] });
        draw();
      },
      // The ledger says it all again, and better.
      close: () => {
        shown.delete(dataset);
        update.clear();
      },
    }),
    clear: () => update.clear(),
  };
}

/** Between two lines of a source that is at the same stage still. */
const PLAIN_INTERVAL_MS = 5000;

/** @param now milliseconds. */
export function plainLines(
  context: Pick<CliContext, 'note'>,
  dataset: string,
  now: () => number = () => performance.now(),
): ProgressView {
  const told = new Map<string, { stage: string; line: string; at: number }>();
  const waited = new Set<string>();
  /** A wait is told once for each try: its seconds go down all the time. */
  const isNewWait = (of: string, { text, attempt = 0 }: Wait): boolean => {
    const key = JSON.stringify([of, text, attempt]);
    const isNew = !waited.has(key);
    waited.add(key);
    return isNew;
  };
  return {
    show: (state) => {
      for (const source of state.sources) {
        const last = told.get(source.id);
        const line = progressLine(dataset, source);
        const isStage = last ? last.stage !== source.stage : source.stage !== 'waiting';
        const isNews = (source.wait && isNewWait(source.id, source.wait)) || isStage;
        const isDue = last && last.line !== line && now() - last.at >= PLAIN_INTERVAL_MS;
        if (!isNews && (!isDue || source.wait)) continue;
        told.set(source.id, { stage: source.stage, line, at: now() });
        context.note(line);
      }
      for (const wait of state.waits) {
        if (isNewWait('', wait)) context.note(`${dataset}: ${waitText(wait, Date.now())}`);
      }
      for (const line of state.emr ? emrLines(state.emr, Date.now()) : []) {
        // Hours go up all the time; what is said of the rest is news.
        const news = line.replace(/, [\d.]+ instance-hours.*$/, '');
        const key = `emr ${news.slice(0, news.indexOf(':'))}`;
        if (told.get(key)?.line === news) continue;
        told.set(key, { stage: 'emr', line: news, at: now() });
        context.note(`${dataset} ${line}`);
      }
    },
    close: () => undefined,
  };
}
