import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import type { CsvReading, CsvScan, Dialect, Positions } from '../../src/model/scan.ts';
import { ENGINES } from '../../src/model/dataset.ts';
import { landingManifestKey, snapshotManifestKey } from '../../src/model/layout.ts';
import type { LandingManifest, SnapshotManifest, SourceEntry } from '../../src/model/manifest.ts';
import { COLUMN_TYPES, type Schema } from '../../src/model/schema.ts';
import { DiskStore } from '../../src/storage/disk-store.ts';
import { SPARK_RESULT } from '../../src/storage/manifest-shapes.ts';
import { readJson, readLanding, readSnapshot, toJson } from '../../src/storage/manifests.ts';
import { asJson } from '../helpers/as-json.ts';
import { snapshotJson, snapshotOf } from '../helpers/manifests.ts';

const REF = { dataset: 'd', ingestDate: '2026-01-01', revision: 1 };
const KEY = snapshotManifestKey(REF);
const RAW_KEY = 'd/ingest_date=2026-01-01/source=a/a.csv';

let folder: string;
let store: DiskStore;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'longhaul-manifests-'));
  store = new DiskStore(folder);
});
after(async () => await rm(folder, { recursive: true, force: true }));

async function snapshotFrom(body: string | Buffer): Promise<SnapshotManifest> {
  await store.put(KEY, body);
  return await readSnapshot(store, REF);
}

describe('a manifest that is not what Longhaul wrote', () => {
  const good = snapshotJson(REF);
  const changed = (changes: object): string => toJson({ ...snapshotOf(REF), ...changes });
  const attacks: [string, string, RegExp][] = [
    ['nothing', '', /no JSON object/],
    ['a half of it', good.slice(0, good.length / 2), /no JSON object/],
    ['another JSON value', 'null', /no JSON object/],
    ['a list', `[${good}]`, /no JSON object/],
    ['an error page', '<html>502</html>', /no JSON object/],
    ['another number', good.replace('"rows": 0', '"rows": 1'), /match its checksum/],
    ['another day', good.replace('2026-01-01"', '2026-01-02"'), /match its checksum/],
    ['no checksum', JSON.stringify(snapshotOf(REF)), /match its checksum/],
    [
      'a newer version, whose checksum is made in another way',
      good.replace('snapshot/1', 'snapshot/2').replace('crc32:', 'xxh3:'),
      /does not read the format longhaul\/snapshot\/2/,
    ],
    ['a newer version', changed({ format: 'longhaul/snapshot/2' }), /does not read the format/],
    ['a landing', changed({ format: 'longhaul/landing/1' }), /does not read the format/],
    ['no format', changed({ format: undefined }), /does not read the format undefined/],
    ['a field of a newer one', changed({ deletedRows: 3 }), /Unrecognized key: "deletedRows"/],
    ['no sources', changed({ sources: undefined }), /sources: /],
    ['a count that is a text', changed({ revision: '1' }), /revision: /],
    ['a count below zero', changed({ ledger: { records: -1, rows: 0, rejected: 0 } }), /records/],
    ["another day's, with its checksum", changed({ ingestDate: '2026-01-02' }), /2026-01-02/],
    ["another dataset's", changed({ dataset: '\u001b[31m' }), /it belongs to/],
  ];
  for (const [name, body, why] of attacks) {
    it(`${name}: MANIFEST_UNREADABLE`, async () => {
      await assert.rejects(snapshotFrom(body), (error: Error & { code?: string }) => {
        assert.equal(error.code, 'MANIFEST_UNREADABLE');
        assert.match(error.message, why);
        assert.ok(error.message.includes(store.uri(KEY)));
        assert.ok(!error.message.includes('\u001b'));
        return true;
      });
    });
  }

  it('of a landing is refused too, and none is none', async () => {
    assert.equal(await readLanding(store, RAW_KEY), undefined);
    await store.put(landingManifestKey(RAW_KEY), good);
    await assert.rejects(readLanding(store, RAW_KEY), { code: 'MANIFEST_UNREADABLE' });
  });
});

describe('the result of a Spark job', () => {
  const read = async (json: string) => {
    await store.put('result.json', json);
    return await readJson(store, 'result.json', SPARK_RESULT);
  };
  it('is parts, or an error', async () => {
    const parts = [{ name: 'part-0.parquet', rows: 1, bytes: 2 }];
    for (const rest of [{ parts }, { error: { kind: 'java.lang.Error', message: 'x' } }]) {
      const result = { format: 'longhaul/spark-result/1', ...rest };
      assert.deepEqual(await read(JSON.stringify(result)), result);
    }
  });
  it('is nothing else', async () => {
    for (const json of ['{}', '{"format":"longhaul/spark-result/1"}', '{"parts":[]}']) {
      await assert.rejects(read(json), { code: 'MANIFEST_UNREADABLE' });
    }
  });
});

/** Manifests with and without their optional fields. JSON leaves out a field that is undefined. */
function manifests(): {
  landing: fc.Arbitrary<LandingManifest>;
  snapshot: fc.Arbitrary<SnapshotManifest>;
} {
  const count = fc.maxSafeNat();
  const text = fc.string({ unit: 'binary', maxLength: 8 });
  const moment = fc
    .date({ min: new Date('2020-01-01'), max: new Date('2100-01-01'), noInvalidDate: true })
    .map((date) => date.toISOString());
  const positions: fc.Arbitrary<Positions> = fc.record({
    count,
    examples: fc.array(
      fc.record(
        { record: count, line: count, byteOffset: count, fields: count },
        { requiredKeys: ['record', 'line', 'byteOffset'] },
      ),
      { maxLength: 2 },
    ),
  });
  const dialect: fc.Arbitrary<Dialect> = fc.record(
    {
      delimiter: fc.constantFrom(',', '\t'),
      delimiterFrom: fc.constantFrom('sep=', 'head'),
      quote: fc.constant('"'),
      bomBytes: fc.constantFrom(0, 3),
      sepLineBytes: count,
      header: fc.constant(false),
    },
    { requiredKeys: ['delimiter', 'quote', 'bomBytes'] },
  );
  const scan: fc.Arbitrary<CsvScan> = fc.record(
    {
      dialect,
      header: fc.array(text, { maxLength: 3 }),
      headerLine: count,
      records: count,
      blankLines: count,
      lineEnds: fc.record({ crlf: count, lf: count, cr: count }),
      quotedBreaks: count,
      bareQuotes: positions,
      maxRecordBytes: count,
      encoding: fc.record(
        {
          ascii: fc.boolean(),
          firstInvalidUtf8: count,
          firstMultibyteUtf8: count,
          firstUndefinedWindows1252: count,
          firstUnlikelyWindows1252: count,
        },
        { requiredKeys: ['ascii'] },
      ),
      splits: fc.array(count, { maxLength: 3 }),
      splitRecords: fc.array(count, { maxLength: 3 }),
      problems: fc.array(
        fc
          .tuple(
            positions,
            fc.constantFrom('ragged', 'quoting', 'unclosed-quote', 'nul', 'record-too-long'),
          )
          .map(([each, kind]) => ({ ...each, kind })),
        { maxLength: 2 },
      ),
    },
    { noNullPrototype: true },
  );
  const encoding = fc.constantFrom('utf-8' as const, 'windows-1252' as const);
  const validator = fc.record({ etag: text, lastModified: text }, { requiredKeys: [] });
  const reading: fc.Arbitrary<CsvReading> = fc.record({
    delimiter: fc.constantFrom(',', ';'),
    delimiterFrom: fc.constantFrom('declared', 'sep=', 'found'),
    encoding,
    encodingFrom: fc.constantFrom('declared', 'byte order mark', 'found'),
    header: fc.boolean(),
    bareQuotes: positions,
  });
  const yes = fc.constant(true as const);
  const schema: fc.Arbitrary<Schema> = fc.record({
    columns: fc.array(
      fc.record(
        {
          name: text,
          publisherName: text,
          type: fc.constantFrom(...COLUMN_TYPES),
          format: text,
          empty: yes,
          beyondDouble: yes,
          declared: yes,
        },
        { requiredKeys: ['name', 'publisherName', 'type'] },
      ),
      { maxLength: 3 },
    ),
  });
  const entry = fc.record(
    {
      id: text,
      url: text,
      status: fc.constantFrom('converted', 'unchanged', 'missing'),
      bytes: count,
      checksum: text,
      validator,
      records: count,
      rows: count,
      rejected: count,
      rawKey: text,
      encoding,
      csv: reading,
      dialect,
      blankLines: count,
      engine: fc.constantFrom(...ENGINES),
      schema,
      parquet: fc.array(fc.record({ key: text, rows: count, bytes: count, checksum: text }), {
        maxLength: 2,
      }),
      settingsKey: text,
    },
    { noNullPrototype: true },
  ) as fc.Arbitrary<SourceEntry>;
  const anyEntry = fc
    .tuple(entry, fc.boolean())
    .map(([{ csv, dialect, ...rest }, isMissing]) =>
      isMissing ? rest : { ...rest, csv, dialect },
    );
  return {
    landing: fc.record({
      format: fc.constant('longhaul/landing/1'),
      ...{ dataset: text, ingestDate: fc.constant('2026-01-01'), source: text, url: text },
      ...{ rawKey: text, bytes: count, checksum: text, validator, landedAt: moment, scan },
    }),
    snapshot: fc.record({
      format: fc.constant('longhaul/snapshot/1'),
      ...{ dataset: fc.constant('d'), ingestDate: fc.constant('2026-01-01') },
      revision: fc.constant(1),
      status: fc.constantFrom('published', 'unchanged'),
      ...{ runId: text, publishedAt: moment, sources: fc.array(anyEntry, { maxLength: 3 }) },
      ledger: fc.record({ records: count, rows: count, rejected: count }),
    }),
  };
}

describe('whatever a manifest says', () => {
  const { landing, snapshot } = manifests();

  it('it is read back equal', async () => {
    await fc.assert(
      fc.asyncProperty(landing, snapshot, async (landed, published) => {
        await store.put(landingManifestKey(RAW_KEY), toJson(landed));
        assert.deepEqual(await readLanding(store, RAW_KEY), asJson(landed));
        assert.deepEqual(await snapshotFrom(toJson(published)), asJson(published));
      }),
    );
  });

  it('of bytes that were changed or lost nothing is read, or what was written', async () => {
    const damage = fc.record({ at: fc.nat(), bit: fc.nat(7), cut: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(snapshot, damage, async (published, { at, bit, cut }) => {
        const bytes = Buffer.from(toJson(published));
        const index = at % bytes.length;
        bytes[index] = (bytes[index] as number) ^ (1 << bit);
        const damaged = cut ? bytes.subarray(0, index) : bytes;
        // If a blank between two fields becomes another blank, the JSON stays the same.
        let read: SnapshotManifest;
        try {
          read = await snapshotFrom(damaged);
        } catch (error) {
          assert.equal((error as { code?: string }).code, 'MANIFEST_UNREADABLE');
          return;
        }
        assert.deepEqual(read, asJson(published));
      }),
      { numRuns: 500 },
    );
  });
});
