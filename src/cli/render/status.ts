import type { DatasetStatus } from '../status.ts';
import { tableText } from './table.ts';
import { countText, durationText, momentText } from './units.ts';

/** A line a dataset, and one that says whether all is well. */
export function statusText(datasets: readonly DatasetStatus[]): string {
  if (datasets.length === 0) return 'No datasets in datasets.yaml.';
  const rows = datasets.map(({ dataset, timeZone, state, last, due }) => [
    dataset,
    state,
    last
      ? `${last.ingestDate}${last.revision > 1 ? ` r${last.revision}` : ''}`
      : 'not published yet',
    last ? durationText(last.ageMs) : '',
    last ? countText(last.rows) : '',
    due ? `${due.ingestDate} (${momentText(new Date(due.at), timeZone)})` : '',
  ]);
  const head = ['dataset', 'state', 'last snapshot', 'age', 'rows', 'due'];
  const late = datasets.filter(({ state }) => state === 'late').map(({ dataset }) => dataset);
  const closing = late.length === 0 ? 'Nothing is late.' : `Late: ${late.join(', ')}.`;
  const future = datasets.flatMap(({ dataset, future: dates = [] }) =>
    dates.map((date) => `${dataset} ${date}`),
  );
  const ignored =
    future.length === 0
      ? ''
      : `\nNot counted, since the day is still to come: ${future.join(', ')}.`;
  return `${tableText(head, rows, { right: [3, 4] })}\n${closing}${ignored}`;
}
