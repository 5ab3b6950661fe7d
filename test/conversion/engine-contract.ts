import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite, test, type TestContext } from 'node:test';
import { parquetMetadata } from 'hyparquet';
import type { ConversionEngine } from '../../src/conversion/engine.ts';
import type { Encoding } from '../../src/model/dataset.ts';
import { LonghaulError } from '../../src/model/errors.ts';
import type { Column } from '../../src/model/schema.ts';
import type { Store } from '../../src/storage/store.ts';
import { readFooter } from '../../src/verification/footers.ts';
import { converted, expectedRows, inspected, landed, namesBelow, readBack } from './samples.ts';

/** Tests what every engine promises, on real files through its public interface, for any store. */
export function engineContract(
  name: string,
  createEngine: () => ConversionEngine,
  scratch: (t: TestContext) => Promise<Store>,
): void {
  suite(`${name} as an engine`, () => {
    for (const [what, sample] of Object.entries(SAMPLES)) {
      test(`writes what csv-parse reads: ${what}`, async (t) => {
        const store = await scratch(t);
        const file = await landed(store, sample.content, sample);
        assert.deepEqual(file.scan.problems, []);
        const result = await converted(createEngine(), file);
        const read = await readBack(result);
        assert.deepEqual(read.rows, expectedRows(file, result.schema));
        assert.deepEqual(
          read.names,
          result.schema.columns.map((column) => column.name),
        );
        assert.deepEqual(
          read.types,
          result.schema.columns.map((column) => column.type),
        );
        if (sample.types) assert.deepEqual(read.types, sample.types);
        if (sample.names) assert.deepEqual(read.names, sample.names);
        assert.equal(read.rows.length, file.scan.records);
        assert.deepEqual(
          await namesBelow(store, 'out/'),
          result.parts,
          'nothing but parts is left',
        );
        const footer = await readFooter(store, `out/${result.parts[0] ?? ''}`);
        assert.equal(footer.rows, file.scan.records);
      });
    }

    test('keeps a declared type', async (t) => {
      const file = await landed(await scratch(t), 'id,day\n1,01/02/2020\n2,02/03/2020\n');
      const result = await converted(createEngine(), file, {
        overrides: {
          types: { id: { type: 'VARCHAR' }, day: { type: 'DATE', format: '%d/%m/%Y' } },
        },
      });
      const read = await readBack(result);
      assert.deepEqual(read.types, ['VARCHAR', 'DATE']);
      assert.deepEqual(read.rows, [
        ['1', '2020-02-01'],
        ['2', '2020-03-02'],
      ]);
    });

    test('declares times as local ones, so that readers do not take them for instants in UTC', async (t) => {
      const store = await scratch(t);
      const file = await landed(store, 'at\n2019-07-01 23:30:00\n1969-12-31 00:00:00.5\n');
      const { parts } = await converted(createEngine(), file);
      const bytes = (await store.get(`out/${parts[0] ?? ''}`)) ?? assert.fail('no part');
      const at = parquetMetadata(bytes).schema.find((column) => column.name === 'at');
      assert.deepEqual(at?.logical_type, {
        type: 'TIMESTAMP',
        isAdjustedToUTC: false,
        unit: 'MICROS',
      });
      // Parquet's format asks for this type as well, for readers that do not know logical types.
      assert.equal(at.converted_type, 'TIMESTAMP_MICROS');
    });

    test('refuses bytes that are not of the declared encoding', async (t) => {
      const file = await landed(await scratch(t), Buffer.from('a,b\n\xe9,1\n', 'latin1'));
      const schema = {
        columns: ['a', 'b'].map((name) => ({
          name,
          publisherName: name,
          type: 'VARCHAR' as const,
        })),
      };
      await assert.rejects(
        converted(createEngine(), file, { schema }),
        (error) => error instanceof LonghaulError && error.code === 'SOURCE_ENCODING_UNCLEAR',
      );
    });

    for (const [column, value] of MISFITS) {
      test(`throws rather than drop ${value}, which is no ${column.type}`, async (t) => {
        const file = await landed(await scratch(t), `a,b\n1,${value}\n`);
        const b = { name: 'b', publisherName: 'b', ...column };
        const columns = [{ name: 'a', publisherName: 'a', type: 'BIGINT' as const }, b];
        await assert.rejects(
          converted(createEngine(), file, { schema: { columns } }),
          (error) => error instanceof LonghaulError && error.code === 'ENGINE_FAILED',
        );
      });
    }
  });
}

const REAL_SAMPLES: [file: string, rows: number, encoding: Encoding][] = [
  ['311_service_data_2015.csv', 47_170, 'windows-1252'],
  ['traffic_accidents_2014.csv', 4_171, 'utf-8'],
  ['crime.csv', 49_089, 'utf-8'],
];

/** Tests that engines write the rows of real files, where those are beside this checkout. */
export function realSamples(
  engines: Record<string, ConversionEngine>,
  scratch: (t: TestContext) => Promise<Store>,
): void {
  suite('the real samples', () => {
    for (const [name, count, encoding] of REAL_SAMPLES) {
      const path = join('..', 'shared', 'data', name);
      const skip = existsSync(path) ? false : `${name} is not beside this checkout`;
      const who = Object.keys(engines).join(' and ');
      test(`${name}: ${who} write what csv-parse reads`, { skip }, async (t) => {
        const file = await landed(await scratch(t), await readFile(path), { encoding });
        assert.deepEqual(file.scan.problems, []);
        assert.equal(file.scan.records, count);
        const expected = expectedRows(file, await inspected(file));
        for (const [engineName, engine] of Object.entries(engines)) {
          const { rows } = await readBack(await converted(engine, file, { name: engineName }));
          assert.equal(rows.length, count);
          // The test compares row by row, because an assertion on all rows would take minutes to print a difference.
          for (const [index, row] of rows.entries()) assert.deepEqual(row, expected[index]);
        }
      });
    }
  });
}

/** Each file has one misfit only, because the engine would report only one of two misfits. */
const MISFITS: [column: Pick<Column, 'type' | 'format'>, value: string][] = [
  [{ type: 'BIGINT' }, 'x'],
  [{ type: 'DOUBLE' }, 'x'],
  [{ type: 'DATE', format: '%m/%d/%Y' }, '13/45/2020'],
  [{ type: 'TIMESTAMP', format: '%m/%d/%Y %I:%M:%S %p' }, '1/2/2020'],
];

interface ContractSample {
  content: string | Buffer;
  delimiter?: string;
  header?: false;
  sepLineBytes?: number;
  encoding?: Encoding;
  types?: string[];
  names?: string[];
}

const longText = 'many words, "quoted" and not\n'.repeat(200_000);

const SAMPLES: Record<string, ContractSample> = {
  'every type': {
    content:
      'i,d,day,at,t\r\n1,1.5,1/2/2019,1/2/2019 9:51:11 AM,x\r\n-20,-0.25,12/31/2020,12/31/2020 12:00:00 PM,007\r\n,,,,\r\n',
    types: ['BIGINT', 'DOUBLE', 'DATE', 'TIMESTAMP', 'VARCHAR'],
  },
  'fractions of seconds, before 1970 and far ahead': {
    content:
      'at,day\n2019-01-02 03:04:05,1969-12-31\n1969-12-31 23:59:59.999999,0001-01-01\n0001-01-01 00:00:00.5,9999-12-31\n9999-12-31 23:59:59.000001,1970-01-01\n',
    types: ['TIMESTAMP', 'DATE'],
  },
  'midnight and noon by the half day': {
    content:
      'at,x\n1/1/2019 12:00:00 AM,a\n1/1/2019 12:00:00 PM,b\n1/1/2019 1:00:00 AM,c\n1/13/2019 11:59:59 PM,d\n',
    types: ['TIMESTAMP', 'VARCHAR'],
  },
  'empty fields, quoted or not': { content: 'a,b\n"",1\n,2\nx,""\n' },
  'blanks and the words NULL and NA, which are text': {
    content: 'a,b\n ,NULL\nNA,null\n"  ",\\N\n',
  },
  'line breaks inside quotes': {
    content: 'a,b\r\n"one\ntwo",1\r\n"three\r\nfour",2\r\n"x\ry",3\r\n',
  },
  'quotes inside quotes': { content: 'a,b\n"say ""hi""",1\n"""",2\n' },
  'bare quotes': { content: 'a,b\n5" pipe,1\nx"",2\n' },
  'Windows-1252': {
    content: Buffer.concat([
      Buffer.from('a,b\r\n'),
      Buffer.from([0x80, 0x92, 0xc6, 0x2c, 0x31, 0x0d, 0x0a]),
      Buffer.from([0x22, 0xe9, 0x2c, 0x9f, 0x22, 0x2c, 0xff, 0x0d, 0x0a]),
    ]),
    encoding: 'windows-1252',
  },
  'a byte order mark': { content: '\ufeffa,b\r\n1,ä\r\n', names: ['a', 'b'] },
  'a byte order mark before a quoted name with a comma': { content: '\ufeff"a,b",c\r\n1,ä\r\n' },
  'values that start with a byte order mark': { content: 'a,b\n\ufeffx,5" pipe\n\ufeffy,1\n' },
  'a header with a line break': { content: '"a\nb",c\n1,2\n3,4\n', names: ['a_b', 'c'] },
  'LF, CRLF and CR ends': { content: 'a,b\n1,2\r\n3,4\r5,6' },
  'CR ends only': { content: 'a,b\r1,x\r2,y\r' },
  'no line end after the last record': { content: 'a,b\r\n1,2\r\n3,4' },
  'blank lines': { content: 'a,b\n\n1,2\n\n\n3,4\n\n' },
  'one column with blank lines': { content: 'a\nx\n\ny\n""\nz\n', names: ['a'] },
  'one column of numbers': { content: 'a\n1\n\n3\n', types: ['BIGINT'] },
  'a header without rows': { content: 'a,b\n', types: ['VARCHAR', 'VARCHAR'] },
  'a header without rows or line end': { content: 'a,b' },
  'a column without values': { content: 'a,b\n1,\n2,\n', types: ['BIGINT', 'VARCHAR'] },
  'duplicate and blank names': {
    content: 'x,,x,X,\n1,2,3,4,5\n',
    names: ['x', 'column_2', 'x_2', 'x_3', 'column_5'],
  },
  'names that are numbers, in their place': {
    content: 'b,2015,a,1\nx,y,z,w\n',
    names: ['b', '2015', 'a', '1'],
  },
  'names of JavaScript objects': {
    content: '__proto__,constructor,toString,hasOwnProperty\n1,2,3,4\n',
  },
  'names that would be SQL or terminal codes': {
    content: '"x""); DROP TABLE t; --",\u001b[31mred,"\'; --"\n1,2,3\n',
  },
  'columns named source and ingest_date': {
    content: 'source,Ingest Date\n1,2\n',
    names: ['source_', 'ingest_date_'],
  },
  semicolons: { content: 'a;b\n1,5;"x;y"\n2,5;z\n', delimiter: ';' },
  tabs: { content: 'a\tb\n1\tx y\n2\t"t\tt"\n', delimiter: '\t' },
  'an unusual delimiter': { content: 'a~b\n1,5~x\n"2~"~"y,z"\n', delimiter: '~' },
  'no header': {
    content: '1,Ann,5.00\n2,"Bob, Jr",6.10\n',
    header: false,
    names: ['column_1', 'column_2', 'column_3'],
    types: ['BIGINT', 'VARCHAR', 'DOUBLE'],
  },
  'no header behind a byte order mark': { content: '\ufeff1,ä\r\n2,b\r\n', header: false },
  'no header, in a form that has to be written anew': {
    content: '1,5" pipe\n\n2,b\r\n3,c',
    header: false,
  },
  'no header, one column': { content: 'x\n\ny\n', header: false, names: ['column_1'] },
  'no header in Windows-1252': {
    content: Buffer.from('1,caf\xe9\n2,b\n', 'latin1'),
    header: false,
    encoding: 'windows-1252',
  },
  'the line sep=': {
    content: 'sep=;\r\na;b\r\n1;"x;y"\r\n2;z\r\n',
    delimiter: ';',
    sepLineBytes: 7,
    names: ['a', 'b'],
  },
  'the line sep= behind a byte order mark, and no header': {
    content: '\ufeffsep=\t\n1\tx\n2\ty\n',
    delimiter: '\t',
    sepLineBytes: 6,
    header: false,
  },
  'leading zeros and long integers': {
    content: 'zip,id,big\n00123,9007199254740993,123456789012345678901\n80202,1,1\n',
  },
  'numbers at the edge of a double': {
    content:
      'a,b\n0.1,123456.789\n-104.98765432109876,-0.5\n1234567890.12345,100\n0.30000000000000004,5.00\n',
    types: ['DOUBLE', 'DOUBLE'],
  },
  'a record longer than any buffer': {
    content: `a,b\n1,x\n2,"${longText.replaceAll('"', '""')}"\n3,z\n`,
  },
};
