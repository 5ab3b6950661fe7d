import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { test } from 'node:test';
import fc from 'fast-check';
import { inspect } from '../../src/conversion/inspect.ts';
import { COLUMN_TYPES } from '../../src/model/schema.ts';
import { LonghaulError } from '../../src/model/errors.ts';
import { typedValue } from '../csv/csv-files.ts';
import { referenceType } from './reference-types.ts';
import { inspected, landed, scratch } from './samples.ts';

test('a column has the type that the written rules give it, quoted or not', async (t) => {
  const store = await scratch(t);
  const column = fc.oneof(
    fc.array(typedValue(), { minLength: 1, maxLength: 4 }),
    typedValue().map((value) => [value, '', value]),
  );
  await fc.assert(
    fc.asyncProperty(
      column,
      fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }),
      async (values, quoted) => {
        const lines = values.map((value, row) => `${quoted[row] ? `"${value}"` : value},x`);
        const sample = await landed(store, `a,b\n${lines.join('\n')}\n`);
        const { name, publisherName, ...type } =
          (await inspected(sample)).columns[0] ?? assert.fail();
        assert.deepEqual({ name, publisherName }, { name: 'a', publisherName: 'a' });
        assert.deepEqual(type, referenceType(values));
      },
    ),
    { numRuns: 500 },
  );
});

test('a column takes the type of the table where that holds every value exactly, and its own elsewhere', async (t) => {
  const store = await scratch(t);
  const values = fc.array(typedValue(), { minLength: 1, maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(values, fc.constantFrom(...COLUMN_TYPES), async (texts, table) => {
      const sample = await landed(store, `a,b\n${texts.map((text) => `${text},x`).join('\n')}\n`);
      const [column] = (await inspected(sample, {}, new Map([['a', table]]))).columns;
      const own = referenceType(texts);
      const holds =
        own.empty === true ||
        table === 'VARCHAR' ||
        table === own.type ||
        (table === 'DOUBLE' && own.type === 'BIGINT' && own.beyondDouble !== true);
      assert.equal(column?.type, holds ? table : own.type);
      assert.equal(column?.declared, undefined);
      assert.equal(column?.empty, own.empty);
      if (table === own.type) assert.deepEqual({ ...column, ...own }, column);
    }),
    { numRuns: 300 },
  );
});

test('children find what one process finds', async (t) => {
  const line = '1,2.5,1/13/2019,x y\r\n';
  const count = Math.ceil((40 * 1024 * 1024) / line.length);
  const content = Buffer.from(`a,b,c,d\r\n${line.repeat(count)}9007199254740993,-7,12/1/2019,"z"`);
  const sample = await landed(await scratch(t), content);
  const { splits } = sample.scan;
  assert.ok(splits.length > 2);
  let done = 0;
  const { signal } = new AbortController();
  const request = {
    ...sample,
    overrides: {},
    signal,
    onProgress: (bytes: number) => (done = bytes),
  };
  const { columns } = await inspect(request);
  assert.equal(done, sample.bytes);
  const uncut = { ...sample.scan, splits: splits.slice(0, 1), splitRecords: [0] };
  assert.deepEqual((await inspect({ ...request, scan: uncut })).columns, columns);
  assert.deepEqual(
    columns.map((column) => column.type),
    ['BIGINT', 'DOUBLE', 'DATE', 'VARCHAR'],
  );
  assert.equal(columns[0]?.beyondDouble, true);
});

test('an abort ends inspection with its reason', async (t) => {
  const sample = await landed(await scratch(t), 'a,b\n1,2\n');
  const signal = AbortSignal.abort(new Error('enough'));
  const request = { ...sample, overrides: {}, signal, onProgress: () => undefined };
  await assert.rejects(inspect(request), /enough/);
});

test('values that a declared type does not hold are shown with record, byte and value', async (t) => {
  const sample = await landed(
    await scratch(t),
    'id,when\n1,2019-01-01\n\nx"y,2019-01-02\n"0""7",01/02/2019\n4,2019-02-30\n',
  );
  const types = { id: { type: 'BIGINT' as const }, when: { type: 'DATE' as const } };
  await assert.rejects(inspected(sample, { types }), (error) => {
    assert.ok(error instanceof LonghaulError);
    assert.equal(error.code, 'VALUES_UNCONVERTIBLE');
    assert.match(error.message, /Column "id" is declared BIGINT/);
    assert.match(error.message, /"x"y" \(record 2, byte 22\), "0"7" \(record 3, byte 37\)/);
    assert.match(
      error.message,
      /"01\/02\/2019" \(record 3, byte 44\), "2019-02-30" \(record 4, byte 57\)/,
    );
    return true;
  });
});

test('at most five misfits of a column are shown, cut and printable', async (t) => {
  const sample = await landed(
    await scratch(t),
    `id,x\n${`\u001b[31m${'y'.repeat(100)},\n`.repeat(9)}`,
  );
  await assert.rejects(inspected(sample, { types: { id: { type: 'DOUBLE' } } }), (error) => {
    assert.ok(error instanceof LonghaulError);
    assert.equal(error.message.match(/\(record /g)?.length, 5);
    assert.ok(!error.message.includes('\u001b'));
    assert.ok(error.message.length < 1000);
    return true;
  });
});

test('a declared column that the file does not have is named, with those that it has', async (t) => {
  const sample = await landed(await scratch(t), 'Case Id,b\n1,2\n');
  await assert.rejects(
    inspected(sample, { types: { case_no: { type: 'BIGINT' } } }),
    /"case_no".*case_id, b/,
  );
});

test('a column that the publisher renamed has its name in the lake, and its type by that', async (t) => {
  const store = await scratch(t);
  const aliases = { zip: 'zip_code', gone: 'never' };
  const sample = await landed(store, 'Zip,n\n80202,1\n');
  const { columns } = await inspected(sample, {
    aliases,
    types: { zip_code: { type: 'VARCHAR' } },
  });
  assert.deepEqual(
    columns.map(({ name, publisherName, type }) => [name, publisherName, type]),
    [
      ['zip_code', 'Zip', 'VARCHAR'],
      ['n', 'n', 'BIGINT'],
    ],
  );
  const both = await landed(store, 'Zip,Zip Code\n80202,1\n');
  await assert.rejects(inspected(both, { aliases }), {
    code: 'CONFIG_INVALID',
    message: /the columns "Zip" and "Zip Code" are both "zip_code"/,
  });
});

test('a declared type wins over the found one', async (t) => {
  const sample = await landed(await scratch(t), 'a,b,c\n1,1,1/2/2019\n2,,3/4/2019\n');
  const types = {
    a: { type: 'VARCHAR' as const },
    b: { type: 'DOUBLE' as const },
    c: { type: 'DATE' as const, format: '%d/%m/%Y' },
  };
  assert.deepEqual((await inspected(sample, { types })).columns, [
    { name: 'a', publisherName: 'a', type: 'VARCHAR', declared: true },
    { name: 'b', publisherName: 'b', type: 'DOUBLE', declared: true },
    { name: 'c', publisherName: 'c', type: 'DATE', format: '%d/%m/%Y', declared: true },
  ]);
});
