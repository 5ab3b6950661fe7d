/**
 * How fast one core counts records, encoding evidence included: `node --import tsx bench/scanner.ts`.
 * The goal is 500 MB/s on data like Denver's.
 */
import { CsvScanner } from '../src/landing/record-scanner.ts';
import type { Dialect } from '../src/model/scan.ts';

const CHUNK_BYTES = 1024 * 1024;
/** Enough for a second or so. */
const TOTAL_BYTES = 1024 * CHUNK_BYTES;
const MIN_BYTES = 16 * CHUNK_BYTES;
const ROUNDS = 3;
const DIALECT: Dialect = { delimiter: ',', quote: '"', bomBytes: 0 };

const SUMMARY = 'Caller asks, politely, why the alley behind the house was not swept this spring';
const VALUES = [
  ['Closed - Answer Provided', 'PocketGov', '07/31/2015', '07/31/2015 12:47:35 PM', '08/03/2015'],
  ['08/03/2015 11:59:59 PM', 'N', '80205', '1234 W EXAMPLE ST', '', '', '', '', '-105', '40'],
  ['Public Works', '', '', 'Complaint', '', '9', '2', 'Five Points'],
].flat();

const shapes: Record<string, (row: number) => string> = {
  'denver 2015 (quoted where needed)': (row) => `"${SUMMARY}",${row},${VALUES.join(',')}\r\n`,
  'denver 2024 (all quoted)': (row) =>
    `"${SUMMARY}","${row}",${VALUES.map((each) => `"${each}"`).join(',')}\r\n`,
  'quoted line breaks, UTF-8': (row) => `"${SUMMARY}\n«${row}»",${row},${VALUES.join(',')}\r\n`,
};

for (const [name, line] of Object.entries(shapes)) {
  const block = blockOf(line);
  let best = 0;
  for (let round = 0; round < ROUNDS; round += 1) best = Math.max(best, megabytesPerSecond(block));
  console.log(`${name.padEnd(36)} ${best.toFixed(0).padStart(6)} MB/s`);
}

function blockOf(line: (row: number) => string): Buffer {
  const lines: string[] = [];
  for (let row = 0, bytes = 0; bytes < MIN_BYTES; row += 1) {
    lines.push(line(row));
    bytes += line(row).length;
  }
  return Buffer.from(lines.join(''));
}

function megabytesPerSecond(block: Buffer): number {
  const scanner = new CsvScanner(DIALECT);
  // The processor's time, not the clock's: other work on the machine does not count.
  const start = process.cpuUsage();
  let bytes = 0;
  while (bytes < TOTAL_BYTES) {
    for (let at = 0; at < block.length; at += CHUNK_BYTES) {
      scanner.push(block.subarray(at, at + CHUNK_BYTES));
    }
    bytes += block.length;
  }
  const scan = scanner.finish();
  if (scan.problems.length > 0 || scan.records === 0) throw new Error('The benchmark is broken.');
  return bytes / process.cpuUsage(start).user;
}
