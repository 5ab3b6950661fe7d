import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { shownAddress } from '../../src/model/addresses.ts';
import {
  ERROR_CATALOGUE,
  exitCodeOf,
  isRetryable,
  NON_RETRYABLE_CODES,
  type ErrorCode,
} from '../../src/model/errors.ts';
import {
  endingKey,
  landingManifestKey,
  nextLandingKey,
  parseManifestKey,
  parseRevisionOfKey,
  snapshotManifestKey,
  sourcePrefix,
  tombstoneKey,
} from '../../src/model/layout.ts';
import { assertBalanced, sumLedgers, assertVolume } from '../../src/model/ledger.ts';

describe('layout', () => {
  it('puts the first revision where the design says and later ones beside it', () => {
    const at = { dataset: 'd', ingestDate: '2026-11-23', source: '2015' };
    assert.equal(sourcePrefix({ ...at, revision: 1 }), 'd/ingest_date=2026-11-23/source=2015/');
    assert.equal(sourcePrefix({ ...at, revision: 2 }), 'd/ingest_date=2026-11-23/_r2/source=2015/');
    assert.equal(landingManifestKey('a.csv'), 'a.csv.manifest.json');
  });

  it('reads back every manifest key that it writes, and of which revision a file of a source is', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5000 }), (revision) => {
        const at = { dataset: 'denver-311', ingestDate: '2026-11-23', source: '2015', revision };
        const landing = nextLandingKey(`${sourcePrefix(at)}2015.csv`);
        assert.deepEqual(parseRevisionOfKey(landing), { ingestDate: at.ingestDate, revision });
        const ref = { dataset: 'denver-311', ingestDate: '2026-11-23', revision };
        for (const [keyOf, mark] of [
          [snapshotManifestKey, undefined],
          [tombstoneKey, 'unpublished'],
          [endingKey, 'ended'],
        ] as const) {
          assert.deepEqual(parseManifestKey(keyOf(ref)), { ref, mark });
        }
      }),
    );
    assert.equal(parseManifestKey('d/ingest_date=2026-11-23/_manifest.r1.json'), undefined);
    assert.equal(parseRevisionOfKey('d/ingest_date=2026-11-23/_r1/source=a/a.csv'), undefined);
    assert.equal(parseManifestKey('d/ingest_date=2026-11-23/source=a/_source.json'), undefined);
  });
});

describe('ledger', () => {
  it('says both numbers where it does not balance', () => {
    assert.throws(
      () => {
        assertBalanced({ records: 10, rows: 8, rejected: 1 }, 'a');
      },
      (error: Error) => /10 records/.test(error.message) && /8 rows/.test(error.message),
    );
    assertBalanced({ records: 10, rows: 9, rejected: 1 }, 'a');
    assert.deepEqual(sumLedgers([]), { records: 0, rows: 0, rejected: 0 });
  });
});

describe('volume guard', () => {
  it('holds a snapshot, or one source of it, with under half of the last rows', () => {
    const before = [
      { id: 'a', rows: 100 },
      { id: 'b', rows: 1000 },
    ];
    assert.throws(
      () => {
        assertVolume(
          [
            { id: 'a', rows: 49 },
            { id: 'b', rows: 1000 },
          ],
          before,
        );
      },
      { code: 'SNAPSHOT_SHRUNK' },
    );
    assert.throws(
      () => {
        assertVolume([{ id: 'a', rows: 100 }], before);
      },
      { code: 'SNAPSHOT_SHRUNK' },
    );
    assertVolume(
      [
        { id: 'a', rows: 50 },
        { id: 'b', rows: 900 },
        { id: 'c', rows: 0 },
      ],
      before,
    );
    assertVolume([{ id: 'a', rows: 0 }], []);
  });
});

describe('addresses as they are shown', () => {
  it('hold no credentials and no control characters', () => {
    assert.equal(shownAddress('https://user:pw@x.org/a.csv'), 'https://x.org/a.csv');
    assert.equal(
      shownAddress('https://b.s3.amazonaws.com/k?X-Amz-Signature=abc&x=1'),
      'https://b.s3.amazonaws.com/k?…',
    );
    assert.equal(shownAddress('https://x.org/csv?layers=0'), 'https://x.org/csv?layers=0');
    assert.doesNotMatch(shownAddress('https://x.org/\u001b[2J'), /\u001b/);
  });
});

describe('error catalogue', () => {
  it('says for each code what happened and what next, and never exits 0', () => {
    for (const [code, entry] of Object.entries(ERROR_CATALOGUE)) {
      assert.match(entry.happened, /[.?]$/, code);
      assert.ok(entry.next.length > 10, code);
      assert.notEqual(exitCodeOf(code as ErrorCode), 0);
      assert.equal(
        NON_RETRYABLE_CODES.includes(code as ErrorCode),
        !isRetryable(code as ErrorCode),
      );
    }
  });
});
