/** `npm run bench -- local|s3|scanner|engines|reading|portal|table [options]`: runs a benchmark as its own program. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const BENCHMARKS = ['local', 's3', 'scanner', 'engines', 'reading', 'portal', 'table'];

const [name, ...options] = process.argv.slice(2);
const file = join(import.meta.dirname, `${name}.js`);
if (name === undefined || !BENCHMARKS.includes(name) || !existsSync(file)) {
  console.error(`Usage: npm run bench -- ${BENCHMARKS.join('|')} [options]`);
  process.exitCode = 2;
} else {
  const { status } = spawnSync(process.execPath, [file, ...options], { stdio: 'inherit' });
  process.exitCode = status ?? 1;
}
