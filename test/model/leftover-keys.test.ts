import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { checkpointKey, partialKey } from '../../src/landing/checkpoint.ts';
import {
  attemptPrefix,
  isPartOfRun,
  landingManifestKey,
  landingNameOf,
  nextLandingKey,
  partialPartKey,
  partName,
  partPrefix,
  snapshotManifestKey,
  sourceEntryKey,
  sourcePrefix,
  stagedSchemaKey,
  parseLeftoverFile,
  parsePartKey,
  parseStagingKey,
  parseUploadKey,
} from '../../src/model/layout.ts';
import { fileNameOf } from '../../src/model/names.ts';

const day = fc
  .date({ min: new Date('2000-01-01'), max: new Date('2099-12-31'), noInvalidDate: true })
  .map((date) => date.toISOString().slice(0, 10));
const at = fc.record({
  dataset: fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?$/),
  ingestDate: day,
  source: fc.stringMatching(/^[A-Za-z0-9]([A-Za-z0-9_-]{0,20}[A-Za-z0-9])?$/),
  revision: fc.integer({ min: 1, max: 99 }),
});
const landing = fc
  .tuple(at, fc.webUrl({ withQueryParameters: true }), fc.nat({ max: 11 }))
  .map(([at, address, earlier]) => {
    let rawKey = sourcePrefix(at) + fileNameOf(address, at.source);
    for (let landings = 0; landings < earlier; landings += 1) rawKey = nextLandingKey(rawKey);
    return { at, rawKey, earlier };
  });

test('each landing of a source has a folder of its own, and the same file name', () => {
  fc.assert(
    fc.property(landing, ({ at, rawKey, earlier }) => {
      const [folder, file] = rawKey.slice(sourcePrefix(at).length).split('/');
      assert.ok(rawKey.startsWith(sourcePrefix(at)));
      if (earlier > 0) assert.equal(folder, `_landing${earlier + 1}`);
      assert.equal(landingNameOf(rawKey.slice(sourcePrefix(at).length)), file ?? folder);
    }),
  );
});

test('what an unfinished landing leaves is known by its key, whatever the publisher called the file', () => {
  fc.assert(
    fc.property(landing, fc.uuid(), ({ at, rawKey }, id) => {
      const { dataset, ingestDate } = at;
      const day = { dataset, ingestDate };
      const partial = partialKey(rawKey);
      assert.deepEqual(parseLeftoverFile('raw', partial), { ...day, kind: 'partial' });
      const checkpoint = checkpointKey(rawKey);
      assert.deepEqual(parseLeftoverFile('raw', checkpoint), { ...day, kind: 'checkpoint' });
      const temporary = `${sourcePrefix(at)}.${id}.tmp`;
      assert.deepEqual(parseLeftoverFile('raw', temporary), { ...day, kind: 'temporary' });
      assert.deepEqual(parseLeftoverFile('converted', temporary), { ...day, kind: 'temporary' });
      for (const key of [rawKey, partial]) assert.deepEqual(parseUploadKey(key), day);
    }),
  );
});

test('what is landed or published is no leftover', () => {
  fc.assert(
    fc.property(landing, fc.nat(9999), ({ at, rawKey }, index) => {
      const published = [
        ...(rawKey.endsWith('.partial') ? [] : [rawKey]),
        landingManifestKey(rawKey),
        sourceEntryKey(at),
        sourcePrefix(at) +
          partPrefix('0b0e1a52-7c3a-4a4e-9f4e-2f1f5a3f0c11', '01234567') +
          partName(index),
        snapshotManifestKey(at),
      ];
      for (const key of published) {
        assert.equal(parseLeftoverFile('raw', key), undefined, key);
        assert.equal(parseLeftoverFile('converted', key), undefined, key);
        assert.equal(parseStagingKey(key), undefined, key);
      }
    }),
  );
});

test('a part is known by its key, and so is what a killed writer left of it', () => {
  fc.assert(
    fc.property(
      at,
      fc.uuid(),
      fc.stringMatching(/^[0-9a-f]{8}$/),
      fc.nat(9999),
      (at, run, attempt, index) => {
        const { dataset, ingestDate } = at;
        const key = sourcePrefix(at) + partPrefix(run, attempt) + partName(index);
        assert.ok(isPartOfRun(key, run));
        assert.deepEqual(parsePartKey(key), { dataset, ingestDate });
        const partial = { dataset, ingestDate, kind: 'partial' };
        assert.deepEqual(parseLeftoverFile('converted', partialPartKey(key)), partial);
        assert.deepEqual(parseUploadKey(key), { dataset, ingestDate });
      },
    ),
  );
});

test("a run's staging is known by the run, a doctor's check by its name", () => {
  fc.assert(
    fc.property(fc.uuid(), fc.nat(9), (runId, attempt) => {
      assert.equal(parseStagingKey(stagedSchemaKey(runId, '2015')), runId);
      assert.equal(parseStagingKey(`${attemptPrefix(runId, '2015', attempt)}part`), runId);
      assert.equal(parseStagingKey(`_staging/doctor-${runId}/object`), `doctor-${runId}`);
    }),
  );
});

const DAY = 'denver-311/ingest_date=2026-11-23';
const TEMPORARY = '.0b0e1a52-7c3a-4a4e-9f4e-2f1f5a3f0c11.tmp';

for (const key of [
  'x.csv.partial',
  `${DAY}/x.csv.partial`,
  `${DAY}/source=2015/deeper/x.csv.partial`,
  `${DAY}/source=2015/.partial`,
  `${DAY}/source=2015/x.csv.partial.bak`,
  `${DAY}/source=2015/x.partial.checkpoint.json.bak`,
  `${DAY}/source=2015/x.csv.checkpoint.json`,
  `${DAY}/source=/x.csv.partial`,
  `${DAY}/source=../x.csv.partial`,
  `${DAY}/_r1/source=2015/x.csv.partial`,
  `${DAY}/_rx/source=2015/x.csv.partial`,
  `${DAY}/source=2015/part-notes.parquet`,
  `${DAY}/source=2015/part-01234567-89abcdef-00000.parquet.bak`,
  `${DAY}/part-01234567-89abcdef-00000.parquet`,
  `backup/${DAY}/source=2015/x.csv.partial`,
  `Denver/ingest_date=2026-11-23/source=2015/x.csv.partial`,
  `denver-311/ingest_date=2026-02-30/source=2015/x.csv.partial`,
  `denver-311/date=2026-11-23/source=2015/x.csv.partial`,
  `${DAY}/source=2015/x y.csv.partial`,
  `${DAY}/other/${TEMPORARY}`,
  `${DAY}/source=2015/notes.tmp`,
  TEMPORARY,
  '_staging/notes/x',
  '_staging/0b0e1a52-7c3a-4a4e-9f4e-2f1f5a3f0c11',
  'x/_staging/0b0e1a52-7c3a-4a4e-9f4e-2f1f5a3f0c11/x',
  '_staging/doctor-/x',
]) {
  test(`${key} is not ours to remove`, () => {
    assert.equal(parseLeftoverFile('raw', key), undefined);
    assert.equal(parseLeftoverFile('converted', key), undefined);
    assert.equal(parsePartKey(key), undefined);
    assert.equal(parseStagingKey(key), undefined);
  });
}
