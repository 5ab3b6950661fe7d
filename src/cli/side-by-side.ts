import { printable } from '../model/names.ts';

const GAP = '  ';
/** Of the terminal's width: longer cells are cut, so that the last one has room. */
const MAX_CELL_SHARE = 0.35;

/**
 * Rows of cells side by side, indented; the last cell is cut where the line would be wider than the terminal. Every cell is
 * made printable.
 */
export function sideBySide(rows: readonly (readonly string[])[], width: number): string[] {
  const maxCharacters = Math.floor(width * MAX_CELL_SHARE);
  const cells = rows.map((row) =>
    row.map((cell, index) =>
      index === row.length - 1 ? printable(cell) : cut(printable(cell), maxCharacters),
    ),
  );
  const widths = columnWidths(cells);
  return cells.map((row) => {
    const line = row.map((cell, index) =>
      index === row.length - 1 ? cell : cell.padEnd(widths[index] ?? 0),
    );
    return cut(GAP + line.join(GAP), width).trimEnd();
  });
}

function columnWidths(rows: readonly (readonly string[])[]): number[] {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [index, cell] of row.slice(0, -1).entries()) {
      widths[index] = Math.max(widths[index] ?? 0, cell.length);
    }
  }
  return widths;
}

/** Names of facts, and what is said of each, wrapped at the terminal's width. */
export function factLines(facts: readonly (readonly [string, string])[], width: number): string[] {
  const indent = Math.max(...facts.map(([name]) => name.length)) + 2 * GAP.length;
  return facts.flatMap(([name, text]) => {
    const [first = '', ...others] = wrapped(printable(text), width - indent);
    const head = `${GAP}${name}`.padEnd(indent) + first;
    return [head, ...others.map((line) => ' '.repeat(indent) + line)];
  });
}

/** At blanks; a word that is longer than the line stays whole, so that an address can be copied. */
export function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

function cut(text: string, characters: number): string {
  return text.length > characters ? `${text.slice(0, characters - 1)}…` : text;
}
