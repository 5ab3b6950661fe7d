import fc from 'fast-check';

/** Shares of a buffer's length at which the test cuts it. */
export function cuts(): fc.Arbitrary<number[]> {
  return fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 12 });
}

export function cut(bytes: Buffer, shares: number[]): Buffer[] {
  const at = [0, ...shares.map((each) => Math.floor(each * bytes.length)), bytes.length];
  at.sort((a, b) => a - b);
  return at.slice(1).map((end, index) => bytes.subarray(at[index], end));
}

/** Bytes that are difficult for a state machine: quotes, all line ends, NUL, parts of UTF-8, a byte order mark. */
export function roughText(): fc.Arbitrary<Buffer> {
  const piece = fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom('"', ',', '\n', '\r', '\r\n', '""', '","') },
    { weight: 4, arbitrary: fc.constantFrom('a', 'bc', ' ', '5', '\0', 'long text ') },
    { weight: 2, arbitrary: fc.constantFrom('é', '’', '😀', '\ufeff') },
  );
  const broken = fc.constantFrom([0x92], [0x81], [0xe2, 0x80], [0xc3], [0xf0, 0x9f], [0xed, 0xa0]);
  const part = fc.oneof(
    { weight: 10, arbitrary: piece.map((text) => Buffer.from(text)) },
    { weight: 1, arbitrary: broken.map((bytes) => Buffer.from(bytes)) },
  );
  return fc.array(part, { maxLength: 80 }).map((parts) => Buffer.concat(parts));
}

/** A well-formed file with any line ends, needed and needless quotes, blank lines, ragged rows and a BOM. */
export function csvFile(): fc.Arbitrary<{ bytes: Buffer; delimiter: string }> {
  const options = fc.record({
    delimiter: fc.constantFrom(',', ';', '\t', '|'),
    lineEnd: fc.constantFrom('\r\n', '\n', '\r'),
    bom: fc.boolean(),
    lastLineEnd: fc.boolean(),
    rows: fc.array(row(), { minLength: 1, maxLength: 12 }),
  });
  return options.map(({ delimiter, lineEnd, bom, lastLineEnd, rows }) => {
    const lines = rows.map((fields) =>
      fields.map((each) => written(each, delimiter)).join(delimiter),
    );
    const text = lines.join(lineEnd) + (lastLineEnd ? lineEnd : '');
    return { bytes: Buffer.from((bom ? '\ufeff' : '') + text), delimiter };
  });
}

/**
 * A few kilobytes of many clean records of one shape, which the scanner's fast path reads. Between them are ragged
 * records, blank lines and rough text, which the fast path must leave to the slow one.
 */
export function mostlyCleanFile(): fc.Arbitrary<{ bytes: Buffer; delimiter: string }> {
  const options = fc.record({
    delimiter: fc.constantFrom(',', ';', '\t', '|'),
    columns: fc.integer({ min: 1, max: 5 }),
    bom: fc.boolean(),
    lastLineEnd: fc.boolean(),
    lineEnd: fc.constantFrom('\n', '\r\n'),
    quoteAll: fc.boolean(),
  });
  return options.chain(({ delimiter, columns, bom, lastLineEnd, lineEnd, quoteAll }) => {
    const line = (count: number) =>
      fc
        .array(longField(), { minLength: count, maxLength: count })
        .map((fields) =>
          fields
            .map(({ text, quoted }) => written({ text, quoted: quoted || quoteAll }, delimiter))
            .join(delimiter),
        )
        .map((text) => Buffer.from(text + lineEnd));
    const part = fc.oneof(
      { weight: 40, arbitrary: line(columns) },
      { weight: 1, arbitrary: fc.integer({ min: 1, max: 6 }).chain(line) },
      { weight: 1, arbitrary: fc.constantFrom('\n', '\r\n', '\r').map((end) => Buffer.from(end)) },
      { weight: 1, arbitrary: roughText().map((bytes) => bytes.subarray(0, 12)) },
    );
    const parts = fc.array(part, { maxLength: 60, size: 'max' });
    return fc.tuple(line(columns), parts).map(([header, parts]) => {
      const bytes = Buffer.concat([Buffer.from(bom ? '\ufeff' : ''), header, ...parts]);
      return { bytes: lastLineEnd ? bytes : bytes.subarray(0, -1), delimiter };
    });
  });
}

/** A field that is clean when it is written with quotes. Some fields reach over several windows of 64 bytes. */
function longField(): fc.Arbitrary<Field> {
  const piece = fc.constantFrom('', 'a', '12', ',', ';', '"', '""', '\n', '\r\n', 'é', '😀');
  const text = fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom('', '1', 'some text', 'naïve') },
    { weight: 2, arbitrary: fc.array(piece, { maxLength: 6 }).map((parts) => parts.join('')) },
    { weight: 1, arbitrary: fc.integer({ min: 50, max: 200 }).map((n) => 'x'.repeat(n)) },
  );
  return fc.record({ text, quoted: fc.boolean() });
}

interface Field {
  text: string;
  quoted: boolean;
}

function row(): fc.Arbitrary<Field[]> {
  const text = fc
    .array(fc.constantFrom('a', 'B1', ' ', ',', ';', '|', '\t', '"', '\n', '\r\n', '\r', 'é'), {
      maxLength: 5,
    })
    .map((parts) => parts.join(''));
  const field = fc.record({ text, quoted: fc.boolean() });
  const blank = fc.constant<Field[]>([{ text: '', quoted: false }]);
  return fc.oneof(
    { weight: 5, arbitrary: fc.array(field, { minLength: 3, maxLength: 3 }) },
    { weight: 1, arbitrary: fc.array(field, { minLength: 1, maxLength: 4 }) },
    { weight: 1, arbitrary: blank },
  );
}

function written({ text, quoted }: Field, delimiter: string): string {
  const must = /["\r\n]/.test(text) || text.includes(delimiter);
  return quoted || must ? `"${text.replaceAll('"', '""')}"` : text;
}
