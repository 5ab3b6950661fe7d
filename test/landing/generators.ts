import fc from 'fast-check';

/** Cuts at these shares of a buffer's length. */
export function cuts(): fc.Arbitrary<number[]> {
  return fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 12 });
}

export function cut(bytes: Buffer, shares: number[]): Buffer[] {
  const at = [0, ...shares.map((each) => Math.floor(each * bytes.length)), bytes.length];
  at.sort((a, b) => a - b);
  return at.slice(1).map((end, index) => bytes.subarray(at[index], end));
}

/** Bytes that a state machine trips over: quotes, all line ends, NUL, parts of UTF-8, a byte order mark. */
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

/** A well-formed file: any line ends, quoting where needed and where not, blank lines, ragged rows, a BOM. */
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
