import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { lakeText, parseLakeAddress, type LakeAddress } from '../../src/model/lake-address.ts';

const PLAIN = { noNullPrototype: true };
const bucket = fc.stringMatching(/^[a-z\d][a-z\d.-]{1,61}[a-z\d]$/);
const folderName = fc.stringMatching(/^[\w.=-]{1,20}$/).filter((name) => !/^\.{1,2}$/.test(name));
const s3Lake = fc.record(
  {
    kind: fc.constant('s3' as const),
    bucket,
    prefix: fc
      .array(folderName, { maxLength: 4 })
      .map((names) => names.map((n) => `${n}/`).join('')),
  },
  PLAIN,
);
const diskLake = fc.record(
  {
    kind: fc.constant('disk' as const),
    folder: fc.string({ unit: 'grapheme' }).map((text) => `/${text.replaceAll('\0', '')}`),
  },
  PLAIN,
);

describe("a lake's address", () => {
  it('that was printed is parsed to the same lake', () => {
    fc.assert(
      fc.property(fc.oneof(s3Lake, diskLake), (lake: LakeAddress) => {
        assert.deepEqual(parseLakeAddress(lakeText(lake)), lake);
      }),
    );
  });

  it('never leads out of its prefix, and parses or is refused, whatever is typed', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.string().map((text) => `s3://lake/${text}`),
        ),
        (text) => {
          const lake = parseLakeAddress(text);
          if (lake?.kind !== 's3') return;
          assert.match(lake.prefix, /^(?:[\w.=-]+\/)*$/);
          assert.ok(!`/${lake.prefix}`.includes('/../') && !`/${lake.prefix}`.includes('/./'));
        },
      ),
    );
  });

  const read: [string, LakeAddress][] = [
    ['data', { kind: 'disk', folder: 'data' }],
    ['../lake of mine', { kind: 'disk', folder: '../lake of mine' }],
    ['s3', { kind: 'disk', folder: 's3' }],
    ['/mnt/c:/lake', { kind: 'disk', folder: '/mnt/c:/lake' }],
    ['s3://lake', { kind: 's3', bucket: 'lake', prefix: '' }],
    ['s3://my.lake-1/', { kind: 's3', bucket: 'my.lake-1', prefix: '' }],
    ['s3://lake/a/b=1/', { kind: 's3', bucket: 'lake', prefix: 'a/b=1/' }],
  ];
  for (const [text, lake] of read) {
    it(`is read: ${text}`, () => assert.deepEqual(parseLakeAddress(text), lake));
  }

  for (const text of [
    '',
    's3:',
    's3:/lake',
    's3://',
    's3:///prefix',
    's3://Lake',
    's3://a',
    's3://user:secret@lake',
    's3://lake//b',
    's3://lake/../other',
    's3://lake/./a',
    's3://lake/*',
    's3://lake/a b',
    's3://lake?x=1',
    'S3://lake',
    's3a://lake',
    'gs://lake',
    'https://lake.s3.amazonaws.com',
    'file:///srv/lake',
    '~/lake',
    '~',
    'data\0',
  ]) {
    it(`is refused: ${JSON.stringify(text)}`, () => {
      assert.equal(parseLakeAddress(text), undefined);
    });
  }
});
