/**
 * `npm run bench -- scanner`: measures how fast one core counts records and gathers the evidence for the encoding, with
 * the SIMD kernel and without it. The data comes from the generator. The goal is 1 GB/s on one core.
 */
import { scanKernel, type ScanKernel } from '../src/csv/clean-records.ts';
import { CsvScanner } from '../src/csv/scanner.ts';
import { generate } from '../tools/generate/generate.ts';

const CHUNK_BYTES = 1024 * 1024;
/** Enough for half a second, and too much for a branch predictor to learn. */
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
  let fast = 0;
  let slow = 0;
  // Both run in turn, so that other work on the machine slows both alike.
  for (let round = 0; round < ROUNDS; round += 1) {
    fast = Math.max(fast, megabytesPerSecond(bytes, file.bomBytes, scanKernel()));
    slow = Math.max(slow, megabytesPerSecond(bytes, file.bomBytes, null));
  }
  const name = `${file.dataset} ${file.year}`.padEnd(32);
  const alone = `${slow.toFixed(0).padStart(6)} MB/s without the kernel`;
  console.log(`${name} ${fast.toFixed(0).padStart(6)} MB/s ${alone}`);
}

function megabytesPerSecond(bytes: Buffer, bomBytes: number, kernel: ScanKernel | null): number {
  const dialect = { delimiter: ',', quote: '"' as const, bomBytes };
  const scanner = new CsvScanner(dialect, undefined, undefined, kernel);
  // CPU time is measured, because other work on the machine does not change it.
  const start = process.cpuUsage();
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
    scanner.push(bytes.subarray(at, at + CHUNK_BYTES));
  }
  const scan = scanner.finish();
  const { user, system } = process.cpuUsage(start);
  if (scan.problems.length > 0 || scan.records === 0) throw new Error('The benchmark is broken.');
  return bytes.length / (user + system);
}
