import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import { parse } from 'csv-parse/sync';
import fc from 'fast-check';
import type { GeneratedDataset, GenerateOptions } from '../../tools/generate/generate.ts';
import { generate, GENERATED_DATASETS } from '../../tools/generate/generate.ts';
import { parseSize } from '../../tools/generate/size.ts';

/** Enough records for every rare thing to occur. */
const MANY = 1500;

describe('the generator', () => {
  test('makes the same bytes from the same seed, on every machine', () => {
    const digest = (dataset: GeneratedDataset, year: number): string =>
      createHash('sha256')
        .update(bytesOf(dataset, year, MANY))
        .digest('hex')
        .slice(0, 16);
    assert.deepEqual(
      {
        2015: digest('denver-311', 2015),
        2023: digest('denver-311', 2023),
        accidents: digest('denver-traffic-accidents', 2023),
        crime: digest('denver-crime', 2019),
      },
      EXPECTED_DIGESTS,
    );
  });

  test('makes other bytes from another seed', () => {
    const [one, two] = [1, 2].map((seed) => bytesOf('denver-311', 2023, 10, seed));
    assert.ok(one && two && !one.equals(two));
  });

  test('says exactly how many records and bytes it made', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...GENERATED_DATASETS),
        fc.integer({ min: 2012, max: 2027 }),
        fc.integer({ min: 0, max: 2 ** 31 }),
        fc.oneof(
          fc.record({ records: fc.integer({ min: 0, max: 1200 }) }),
          fc.record({ bytes: fc.integer({ min: 0, max: 300_000 }) }),
        ),
        (dataset, year, seed, limit) => {
          const { bytes, file } = collect({ dataset, year, seed, limit });
          const rows = recordsOf(bytes);
          assert.equal(file.records, rows.length - 1);
          assert.equal(file.bytes, bytes.length);
          assert.ok(rows.every((row) => row.length === rows[0]?.length));
          if ('records' in limit) assert.equal(file.records, limit.records);
          else assert.ok(file.records === 0 || file.bytes <= limit.bytes);
        },
      ),
      { numRuns: 15 },
    );
  });

  test('makes files that are larger than a chunk whole', () => {
    const limit = { bytes: 5_000_000 };
    const { bytes, file } = collect({ dataset: 'denver-311', year: 2021, seed: 7, limit });
    assert.equal(recordsOf(bytes).length - 1, file.records);
    assert.ok(bytes.length > limit.bytes - 1000 && bytes.length <= limit.bytes);
  });
});

describe('the quirks of the Denver files', () => {
  test('311 of 2015: Windows-1252, padded dates, whole-number coordinates, no quoted line breaks', () => {
    const bytes = bytesOf('denver-311', 2015, MANY);
    assert.ok(bytes.includes(0xc6) && bytes.includes(0xf4) && bytes.includes(0xa0));
    const [header, ...rows] = recordsOf(bytes);
    assert.equal(header?.[0], 'Case Summary');
    assert.equal(header.length, 24);
    assert.ok(rows.every((row) => /^\d\d\/\d\d\/2015$/.test(row[3] ?? '')));
    assert.ok(rows.every((row) => /^(-105|0|)$/.test(row[14] ?? '')));
    assert.ok(rows.every((row) => !row.some((field) => field.includes('\n'))));
  });

  for (const year of [2019, 2020, 2021, 2022, 2023]) {
    test(`311 of ${year}: UTF-8 with a byte order mark, CRLF ends, bare LF in quoted fields`, () => {
      const bytes = bytesOf('denver-311', year, MANY);
      assert.deepEqual([...bytes.subarray(0, 3)], [0xef, 0xbb, 0xbf]);
      const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
      const [header, ...rows] = recordsOf(bytes);
      assert.ok(text.includes('’') && text.includes('\r\n') && !/\r[^\n]/.test(text));
      assert.ok(rows.some((row) => row.some((field) => /[^\r]\n/.test(field))));
      assert.ok(rows.some((row) => row.some((field) => field.includes('"'))));
      assert.ok(rows.some((row) => row.some((field) => field.startsWith('\u00a0'))));
      const created = header?.findIndex((name) => /^Case.Created.Date$/.test(name)) ?? -1;
      assert.ok(rows.some((row) => /^[1-9]\/[1-9]\/\d{4}$/.test(row[created] ?? '')));
    });
  }

  test('311 headers drift: underscores in some years, the object id first or last in some', () => {
    const headers = [2019, 2020, 2022, 2023].map((year) =>
      recordsOf(bytesOf('denver-311', year, 1))[0]?.map((name) => name.replace('\uFEFF', '')),
    );
    assert.deepEqual(
      headers.map((header) => [header?.[0], header?.at(-1), header?.length]),
      [
        ['Case Summary', 'Neighborhood', 24],
        ['OBJECTID', 'Neighborhood', 25],
        ['Case_Summary', 'Neighborhood', 24],
        ['Case Summary', 'ObjectId', 25],
      ],
    );
  });

  test('311 of 2024 and 2025: every field quoted, Windows-1252, quoted line breaks', () => {
    for (const year of [2024, 2025]) {
      const bytes = bytesOf('denver-311', year, MANY);
      assert.ok(bytes.includes(0x92) && bytes.includes(0xa0));
      const text = bytes.toString('latin1');
      assert.ok(text.startsWith('"Case Summary","'));
      assert.ok(recordsOf(bytes).some((row) => row[0]?.includes('\n')));
      assert.ok(text.split('\r\n').every((line) => line === '' || /^".*"$/s.test(line)));
    }
  });

  test('311 zip codes hold 99999, ZIP+4, blanks and junk', () => {
    const zips = recordsOf(bytesOf('denver-311', 2021, MANY)).map((row) => row[8] ?? '');
    for (const form of [/^99999$/, /^\d{5}-\d{4}$/, /^$/, /[a-z.+]/]) {
      assert.ok(
        zips.some((zip) => form.test(zip)),
        String(form),
      );
    }
  });

  test('every dataset has exact duplicates', () => {
    for (const dataset of GENERATED_DATASETS) {
      const rows = recordsOf(bytesOf(dataset, 2021, MANY)).map((row) => row.join('\0'));
      assert.ok(new Set(rows).size < rows.length, dataset);
    }
  });

  test('traffic accidents have 17, 19, 45, 48 and 47 columns as the years go on', () => {
    const counts = [2014, 2016, 2019, 2023, 2026].map((year) => {
      const rows = recordsOf(bytesOf('denver-traffic-accidents', year, 50));
      return new Set(rows.map((row) => row.length));
    });
    assert.deepEqual(
      counts.map((each) => [...each]),
      [[17], [19], [45], [48], [47]],
    );
  });

  test('traffic accidents of 2014 end without a line end, the later ones with one', () => {
    assert.notEqual(bytesOf('denver-traffic-accidents', 2014, 5).at(-1), 0x0a);
    assert.equal(bytesOf('denver-traffic-accidents', 2016, 5).at(-1), 0x0a);
  });

  test('traffic accidents have long ids, padded offenses, blank-only values, optional fractions', () => {
    const early = recordsOf(bytesOf('denver-traffic-accidents', 2020, 12_000)).slice(1);
    const lengths = new Set(early.map((row) => row[2]?.length ?? 0));
    assert.equal(Math.min(...lengths), 14);
    assert.equal(Math.max(...lengths), 19);
    assert.ok(early.every((row) => row[5]?.length === 30));
    assert.ok(early.some((row) => row[20] === ' ') && early.some((row) => row[20] === ''));
    const late = recordsOf(bytesOf('denver-traffic-accidents', 2023, MANY)).slice(1);
    const times = late.map((row) => row[7] ?? '');
    assert.ok(times.some((time) => /:\d\d\.\d{6}$/.test(time)));
    assert.ok(times.some((time) => /:\d\d$/.test(time)));
  });

  test('crime quotes every field and leaves dates unpadded', () => {
    const bytes = bytesOf('denver-crime', 2019, MANY);
    assert.ok(
      bytes
        .toString()
        .split('\r\n')
        .every((line) => line === '' || /^".*"$/.test(line)),
    );
    const rows = recordsOf(bytes).slice(1);
    assert.ok(rows.some((row) => /^[1-9]\/[1-9]\/2019 [1-9]:/.test(row[6] ?? '')));
    assert.ok(rows.some((row) => row[9]?.includes('  ')));
    assert.ok(rows.some((row) => row[12] === ''));
  });
});

test('sizes are read as people write them', () => {
  assert.deepEqual(['2GB', '1.5MiB', '500', '10 kb', 'x', '-1', '1XB'].map(parseSize), [
    2e9,
    1.5 * 1024 ** 2,
    500,
    10_000,
    undefined,
    undefined,
    undefined,
  ]);
});

const EXPECTED_DIGESTS = {
  2015: 'e921ff7343aa1005',
  2023: '34114e2a170a8a86',
  accidents: 'ae3c96620913755f',
  crime: '54a23127eae5ad6c',
};

function bytesOf(dataset: GeneratedDataset, year: number, records: number, seed = 1): Buffer {
  return collect({ dataset, year, seed, limit: { records } }).bytes;
}

function collect(options: GenerateOptions): { bytes: Buffer; file: ReturnType<typeof generate> } {
  const file = generate(options);
  return { bytes: Buffer.concat([...file.chunks]), file };
}

function recordsOf(bytes: Buffer): string[][] {
  return parse(bytes, { encoding: 'utf8', bom: true, skip_empty_lines: true });
}
