import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { reportFile, type FileReport } from '../../src/conversion/file-report.ts';
import type { SourceOverrides } from '../../src/model/dataset.ts';
import { failureWith } from '../helpers/failure-with.ts';
import { csvFiles, typedValue } from '../csv/csv-files.ts';
import { cut, cuts } from '../csv/generators.ts';
import { referenceType } from './reference-types.ts';
import { scanOf } from './samples.ts';

const MIB = 1024 * 1024;

async function report(
  content: string | Buffer,
  {
    overrides = {},
    shares = [],
    limitBytes = Infinity,
  }: { overrides?: SourceOverrides; shares?: number[]; limitBytes?: number } = {},
): Promise<FileReport> {
  const bytes = Buffer.from(content as string);
  const pieces = async function* (): AsyncGenerator<Buffer> {
    yield* cut(bytes, shares);
  };
  const totalBytes = bytes.length;
  return await reportFile({ source: 'all', body: pieces(), overrides, limitBytes, totalBytes });
}

describe('the report of a file', () => {
  it('has the types that the written rules give, however the file arrives in pieces', async () => {
    const rows = fc.array(fc.tuple(typedValue(), typedValue()), { minLength: 1, maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(rows, cuts(), fc.boolean(), async (records, shares, isQuoted) => {
        const written = (value: string): string => (isQuoted ? `"${value}"` : value);
        const lines = records.map((record) => `${record.map(written).join(',')},x\n`);
        const overrides = { delimiter: ',', header: true };
        const { columns, records: count } = await report(`a,b,c\n${lines.join('')}`, {
          overrides,
          shares,
        });
        assert.equal(count, records.length);
        for (const index of [0, 1]) {
          const { name, publisherName, why, emptyRecords, examples, ...type } =
            columns[index] ?? assert.fail();
          const values = records.map((record) => record[index] ?? '');
          assert.deepEqual(type, referenceType(values));
          assert.equal(emptyRecords, values.filter((value) => value === '').length);
          assert.ok(why.length > 0 && examples.length <= 3 && name === publisherName);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('counts what the scanner of a landing counts', async () => {
    await fc.assert(
      fc.asyncProperty(csvFiles(), cuts(), async ({ content, delimiter, encoding }, shares) => {
        fc.pre(content.length > 0);
        const overrides = { delimiter, encoding, header: true };
        const { records, scan, isWhole, bytes } = await report(content, { overrides, shares });
        const expected = scanOf(content, { delimiter }, encoding);
        assert.deepEqual([records, isWhole, bytes], [expected.records, true, content.length]);
        const { lineEnds, blankLines, quotedBreaks, maxRecordBytes } = expected;
        const { encoding: _evidence, bomBytes, ...counts } = scan;
        assert.deepEqual(counts, { lineEnds, blankLines, quotedBreaks, maxRecordBytes });
        assert.equal(bomBytes, expected.dialect.bomBytes);
      }),
      { numRuns: 300 },
    );
  });

  it('ends with the last whole record below its limit', async () => {
    const content = `a,b\n${'1,"x\ny"\n'.repeat(200_000)}`;
    const { isWhole, bytes, records, problems } = await report(content, { limitBytes: MIB });
    assert.deepEqual([isWhole, problems], [false, []]);
    assert.ok(bytes <= MIB && bytes > MIB - 16);
    assert.equal(records, (bytes - 4) / 8);
  });

  for (const [what, values, why] of [
    ['integers', ['1', '-20', ''], 'all 2 values are integers; the longest has 2 digits'],
    [
      'decimals',
      ['1', '2.5'],
      'all 2 values are decimals; 1 of 2 values is no integer, "2.5" in record 2',
    ],
    [
      'a text among numbers',
      ['1', 'N/A', 'N/A', '4'],
      '2 of 4 values are no plain number, first "N/A" in record 2',
    ],
    [
      'a leading zero',
      ['80202', '07030', '1'],
      '1 of 3 values is no plain number, "07030" in record 2; a number would lose the leading zero',
    ],
    [
      'days that may be months',
      ['01/02/2020', '03/04/2021'],
      'all 2 values are of the format %m/%d/%Y; %d/%m/%Y fits too',
    ],
    ['texts', ['a', 'b'], 'no value is a plain number, a date or a timestamp'],
    ['nothing', ['', ''], 'no record has a value'],
  ] as const) {
    it(`says which values decide a column of ${what}`, async () => {
      const lines = values.map((value) => `x,${value}\n`).join('');
      const { columns } = await report(`k,v\n${lines}`, { overrides: { header: true } });
      assert.equal(columns[1]?.why, why);
    });
  }

  it('names the value that a declared type does not hold', async () => {
    const overrides: SourceOverrides = { types: { v: { type: 'BIGINT' } } };
    const { columns, problems } = await report('k,v\nx,1\ny,two\n', { overrides });
    assert.equal(columns[1]?.why, 'declared; 1 of 2 values is no BIGINT, "two" in record 2');
    assert.deepEqual(
      problems.map(({ code }) => code),
      ['VALUES_UNCONVERTIBLE'],
    );
  });

  it('says how the encoding is known, with the byte that decides', async () => {
    const reasons = [
      ['k,v\na,b\n', 'every byte is ASCII'],
      ['k,v\na,é\n', 'every byte is valid UTF-8; the first character beyond ASCII is at byte 6'],
      ['\ufeffk,v\na,b\n', 'byte order mark, and every byte is valid UTF-8'],
      [
        Buffer.from('k,v\na,caf\u00e9\n', 'latin1'),
        'byte 9 is not valid UTF-8, and every byte stands where a character of Windows-1252 may',
      ],
    ] as const;
    for (const [content, why] of reasons) {
      assert.equal((await report(content as string)).why.encoding, why);
    }
  });

  it('reports what a run would refuse, and all else nevertheless', async () => {
    const { columns, problems, records } = await report('k,v\n1,2\n3\n');
    assert.deepEqual([records, columns.length], [2, 2]);
    assert.deepEqual(
      problems.map(({ code }) => code),
      ['SOURCE_RAGGED'],
    );
  });

  it('reads a first record that may be data as the header, and says so', async () => {
    const { columns, problems } = await report('1,2020-01-01\n2,2020-01-02\n');
    assert.deepEqual(
      columns.map(({ type }) => type),
      ['BIGINT', 'DATE'],
    );
    assert.deepEqual(
      problems.map(({ code }) => code),
      ['SOURCE_HEADER_UNCLEAR'],
    );
  });

  it('does not hold a file in memory whose first quote never closes', async () => {
    const body = async function* (): AsyncGenerator<Buffer> {
      yield Buffer.from('a,b\n"');
      const piece = Buffer.alloc(8 * MIB, 'x');
      for (;;) yield piece;
    };
    const overrides = { delimiter: ',', header: true };
    const work = reportFile({ source: 'all', body: body(), overrides, limitBytes: Infinity });
    await failureWith(work, 'SOURCE_RECORD_TOO_LONG');
  });
});
