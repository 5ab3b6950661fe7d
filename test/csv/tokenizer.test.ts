import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parse } from 'csv-parse/sync';
import fc from 'fast-check';
import { fieldsOfRecord } from '../../src/csv/head-records.ts';
import { CsvScanner } from '../../src/csv/scanner.ts';
import { INCOMPLETE, Tokenizer } from '../../src/csv/tokenizer.ts';
import { csvFiles } from './csv-files.ts';
import { roughText } from './generators.ts';

interface Record {
  start: number;
  fields: string[];
}

/** Reads a text in blocks, without blank lines. A record that a block cuts comes again with the next block. */
function recordsOf(text: Buffer, delimiter: string, blockSizes: readonly number[] = []): Record[] {
  const tokenizer = new Tokenizer(delimiter.charCodeAt(0));
  const records: Record[] = [];
  let start = 0;
  for (const [index, size] of [...blockSizes, text.length].entries()) {
    const end = index === blockSizes.length;
    const limit = end ? text.length : Math.min(start + size, text.length);
    // The buffer has one more byte behind the block, because the tokenizer overwrites that byte.
    const bytes = Buffer.concat([text.subarray(0, limit), Buffer.from('x')]);
    while (start < limit) {
      const next = tokenizer.read(bytes, start, { start: 0, limit, end });
      if (next === INCOMPLETE) break;
      const fields = tokenizer.ends
        .slice(0, tokenizer.fields)
        .map((to, at) =>
          bytes.toString('latin1', at === 0 ? start : (tokenizer.ends[at - 1] ?? 0) + 1, to),
        );
      if (!tokenizer.isBlank(start)) records.push({ start, fields });
      start = next;
    }
  }
  return records;
}

describe('the two readers of RFC 4180', () => {
  it('find the same records and numbers of fields in any bytes', () => {
    fc.assert(
      fc.property(roughText(), (text) => {
        // In a file of one column, blank lines are records. The header therefore has two columns.
        const bytes = Buffer.concat([Buffer.from('a,b\n'), text]);
        const scanner = new CsvScanner({ delimiter: ',', quote: '"', bomBytes: 0 }, undefined, 1);
        scanner.push(bytes);
        const { splits, problems } = scanner.finish();
        const [header, ...records] = recordsOf(bytes, ',');
        assert.equal(header?.fields.length, 2);
        assert.deepEqual(
          records.map(({ start }) => start),
          splits,
        );
        const isUnclosed = problems.some(({ kind }) => kind === 'unclosed-quote');
        const ragged = records.filter(
          ({ fields }, at) => fields.length !== 2 && !(isUnclosed && at === records.length - 1),
        );
        assert.equal(problems.find(({ kind }) => kind === 'ragged')?.count ?? 0, ragged.length);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('the fields of a record', () => {
  it('are those of csv-parse, however the file is cut into blocks', () => {
    fc.assert(
      fc.property(csvFiles(), fc.array(fc.nat(60)), ({ content, delimiter }, blockSizes) => {
        const text = content.toString('latin1').replace(/^\u00ef\u00bb\u00bf/, '');
        const parsed: string[][] = parse(text, {
          delimiter,
          record_delimiter: ['\r\n', '\n', '\r'],
          relax_quotes: true,
          relax_column_count: true,
          skip_empty_lines: true,
        });
        const read = recordsOf(Buffer.from(text, 'latin1'), delimiter, blockSizes);
        const values = read.map(({ fields }) =>
          fields.flatMap((field) => fieldsOfRecord(field, delimiter).map((each) => each.text)),
        );
        assert.deepEqual(values, parsed);
      }),
      { numRuns: 1000 },
    );
  });

  it('say which quotes are not at both ends', () => {
    const cases: [string, string, boolean][] = [
      ['"a"', 'a', false],
      ['""', '', false],
      ['""""', '"', false],
      ['"a""b"', 'a"b', false],
      ['"a"b', 'a"b', true],
      ['"a"b"', 'a"b', true],
      ['"a""', 'a"', true],
      ['"', '', true],
      ['5"', '5"', true],
    ];
    for (const [field, text, oddQuotes] of cases) {
      assert.deepEqual(fieldsOfRecord(field, ','), [{ text, quoted: field[0] === '"', oddQuotes }]);
    }
  });
});
