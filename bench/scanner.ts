/**
 * How fast one core counts records, encoding evidence included, on data as the generator makes it:
 * `npm run bench -- scanner`. The goal is 500 MB/s on one core.
 */
import { CsvScanner } from '../src/landing/record-scanner.ts';
import { generate } from '../tools/generate/generate.ts';

const CHUNK_BYTES = 1024 * 1024;
/** Enough for half a second, and for a branch predictor not to learn it by heart. */
const TOTAL_BYTES = 256 * CHUNK_BYTES;
const ROUNDS = 5;

const FILES = [
  { dataset: 'denver-311', year: 2015, bomBytes: 0 },
  { dataset: 'denver-311', year: 2023, bomBytes: 3 },
  { dataset: 'denver-311', year: 2025, bomBytes: 0 },
  { dataset: 'denver-traffic-accidents', year: 2023, bomBytes: 0 },
  { dataset: 'denver-crime', year: 2019, bomBytes: 0 },
] as const;

for (const file of FILES) {
  const bytes = Buffer.concat([
    ...generate({ ...file, seed: 1, limit: { bytes: TOTAL_BYTES } }).chunks,
  ]);
  let best = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    best = Math.max(best, megabytesPerSecond(bytes, file.bomBytes));
  }
  const name = `${file.dataset} ${file.year}`;
  console.log(`${name.padEnd(32)} ${best.toFixed(0).padStart(6)} MB/s`);
}

function megabytesPerSecond(bytes: Buffer, bomBytes: number): number {
  const scanner = new CsvScanner({ delimiter: ',', quote: '"', bomBytes });
  // The processor's time, not the clock's: other work on the machine does not count.
  const start = process.cpuUsage();
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
    scanner.push(bytes.subarray(at, at + CHUNK_BYTES));
  }
  const scan = scanner.finish();
  const { user, system } = process.cpuUsage(start);
  if (scan.problems.length > 0 || scan.records === 0) throw new Error('The benchmark is broken.');
  return bytes.length / (user + system);
}
