import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { FileMetaData } from 'hyparquet';
import { dataFileOf } from '../../src/iceberg/data-file.ts';
import type { IcebergType } from '../../src/iceberg/table-schema.ts';

type Value = number | bigint | Buffer;

/** Values of the one column in each row group, with the number of nulls beside them. */
type Groups = { values: Value[]; nulls: number }[];

const LEAST: Partial<Record<IcebergType, (a: Value, b: Value) => number>> = {
  string: (a, b) => Buffer.compare(a as Buffer, b as Buffer),
};

function sorted(type: IcebergType, values: Value[]): Value[] {
  return values.toSorted(LEAST[type] ?? ((a, b) => (a < b ? -1 : a > b ? 1 : 0)));
}

/** A footer as a writer makes it: it has the least and the greatest value of each row group that has values. */
function footerOf(type: IcebergType, groups: Groups): FileMetaData {
  const row_groups = groups.map(({ values, nulls }) => {
    const inOrder = sorted(type, values);
    const statistics = {
      null_count: BigInt(nulls),
      ...(inOrder.length > 0 && { min_value: inOrder[0], max_value: inOrder.at(-1) }),
    };
    const num_values = BigInt(values.length + nulls);
    const data = { path_in_schema: ['v'], num_values, total_compressed_size: 8n, statistics };
    return { columns: [{ meta_data: data }] };
  });
  return {
    num_rows: 1n,
    schema: [{ name: 'root' }, { name: 'v' }],
    row_groups,
  } as unknown as FileMetaData;
}

function read(type: IcebergType, bytes: Buffer): Value {
  if (type === 'string') return bytes;
  if (type === 'date') return bytes.readInt32LE();
  return type === 'double' ? bytes.readDoubleLE() : bytes.readBigInt64LE();
}

const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const VALUES: Record<IcebergType, fc.Arbitrary<Value>> = {
  long: int64,
  timestamp: int64,
  date: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
  double: fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => number + 0),
  // These texts are short. Longer texts are cut, which test/real/table-conformance.test.ts covers.
  string: fc.string({ maxLength: 16, unit: 'grapheme-ascii' }).map((text) => Buffer.from(text)),
};

for (const [type, value] of Object.entries(VALUES) as [IcebergType, fc.Arbitrary<Value>][]) {
  test(`engines skip no file of several row groups that holds what they look for: ${type}`, () => {
    const group = fc.record({ values: fc.array(value, { maxLength: 5 }), nulls: fc.nat(3) });
    fc.assert(
      fc.property(fc.array(group, { minLength: 1, maxLength: 6 }), (groups) => {
        const file = dataFileOf(
          'file.parquet',
          { footer: footerOf(type, groups), bytes: 1 },
          { source: 's', ingest_date: 0 },
          [{ id: 3, name: 'v', required: false, type }],
        );
        const all = sorted(
          type,
          groups.flatMap(({ values }) => values),
        );
        const [lower, upper] = [file.lower_bounds[0]?.value, file.upper_bounds[0]?.value];
        assert.equal(lower !== undefined, all.length > 0);
        const nulls = groups.reduce((sum, each) => sum + each.nulls, 0);
        assert.equal(file.null_value_counts[0]?.value, nulls);
        if (!lower || !upper) return;
        assert.deepEqual([read(type, lower), read(type, upper)], [all[0], all.at(-1)]);
      }),
    );
  });
}
