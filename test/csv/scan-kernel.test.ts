import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { CleanRecords, scanKernel } from '../../src/csv/clean-records.ts';
import { CsvScanner } from '../../src/csv/scanner.ts';
import type { ScannerState } from '../../src/csv/scanner-state.ts';
import type { Dialect } from '../../src/model/scan.ts';
import { GENERATED_DATASETS, generate } from '../../tools/generate/generate.ts';
import { cut, cuts, mostlyCleanFile, roughText } from './generators.ts';

const WINDOW_BYTES = 64;
const DELIMITERS = [',', ';', '\t', '|'];
const RUNS = 3000;

/** Fails if, at the end of any piece, the scanner with the kernel differs from the scanner without it. */
function assertSame(pieces: Buffer[], dialect: Dialect, spacing?: number, resumed = false): void {
  const slow = new CsvScanner(dialect, undefined, spacing, null);
  let fast = new CsvScanner(dialect, undefined, spacing);
  for (const piece of pieces) {
    slow.push(piece);
    fast.push(piece);
    const state = fast.state();
    assert.deepEqual(state, slow.state());
    if (!resumed) continue;
    const copy = JSON.parse(JSON.stringify(state)) as ScannerState;
    fast = new CsvScanner(dialect, copy, spacing);
  }
  assert.deepEqual(fast.finish(), slow.finish());
}

function dialectOf(bytes: Buffer, delimiter = ','): Dialect {
  const bom = bytes.subarray(0, 3).equals(Buffer.from([0xef, 0xbb, 0xbf]));
  return { delimiter, quote: '"', bomBytes: bom ? 3 : 0 };
}

/** Runs the kernel after a header of `columns`. @returns where it stops and what it has counted. */
function cleanStretch(text: string, columns: number, stop = Infinity) {
  const kernel = scanKernel();
  assert.ok(kernel, 'this machine has SIMD');
  return new CleanRecords(kernel, Buffer.from(text, 'latin1'), 0x2c).from(0, stop, columns);
}

describe('clean records', () => {
  it('are passed and counted, with quotes, escaped quotes and line breaks in them', () => {
    const record = 'a,"b"",""\r\n","","é"\r\n';
    const last = 20 * record.length;
    const stretch = cleanStretch(record.repeat(20) + '"'.padEnd(WINDOW_BYTES), 4);
    assert.deepEqual(stretch, {
      end: last,
      records: 20,
      crlf: 20,
      maxRecordBytes: record.length - 2,
      quotedBreaks: 20,
    });
  });

  it('are left from the byte on where to stop', () => {
    assert.equal(cleanStretch('1,2\n'.repeat(40), 2, 10)?.end, 12);
    assert.equal(cleanStretch('1,2\n'.repeat(40), 2, 12)?.end, 12);
    assert.equal(cleanStretch('1,2\n'.repeat(40), 2, 0), undefined);
  });

  const unclean = [
    '1\n',
    '1,2,3\n',
    '\n',
    '\r\n',
    '1,\0\n',
    '1,2\r',
    '1,5" \n',
    '1,"x"y\n',
    '"1" ,2\n',
  ];
  for (const text of unclean) {
    it(`end before ${JSON.stringify(text)}, wherever in a window it is`, () => {
      for (let length = 4; length < 3 * WINDOW_BYTES; length += 1) {
        const before = `${'1'.repeat((length % 61) + 1)},2\n`.padEnd(length, '1,2\n');
        const clean = before.slice(0, before.lastIndexOf('\n') + 1);
        const stretch = cleanStretch(clean + text + '1,2\n'.repeat(WINDOW_BYTES), 2);
        assert.equal(stretch?.end, clean.length);
      }
    });
  }
});

describe('with the kernel and without it the scan and every state are the same', () => {
  it('for files of clean records with anything between them, cut anywhere', () => {
    const spacing = fc.integer({ min: 1, max: 700 });
    fc.assert(
      fc.property(
        mostlyCleanFile(),
        cuts(),
        spacing,
        fc.boolean(),
        ({ bytes, delimiter }, at, spacing, resumed) =>
          assertSame(cut(bytes, at), dialectOf(bytes, delimiter), spacing, resumed),
      ),
      { numRuns: RUNS },
    );
  });

  it('for one unusual place after any number of bytes', () => {
    const unusual = fc.oneof(
      roughText(),
      fc.constantFrom('"', ',', '\r', '\n', '\0').map((c) => Buffer.from(c)),
    );
    const length = fc.integer({ min: 0, max: 4 * WINDOW_BYTES });
    const record = fc.constantFrom(
      '1,2\n',
      '1,2\r\n',
      '"1","2"\n',
      '"a""","\r\n"\r\n',
      ',\n',
      '"",""\n',
    );
    fc.assert(
      fc.property(record, length, unusual, length, (record, before, middle, after) => {
        const head = Buffer.from(`a,b\n${record.repeat(4 * WINDOW_BYTES)}`).subarray(0, before + 4);
        const tail = Buffer.from(record.repeat(4 * WINDOW_BYTES)).subarray(0, after);
        const bytes = Buffer.concat([head, middle, tail]);
        assertSame([bytes], dialectOf(bytes), 200);
        assertSame([head, middle, tail], dialectOf(bytes), 200);
      }),
      { numRuns: RUNS },
    );
  });

  it('for a file larger than the memory, with records longer than it', () => {
    const lengths = [1, 60, 5_000, 20_000, 190_000, 196_544, 400_000];
    const lines = lengths.flatMap((length) => [
      `1,${'x'.repeat(length)}\n`,
      '1,2\n'.repeat(45_000),
      `1,"${'y""\n'.repeat(length / 4)}"\r\n`,
      '"1","2"\r\n'.repeat(8_000 + length),
      `1,5"${'z'.repeat(length)}\n\n3\n`,
    ]);
    const bytes = Buffer.from(`a,b\n${lines.join('')}`);
    assertSame([bytes], dialectOf(bytes), 100_000);
    const third = Math.floor(bytes.length / 3);
    assertSame(cut(bytes, [0.1, 0.2, 0.201, third / bytes.length, 0.9]), dialectOf(bytes), 100_000);
  });

  it('for a buffer that is filled again with other bytes', () => {
    const buffer = Buffer.alloc(1000);
    const slow = new CsvScanner(dialectOf(buffer), undefined, 100, null);
    const fast = new CsvScanner(dialectOf(buffer), undefined, 100);
    for (const text of ['a,b\n1,2\n', '"x",2\n1,2\n', '1\n2,3\n', '4,5\r\n6,7\r\n']) {
      buffer.fill(text);
      slow.push(Buffer.from(buffer));
      fast.push(buffer);
    }
    assert.deepEqual(fast.finish(), slow.finish());
  });

  it('for two files that are read in turns', () => {
    const files = ['a,b\n1,2\n"3","4"\n', 'a;b;c\r\n1;"2\n";3\r\n4\r\n'].map((text) =>
      Buffer.from(text.repeat(100)),
    );
    const scanners = files.map((_, n) => [
      new CsvScanner(dialectOf(Buffer.alloc(0), DELIMITERS[n]), undefined, 100, null),
      new CsvScanner(dialectOf(Buffer.alloc(0), DELIMITERS[n]), undefined, 100),
    ]);
    for (let at = 0; at < 2000; at += 150) {
      for (const [n, file] of files.entries())
        for (const each of scanners[n] ?? []) each.push(file.subarray(at, at + 150));
    }
    for (const [slow, fast] of scanners) assert.deepEqual(fast?.finish(), slow?.finish());
  });

  for (const dataset of GENERATED_DATASETS) {
    for (const year of [2015, 2019, 2023, 2025]) {
      it(`for ${dataset} ${year} as generated`, () => {
        const file = generate({ dataset, year, seed: 7, limit: { bytes: 1_500_000 } });
        const bytes = Buffer.concat([...file.chunks]);
        assertSame([bytes], dialectOf(bytes), 100_000);
        assertSame(cut(bytes, [0.001, 0.3, 0.30001, 0.7]), dialectOf(bytes), 100_000, true);
      });
    }
  }

  for (const name of ['311_service_data_2015', 'traffic_accidents_2014', 'crime']) {
    const file = `../shared/data/${name}.csv`;
    const skip = existsSync(file) ? false : 'the real samples are not beside this checkout';
    it(`for ${name}, also with a wrong delimiter`, { skip }, () => {
      const bytes = readFileSync(file);
      for (const delimiter of [',', ';', ' '])
        assertSame(cut(bytes, [0.1, 0.5]), dialectOf(bytes, delimiter), 100_000);
    });
  }
});
