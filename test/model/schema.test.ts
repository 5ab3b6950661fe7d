import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { COLUMN_TYPES, meet, type Column } from '../../src/model/schema.ts';

type Meeting = Parameters<typeof meet>[0];

const column = fc.oneof(
  fc.record({ type: fc.constantFrom(...COLUMN_TYPES) }),
  fc.constant<Meeting>({ type: 'VARCHAR', empty: true }),
  fc.constant<Meeting>({ type: 'BIGINT', beyondDouble: true }),
);

it('never lets an integer beyond 2^53 become a double', () => {
  assert.equal(meet({ type: 'BIGINT', beyondDouble: true }, { type: 'DOUBLE' }).type, 'VARCHAR');
  assert.equal(meet({ type: 'BIGINT' }, { type: 'DOUBLE' }).type, 'DOUBLE');
  const three: Meeting[] = [
    { type: 'BIGINT', beyondDouble: true },
    { type: 'BIGINT' },
    { type: 'DOUBLE' },
  ];
  assert.equal(three.reduce((a, b) => meet(a, b)).type, 'VARCHAR');
});

it('lets an empty column give way, and dates meet timestamps', () => {
  assert.equal(meet({ type: 'VARCHAR', empty: true }, { type: 'BIGINT' }).type, 'BIGINT');
  assert.equal(meet({ type: 'DATE' }, { type: 'TIMESTAMP' }).type, 'TIMESTAMP');
  assert.equal(meet({ type: 'DATE' }, { type: 'BIGINT' }).type, 'VARCHAR');
});

it('does not depend on the order in which sources meet', () => {
  fc.assert(
    fc.property(column, column, column, (a, b, c) => {
      const of = (...columns: Pick<Column, 'type'>[]): string =>
        columns.reduce((x, y) => meet(x, y)).type;
      assert.equal(of(a, b), of(b, a));
      assert.equal(of(a, b, c), of(c, b, a));
    }),
  );
});
