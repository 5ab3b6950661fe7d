/**
 * `npm run unit` and `npm test`: runs node:test over the test files of `.built/`. Its last line is plain:
 * `N passed, N failed` (`, N skipped`). It fails if a test fails, a file has no test, or no test ran.
 *
 *     node .built/tools/test.js unit|all [part of a file name…]
 */
import { readdirSync } from 'node:fs';
import { join, relative, resolve, sep } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';

/** For two cores: test files often wait for processes and timers. More files at once would slow each other down. */
const CONCURRENCY = 3;
/** Each file takes much less. One that hangs must not hang the whole run. */
const FILE_TIMEOUT_MS = 15 * 60 * 1000;
/** One screenful of lines. */
const SHOWN_FILES = 20;
const TESTS = join('.built', 'test');
const REAL_TESTS = `${join(TESTS, 'real')}${sep}`;

const [scope = 'all', ...parts] = process.argv.slice(2);
const files = testFiles().filter(
  (file) =>
    (scope === 'all' || !file.startsWith(REAL_TESTS)) &&
    (parts.length === 0 || parts.some((part) => file.includes(part))),
);
const counts = { passed: 0, failed: 0 };
const skipped: string[] = [];
const seconds = new Map<string, number>();

if (files.length === 0) finish('No test file fits.');
else runFiles();

function testFiles(): string[] {
  return readdirSync(TESTS, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.test.js'))
    .map((file) => join(TESTS, file))
    .toSorted();
}

function runFiles(): void {
  const paths = new Set(files.map((file) => resolve(file)));
  const stream = run({
    files: [...paths],
    concurrency: CONCURRENCY,
    timeout: FILE_TIMEOUT_MS,
  });
  stream.on('test:pass', ({ name, skip, details }) => {
    if (details.type === 'suite' && skip === undefined) return;
    if (paths.has(resolve(name))) fail(`${name} holds no test.`);
    else if (skip === undefined) counts.passed += 1;
    else skipped.push(`${name}${typeof skip === 'string' ? `: ${skip}` : ''}`);
  });
  stream.on('test:fail', ({ details, todo }) => {
    if (details.type !== 'suite' && todo === undefined) counts.failed += 1;
  });
  stream.on('test:pass', addTime);
  stream.on('test:fail', addTime);
  stream.once('end', () => process.once('beforeExit', () => finish()));
  stream.pipe(new spec()).pipe(process.stdout);
}

function fail(reason: string): void {
  counts.failed += 1;
  console.error(reason);
}

interface Ended {
  nesting: number;
  file?: string;
  details: { duration_ms: number };
}

function addTime({ nesting, file = '', details }: Ended): void {
  if (nesting > 0) return;
  seconds.set(file, (seconds.get(file) ?? 0) + details.duration_ms / 1000);
}

/** The files that took longest, as candidates for shorter tests. */
function slowest(): string[] {
  const files = [...seconds].toSorted(([, a], [, b]) => b - a).slice(0, SHOWN_FILES);
  return files.map(([file, took]) => `${took.toFixed(0).padStart(5)} s  ${relative('.', file)}`);
}

function finish(reason?: string): void {
  if (reason !== undefined) console.error(reason);
  for (const each of slowest()) console.log(each);
  for (const each of skipped) console.log(`skipped: ${each}`);
  const alsoSkipped = skipped.length > 0 ? `, ${skipped.length} skipped` : '';
  console.log(`${counts.passed} passed, ${counts.failed} failed${alsoSkipped}`);
  process.exitCode = counts.failed > 0 || counts.passed === 0 ? 1 : 0;
}
