import Table from 'cli-table3';
import { printable } from '../../model/names.ts';

export interface TableOptions {
  /** Indexes of the columns whose cells are numbers. */
  right?: readonly number[];
  /** Longer cells are cut, with an ellipsis. */
  maxCellLength?: number;
}

/** A table for the terminal. Every cell is made safe: what strangers wrote cannot move the cursor. */
export function tableText(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  { right = [], maxCellLength = 120 }: TableOptions = {},
): string {
  const cell = (text: string): string => {
    const safe = printable(text);
    return safe.length > maxCellLength ? `${safe.slice(0, maxCellLength - 1)}…` : safe;
  };
  const table = new Table({
    head: head.map(cell),
    colAligns: head.map((_, index) => (right.includes(index) ? 'right' : 'left')),
    // Without colours of its own: the text may end in a file.
    style: { head: [], border: [], compact: true },
  });
  for (const row of rows) table.push(row.map(cell));
  return table.toString();
}
