import fc from 'fast-check';

/** A CSV file with one thing wrong with it, and the tables that a reader may find in it. */
export interface PollutedFile {
  pollution: string;
  bytes: Buffer;
  /**
   * Tables that lose nothing: as written, or with the stray character in its cell. If none, only a refusal is right.
   */
  tables: string[][][];
}

interface Style {
  delimiter: string;
  lineEnd: string;
  quoteAll: boolean;
  encoding: 'utf-8' | 'utf-8 with a mark' | 'windows-1252' | 'mac roman' | 'cp437';
  lastLineEnd: boolean;
}

interface Written {
  /** The header and the records, each as a list of its written fields. */
  lines: string[][];
  table: string[][];
  style: Style;
  /** The number of the record to change (0 is the header), and a number that chooses a place in it. */
  at: number;
  choice: number;
}

type Pollute = (written: Written) => Omit<PollutedFile, 'pollution'> | undefined;

/** The kinds of pollution that the literature on messy CSV files names. Each file has one kind. */
const POLLUTIONS: Readonly<Record<string, Pollute>> = {
  nothing: ({ lines, style, table }) => file(lines, style, [table]),
  'a delimiter too many in a record': ({ lines, style, at, choice }) => {
    const fields = lines[at] ?? [];
    const place = choice % (fields.length + 1);
    const more = fields.toSpliced(place, 0, '');
    return file(lines.with(at, more), style, []);
  },
  'a delimiter too few in a record': ({ lines, style, at, choice }) => {
    const fields = lines[at] ?? [];
    const place = choice % (fields.length - 1);
    const merged = `${fields[place] ?? ''}${fields[place + 1] ?? ''}`;
    return file(lines.with(at, fields.toSpliced(place, 2, merged)), style, []);
  },
  'a quote in a record': ({ lines, style, table, at, choice }) => {
    const fields = lines[at] ?? [];
    const place = choice % fields.length;
    const field = fields[place] ?? '';
    const index = (choice >> 3) % (field.length + 1);
    const stray = `${field.slice(0, index)}"${field.slice(index)}`;
    const isText = !field.startsWith('"') && index > 0;
    const read = table.with(at, (table[at] ?? []).with(place, stray));
    return file(lines.with(at, fields.with(place, stray)), style, isText ? [read] : []);
  },
  'title lines above': ({ lines, style, choice }) => {
    const titles = [['Report of the year'], [''], ['As of May']].slice(0, 1 + (choice % 3));
    return file([...titles, ...lines], style, []);
  },
  'a title above, padded with delimiters': ({ lines, style, table }) => {
    const columns = table[0]?.length ?? 0;
    return file([['Report', ...Array<string>(columns - 1).fill('')], ...lines], style, []);
  },
  'footer lines': ({ lines, style }) =>
    file([...lines, [''], ['Source: City and County of Denver']], style, []),
  'no header': ({ lines, style }) => file(lines.slice(1), style, []),
  'another delimiter in a record': ({ lines, style, at, choice }) => {
    const other = otherDelimiter(style, choice);
    const fields = lines[at] ?? [];
    return file(lines.with(at, [fields.join(other)]), style, []);
  },
  'another delimiter from a record on': ({ lines, style, at, choice }) => {
    const other = otherDelimiter(style, choice);
    const changed = lines.map((fields, n) => (n < at || at === 0 ? fields : [fields.join(other)]));
    return at === 0 ? undefined : file(changed, style, []);
  },
  'bytes of Mac Roman': ({ lines, style, table }) => misread(lines, style, table, 'mac roman'),
  'bytes of a DOS code page': ({ lines, style, table }) => misread(lines, style, table, 'cp437'),
  'a byte of Windows-1252 in UTF-8': ({ lines, style, at }) => {
    const { bytes } = file(lines, { ...style, encoding: 'utf-8' }, []);
    const start =
      bytes.length - file(lines.slice(at), { ...style, encoding: 'utf-8' }, []).bytes.length;
    const stray = Buffer.concat([
      bytes.subarray(0, start),
      Buffer.from([0xe9]),
      bytes.subarray(start),
    ]);
    const isUtf8 = bytes.some((byte) => byte >= 0x80);
    return isUtf8 ? { bytes: stray, tables: [] } : undefined;
  },
  'other line breaks here and there': ({ lines, style, table, choice }) => {
    const ends = ['\n', '\r\n', '\r'];
    const text = lines
      .map((fields, n) => fields.join(style.delimiter) + (ends[(choice >> (n % 8)) % 3] ?? '\n'))
      .join('');
    return { bytes: encoded(text, style.encoding), tables: [table] };
  },
  'a delimiter at the end of every record, but not of the header': ({ lines, style }) =>
    file(
      lines.map((fields, n) => (n === 0 ? fields : [...fields, ''])),
      style,
      [],
    ),
  'a delimiter at the end of every line': ({ lines, style, table }) =>
    file(
      lines.map((fields) => [...fields, '']),
      style,
      [table.map((row) => [...row, ''])],
    ),
  'a line sep=': ({ lines, style, table }) =>
    file([[`sep=${style.delimiter}`], ...lines], style, [table]),
};

function misread(
  lines: string[][],
  style: Style,
  table: string[][],
  encoding: Style['encoding'],
): Omit<PollutedFile, 'pollution'> {
  const isAscii = !/[^\u0000-\u007f]/.test(lines.flat().join(''));
  return file(lines, { ...style, encoding }, isAscii ? [table] : []);
}

function otherDelimiter({ delimiter }: Style, choice: number): string {
  const others = [',', ';', '\t', '|'].filter((each) => each !== delimiter);
  return others[choice % others.length] ?? ',';
}

export function pollutedFile(): fc.Arbitrary<PollutedFile> {
  const pollutions = fc.constantFrom(...Object.keys(POLLUTIONS));
  return fc
    .tuple(pollutions, writtenTable())
    .map(([pollution, written]) => {
      const polluted = POLLUTIONS[pollution]?.(written);
      return polluted && { pollution, ...polluted };
    })
    .filter((each) => each !== undefined);
}

function writtenTable(): fc.Arbitrary<Written> {
  const style = fc.record({
    delimiter: fc.constantFrom(',', ';', '\t', '|'),
    lineEnd: fc.constantFrom('\n', '\r\n', '\r'),
    quoteAll: fc.boolean(),
    encoding: fc.constantFrom<Style['encoding']>('utf-8', 'utf-8 with a mark', 'windows-1252'),
    lastLineEnd: fc.boolean(),
  });
  // Each table has an id and a price. They show a human reader, too, that a record is not a header.
  const kinds = fc
    .array(fc.constantFrom(...Object.keys(CELLS)), { maxLength: 4 })
    .map((more) => ['id', 'price', ...more]);
  const shape = fc.record({
    style,
    kinds,
    rows: fc.integer({ min: 1, max: 12 }),
    at: fc.nat(),
    choice: fc.nat({ max: 1_000_000 }),
  });
  return shape.chain(({ style, kinds, rows, at, choice }) =>
    fc
      .tuple(...kinds.map((kind) => fc.array(cellOf(kind), { minLength: rows, maxLength: rows })))
      .map((columns) => {
        const names = kinds.map((kind, n) => (n < 2 ? kind : `${kind} ${n}`));
        const values = Array.from({ length: rows }, (_, row) =>
          columns.map((column, n) => (n === 0 ? String(row + 1) : (column[row] ?? ''))),
        );
        const table = [names, ...values];
        const lines = table.map((row) => row.map((cell) => writtenCell(cell, style)));
        return { lines, table, style, at: at % lines.length, choice };
      }),
  );
}

const CELLS: Readonly<Record<string, readonly string[]>> = {
  id: ['1'],
  price: ['5.00', '6.10', '12.95', '$7.25', '1234.50'],
  name: ['Ann', 'Bob, Jr', 'Café Müller', 'Noël', 'say "hi", twice', 'a; b', 'O|K', 'Chloë'],
  day: ['2020-01-31', '1/2/2021', '12/31/2019', ''],
  state: ['CO', 'NY', 'Denver, CO', ''],
  size: ['5" pipe', '6"', 'none', '12" x 5"'],
  note: ['line one\nline two', 'tab\there', 'x', '', 'semi;colon', 'comma, and more, and more'],
  count: ['0', '17', '230', '-4'],
};

function cellOf(kind: string): fc.Arbitrary<string> {
  return fc.constantFrom(...(CELLS[kind] ?? ['x']));
}

function writtenCell(cell: string, { delimiter, quoteAll }: Style): string {
  const must = /["\r\n]/.test(cell) || cell.includes(delimiter);
  return quoteAll || must ? `"${cell.replaceAll('"', '""')}"` : cell;
}

function file(
  lines: readonly (readonly string[])[],
  { delimiter, lineEnd, encoding, lastLineEnd }: Style,
  tables: string[][][],
): Omit<PollutedFile, 'pollution'> {
  const text = lines.map((fields) => fields.join(delimiter)).join(lineEnd);
  return { bytes: encoded(text + (lastLineEnd ? lineEnd : ''), encoding), tables };
}

const MAC_ROMAN: Readonly<Record<string, number>> = { é: 0x8e, ü: 0x9f, ë: 0x91 };
const CP437: Readonly<Record<string, number>> = { é: 0x82, ü: 0x81, ë: 0x89 };

function encoded(text: string, encoding: Style['encoding']): Buffer {
  if (encoding === 'utf-8') return Buffer.from(text);
  if (encoding === 'utf-8 with a mark') return Buffer.from(`\ufeff${text}`);
  const table = encoding === 'mac roman' ? MAC_ROMAN : encoding === 'cp437' ? CP437 : {};
  return Buffer.from(Array.from(text, (char) => table[char] ?? char.charCodeAt(0)));
}
