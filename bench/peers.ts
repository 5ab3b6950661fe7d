import { spawn } from 'node:child_process';

export interface Timed {
  seconds: number;
  stdout: string;
}

/** Runs a program to its end. @throws Error with the program's output if it fails. */
export async function timed(
  program: string,
  args: string[],
  env: Record<string, string> = {},
): Promise<Timed> {
  const startedAt = performance.now();
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  const [stdout, stderr] = [child.stdout, child.stderr].map((stream) => {
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    return chunks;
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  const text = (chunks: Buffer[] | undefined): string => Buffer.concat(chunks ?? []).toString();
  if (code !== 0) throw new Error(`${program} ended with ${code}: ${text(stderr)}${text(stdout)}`);
  return { seconds: (performance.now() - startedAt) / 1000, stdout: text(stdout) };
}

export interface DuckDbJob {
  csv: string;
  parquet: string;
  threads: number;
  memoryLimit: string;
}

/**
 * DuckDB's own typed COPY in a plain Node process. It takes types from the whole file, as Longhaul does.
 * Prints the number of rows and the process's peak memory in kB.
 */
const DUCKDB_COPY = `
import { DuckDBInstance } from '@duckdb/node-api';
import { readFileSync } from 'node:fs';
const { csv, parquet, threads, memoryLimit } = JSON.parse(process.env.BENCH_JOB);
const literal = (text) => "'" + text.replaceAll("'", "''") + "'";
const instance = await DuckDBInstance.create(':memory:', {
  threads: String(threads), memory_limit: memoryLimit, preserve_insertion_order: 'true',
});
const connection = await instance.connect();
const result = await connection.run(
  'COPY (FROM read_csv(' + literal(csv) + ', sample_size = -1, header = true)) TO ' + literal(parquet) +
  ' (FORMAT parquet, COMPRESSION zstd)');
const [[rows]] = await result.getRows();
const peak = /VmHWM:\\s+(\\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1];
console.log(JSON.stringify({ rows: Number(rows), peakKb: Number(peak) }));
`;

/** Does what a user without Longhaul would do: downloads the file, then converts it. */
export async function curlThenDuckDb(
  url: string,
  job: DuckDbJob,
): Promise<{ seconds: number; rows: number; peakBytes: number }> {
  const download = await timed('curl', ['--silent', '--fail', '--output', job.csv, url]);
  const copy = await duckDbCopy(job);
  return { ...copy, seconds: download.seconds + copy.seconds };
}

/** Runs DuckDB alone on a file on the disk. */
export async function duckDbCopy(
  job: DuckDbJob,
): Promise<{ seconds: number; rows: number; peakBytes: number }> {
  const copy = await timed(process.execPath, ['--input-type=module', '--eval', DUCKDB_COPY], {
    BENCH_JOB: JSON.stringify(job),
  });
  const { rows, peakKb } = JSON.parse(copy.stdout) as { rows: number; peakKb: number };
  return { seconds: copy.seconds, rows, peakBytes: peakKb * 1024 };
}
