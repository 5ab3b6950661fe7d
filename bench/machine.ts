import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, release, totalmem, type } from 'node:os';

const GIBIBYTE_BYTES = 1024 ** 3;

/** Facts of the machine that a reader needs to compare figures. */
export function machineFacts(): string {
  const memory = (totalmem() / GIBIBYTE_BYTES).toFixed(1);
  return [
    `${cpus()[0]?.model.trim() ?? 'unknown CPU'}, ${availableParallelism()} cores, ${memory} GiB`,
    `${type()} ${release()}, Node ${process.version}, DuckDB ${versionOf('@duckdb/node-api')}`,
    `Temporal SDK ${versionOf('@temporalio/worker')}`,
  ].join('\n');
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
}

function versionOf(name: string): string {
  const text = readFileSync(`node_modules/${name}/package.json`, 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
