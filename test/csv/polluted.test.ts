import assert from 'node:assert/strict';
import { it } from 'node:test';
import { parse } from 'csv-parse/sync';
import fc from 'fast-check';
import { sniffHead } from '../../src/csv/dialect.ts';
import { decideEncoding, decode } from '../../src/csv/encoding.ts';
import { assertReadable } from '../../src/csv/readable.ts';
import { CsvScanner } from '../../src/csv/scanner.ts';
import { LonghaulError } from '../../src/model/errors.ts';
import { pollutedFile } from './polluted-files.ts';

const REFUSALS = new Set<string>([
  'SOURCE_RAGGED',
  'SOURCE_QUOTING',
  'SOURCE_DELIMITER_UNCLEAR',
  'SOURCE_HEADER_UNCLEAR',
  'SOURCE_ENCODING_UNCLEAR',
]);

/** The table that would be published, header first. @throws LonghaulError if the worker would refuse the file. */
function tableOf(bytes: Buffer): string[][] {
  const dialect = sniffHead(bytes, true, {});
  const scanner = new CsvScanner(dialect);
  scanner.push(bytes);
  const scan = scanner.finish();
  assertReadable(scan, 'all');
  const encoding = decideEncoding(scan);
  // The engines' contract says that engines read the same fields as csv-parse.
  const records: string[][] = parse(decode(bytes.subarray(scan.splits[0]), encoding), {
    delimiter: dialect.delimiter,
    record_delimiter: ['\r\n', '\n', '\r'],
    relax_quotes: true,
    skip_empty_lines: scan.header.length > 1,
  });
  return [scan.header, ...(scan.records === 0 ? [] : records)];
}

it('a file with one thing wrong is read as what it was, or refused by name: never as another table', () => {
  fc.assert(
    fc.property(pollutedFile(), ({ pollution, bytes, tables }) => {
      let table: string[][];
      try {
        table = tableOf(bytes);
      } catch (error) {
        if (!(error instanceof LonghaulError)) throw error;
        assert.ok(REFUSALS.has(error.code), error.code);
        assert.notEqual(pollution, 'nothing', `${error.message} ${JSON.stringify(String(bytes))}`);
        return;
      }
      const read = JSON.stringify(table);
      assert.ok(
        tables.some((each) => JSON.stringify(each) === read),
        `${pollution}: ${JSON.stringify(bytes.toString('latin1'))} was read as ${read}`,
      );
    }),
    { numRuns: 3000 },
  );
});
