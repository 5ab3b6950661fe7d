/**
 * `npm run size`: prints the size of the project: files and lines of `src`, its longest files, settings, commands, and
 * the files of `dist` that one `longhaul ingest` of one file loads in all its processes.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { SETTING_KEYS } from '../src/config/setting-keys.ts';

const CLI = resolve('dist/cli/main.js');
const LONGEST = 5;

const files = readdirSync('src', { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => ({ name: join('src', name), lines: linesOf(join('src', name)) }))
  .toSorted((a, b) => a.lines - b.lines);
const total = files.reduce((sum, { lines }) => sum + lines, 0);
const at = (share: number): number =>
  files[Math.min(files.length - 1, Math.floor(files.length * share))]?.lines ?? 0;

console.log(`files of src              ${files.length}`);
console.log(`lines of src              ${total}`);
console.log(`lines, median and p95     ${at(0.5)} and ${at(0.95)}`);
for (const { name, lines } of files.slice(-LONGEST).toReversed()) {
  console.log(`  longest                 ${lines} ${name}`);
}
console.log(`settings                  ${Object.keys(SETTING_KEYS).length}`);
console.log(`commands                  ${countCommands([])}`);
console.log(`files loaded by an ingest ${loadedByIngest().size}`);

function linesOf(path: string): number {
  return readFileSync(path, 'utf8').split('\n').length - 1;
}

/** Counts the commands that `--help` lists, and those below them, without `help`, which is Commander's own. */
function countCommands(path: readonly string[]): number {
  const help = execFileSync(process.execPath, [CLI, ...path, '--help'], { encoding: 'utf8' });
  const names = [...help.matchAll(/^ {2}([a-z][\w-]*)(?= |$)/gm)].map(([, name = '']) => name);
  const commands = [...new Set(names)].filter((name) => name !== 'help');
  if (path.length > 0) return commands.length;
  return commands.reduce((sum, name) => sum + (name === 'schedule' ? countCommands([name]) : 1), 0);
}

/** Node's hook for modules records the files that the command, its host and their children load. */
function loadedByIngest(): Set<string> {
  const folder = mkdtempSync(join(tmpdir(), 'longhaul-size-'));
  const log = join(folder, 'loaded');
  const csv = join(folder, 'one.csv');
  writeFileSync(csv, 'id,name\n1,Ann\n2,Bob\n');
  writeFileSync(
    join(folder, 'hook.mjs'),
    `import { appendFileSync } from 'node:fs';
export async function load(url, context, next) {
  appendFileSync(${JSON.stringify(log)}, url + '\\n');
  return await next(url, context);
}\n`,
  );
  const register = join(folder, 'register.mjs');
  writeFileSync(
    register,
    `import { register } from 'node:module';\nregister(${JSON.stringify(pathToFileURL(join(folder, 'hook.mjs')).href)});\n`,
  );
  const env = {
    ...process.env,
    LAKE: join(folder, 'data'),
    NODE_OPTIONS: `--import ${pathToFileURL(register).href}`,
  };
  try {
    const { status, stderr } = spawnSync(process.execPath, [CLI, 'ingest', csv], {
      env,
      encoding: 'utf8',
    });
    if (status !== 0) throw new Error(stderr);
    const dist = pathToFileURL(resolve('dist')).href;
    const urls = readFileSync(log, 'utf8').split('\n');
    return new Set(urls.filter((url) => url.startsWith(dist)));
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}
