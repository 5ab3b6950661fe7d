/**
 * `npm run build:tests [-- <option of tsc>…]`: compiles everything to JavaScript in `.built/`, once. Otherwise Node
 * would compile it anew in each test file, thread and child process, of which a full run has thousands. All other files
 * are linked into their places, so that a path beside a module leads to the same file there.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

const BUILT = '.built';
const COMPILED = ['src', 'test', 'tools', 'bench'];
const NOT_LINKED = new Set([...COMPILED, BUILT, '.git', '.gitignore']);

rmSync(BUILT, { recursive: true, force: true });
const compiler = spawnSync(
  'node_modules/.bin/tsc',
  ['-p', 'tsconfig.tests.json', ...process.argv.slice(2)],
  {
    stdio: 'inherit',
  },
);
if (compiler.status !== 0) process.exit(compiler.status ?? 1);
for (const name of readdirSync('.')) if (!NOT_LINKED.has(name)) link(name);
for (const folder of COMPILED) {
  for (const file of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (file.isFile() && !file.name.endsWith('.ts')) link(join(file.parentPath, file.name));
  }
}

function link(path: string): void {
  const place = join(BUILT, path);
  mkdirSync(dirname(place), { recursive: true });
  symlinkSync(resolve(path), place);
}
