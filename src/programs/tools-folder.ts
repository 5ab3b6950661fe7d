import { constants } from 'node:fs';
import {
  access,
  mkdir,
  mkdtemp,
  readdir,
  rename,
  rm,
  stat,
  readFile,
  chmod,
} from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { LonghaulError } from '../model/errors.ts';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Installer } from './locate.ts';

/** From src/programs and from dist/programs alike. */
const PACKAGE_ROOT = resolve(import.meta.dirname, '../..');

/** About 100 MB over a slow line, or a build on a slow machine. */
export const FETCH_TIMEOUT_MS = 15 * 60_000;

/** `.tools` beside this package's package.json. */
export function packageToolsDir(): string {
  return join(PACKAGE_ROOT, '.tools');
}

/** The first of the paths whose folder is there, or can be made, and can be written. */
export async function firstWritable(
  paths: readonly string[],
  tried: string[],
): Promise<string | undefined> {
  for (const path of paths) {
    const folder = dirname(path);
    try {
      await mkdir(folder, { recursive: true });
      await access(folder, constants.W_OK);
      return path;
    } catch {
      tried.push(`${folder} cannot be written`);
    }
  }
  return undefined;
}

/**
 * Puts a file or a folder at `path`, whole or not at all: it is made in a scratch folder on the same disk, and renamed. Two
 * at once do the work twice; of two folders the first one's stays.
 * @param make fills the scratch folder. @returns what in it is wanted.
 */
export async function makeWhole(
  path: string,
  make: (scratch: string) => Promise<string>,
): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await removeAbandoned(dirname(path));
  const scratch = await mkdtemp(join(dirname(path), SCRATCH_PREFIX));
  try {
    await rename(await make(scratch), path).catch((error: unknown) => {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
    });
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** What a killed process left: up to hundreds of MB a time. */
async function removeAbandoned(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!name.startsWith(SCRATCH_PREFIX)) continue;
    const path = join(folder, name);
    const ageMs = Date.now() - ((await stat(path).catch(() => undefined))?.mtimeMs ?? Date.now());
    // Each of the steps of a fetch that is under way may take its whole time.
    if (ageMs > 2 * FETCH_TIMEOUT_MS) await rm(path, { recursive: true, force: true });
  }
}

const SCRATCH_PREFIX = '.fetching-';

/** An outside program at one version. */
export interface Pin {
  /** What `origin` calls it: a wheel's name, a Go package's path, a Maven group. */
  name: string;
  /** Without a `v`. */
  version: string;
}

/**
 * The one place where versions of outside programs are pinned is `tools/versions.json`.
 * @param origin where it is fetched from: the registry's key in that file.
 */
export async function readPin(program: string, origin: 'pypi' | 'go' | 'maven'): Promise<Pin> {
  const path = join(PACKAGE_ROOT, 'tools', 'versions.json');
  const pins = JSON.parse(await readFile(path, 'utf8')) as Record<string, Record<string, unknown>>;
  const { [origin]: name, version } = pins[program] ?? {};
  if (typeof name === 'string' && typeof version === 'string') return { name, version };
  throw new LonghaulError('INTERNAL', `${path} does not pin ${program}.`);
}

const run = promisify(execFile);

/**
 * One file of a wheel, for this platform as pip sees it, by way of a virtual environment that is thrown away:
 * only the file stays.
 * @param file in the wheel as pip lays it out: `bin/<script>`, or below the package's folder.
 */
export function pypiInstaller({ name, version }: Pin, file: string): Installer {
  return {
    name: 'Python package',
    install: async (path, signal) => {
      await makeWhole(path, async (scratch) => {
        const made = join(await pipInstall([`${name}==${version}`], scratch, signal), file);
        await chmod(made, 0o755);
        return made;
      });
    },
  };
}

/**
 * Packages without what they need, by way of a virtual environment.
 * @param what as pip takes it.
 * @param scratch where all of it is made.
 * @returns the folder that pip laid them out in.
 */
export async function pipInstall(
  what: readonly string[],
  scratch: string,
  signal?: AbortSignal,
): Promise<string> {
  const limits = { timeout: FETCH_TIMEOUT_MS, signal };
  const venv = join(scratch, 'venv');
  const target = join(scratch, 'wheel');
  await run('python3', ['-m', 'venv', venv], limits);
  const pip = ['-m', 'pip', 'install', '--quiet', '--no-deps', '--disable-pip-version-check'];
  const wheel = ['--target', target, ...what];
  await run(join(venv, 'bin', 'python3'), [...pip, ...wheel], limits);
  return target;
}
