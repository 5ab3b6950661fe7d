import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  exactText,
  JsonNumber,
  parseExactJson,
  type ExactJson,
} from '../../../src/landing/portals/json.ts';

const digits = fc.oneof(
  fc.bigInt().map(String),
  fc
    .tuple(fc.integer(), fc.stringMatching(/^\d{1,20}$/))
    .map(([whole, rest]) => `${whole}.${rest}`),
  fc
    .tuple(fc.integer(), fc.constantFrom('e', 'E'), fc.integer({ min: -400, max: 400 }))
    .map((each) => each.join('')),
  fc.constantFrom('NaN', 'Infinity', '-Infinity', '-0', '-0.0'),
);
const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom('\u0000', '\u0000n1', '\u0000s', '12', 'NaN', '"', '\\'),
);
const { value } = fc.letrec<{ value: ExactJson }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom(null, true, false),
    text,
    digits.map((each) => new JsonNumber(each)),
    fc.array(tie('value')),
    fc.dictionary(
      text.filter((key) => key !== '__proto__' && !key.startsWith('\u0000')),
      tie('value'),
      { noNullPrototype: true },
    ),
  ),
}));

test('what a portal sends keeps the digits of its numbers and every character of its texts', () => {
  fc.assert(
    fc.property(value, (given) => {
      const json = exactText(given);
      assert.equal(exactText(parseExactJson(json)), json);
      assert.deepEqual(parseExactJson(json), given);
    }),
  );
});

test('damaged JSON is refused', () => {
  for (const json of ['', '{', '{"a":1', '[1,]', '{"a":01}', '<html>', '{"a" 1}']) {
    assert.throws(() => parseExactJson(json), SyntaxError, json);
  }
});
