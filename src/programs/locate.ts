import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { delimiter, join, resolve } from 'node:path';
import { LonghaulError, type ErrorCode } from '../model/errors.ts';
import { printable } from '../model/names.ts';
import { firstWritable, packageToolsDir } from './tools-folder.ts';

/** Where to look for an outside program. */
export interface LocateOptions {
  /** The setting that names it: when set, no other place is tried. */
  given?: string | undefined;
  /** PATH, as the environment has it. */
  searchPath?: string | undefined;
  /** Where a fetched one is kept: the first of them that can be written. Default: `.tools` of this package. */
  toolsDirs?: readonly string[];
  /** What takes time, for people. */
  onNote?: ((note: string) => void) | undefined;
  /** Gives up fetching. */
  signal?: AbortSignal;
  /** How it is fetched: the program's own way by default. `none`: it is only looked for. */
  installer?: Installer | 'none';
}

/** Puts the program at `path`, whole or not at all. */
export interface Installer {
  name: string;
  install(path: string, signal?: AbortSignal): Promise<void>;
}

/** An outside program, or a file that is used like one (an extension). */
export interface Wanted {
  /** `Temporal program`. */
  title: string;
  /** The setting that names its path. */
  setting: string;
  /** Thrown where it cannot be had. */
  code: ErrorCode;
  /** What to do then. */
  hint: string;
  /** As it is kept, and on the PATH. */
  fileName: string;
  /** Looked for on the PATH too: a program, not an extension. */
  onPath: boolean;
  /** Path below a tools folder. It names the version, so that another version is fetched. */
  folder: string;
  /** Other programs' places where it may lie, read only: asked where it is nowhere else. */
  elsewhere?: () => readonly string[] | Promise<readonly string[]>;
  /** About what comes through the line, for the note. */
  size: string;
  installer: Installer;
  /** What speaks against the file: `is not the Temporal CLI`; undefined where it is right. */
  problemWith(path: string): Promise<string | undefined>;
}

/**
 * The path of an outside program: the setting's, or the one on the PATH, or one fetched before, or else fetched now.
 * @throws LonghaulError of `wanted.code`, naming each thing tried.
 */
export async function locate(wanted: Wanted, options: LocateOptions): Promise<string> {
  if (options.given) return await given(wanted, options.given);
  const tried: string[] = [];
  const onPath = wanted.onPath && (await findOnPath(wanted, options.searchPath ?? '', tried));
  if (onPath) return onPath;
  if (tried.length === 0) tried.push(nothingGiven(wanted));
  const toolsDirs = options.toolsDirs ?? [packageToolsDir()];
  const kept = toolsDirs.map((dir) => join(dir, wanted.folder, wanted.fileName));
  for (const path of kept) if (await isThere(wanted, path)) return path;
  for (const path of (await wanted.elsewhere?.()) ?? []) {
    if ((await isThere(wanted, path)) && !(await wanted.problemWith(path))) return path;
  }
  const { installer = wanted.installer } = options;
  // A look makes no folder.
  if (installer !== 'none') {
    const path = await firstWritable(kept, tried);
    if (path && (await isFetched(wanted, path, installer, options, tried))) return path;
  }
  const message = `No ${wanted.title}: ${tried.join('; ')}.`;
  throw new LonghaulError(wanted.code, message, { hint: wanted.hint });
}

async function given(wanted: Wanted, setting: string): Promise<string> {
  const path = resolve(setting);
  const problem = await problemOf(wanted, path);
  if (problem === undefined) return path;
  const hint = `Set ${wanted.setting} to the path of the ${wanted.title}, or remove it to have it found or fetched.`;
  const message = `${wanted.setting} names ${printable(setting)}, which ${problem}.`;
  throw new LonghaulError(wanted.code, message, { hint });
}

/** Another program may have the same name. */
async function findOnPath(
  wanted: Wanted,
  searchPath: string,
  tried: string[],
): Promise<string | undefined> {
  for (const path of await programsOnPath(wanted.fileName, searchPath)) {
    const problem = await wanted.problemWith(path);
    if (problem === undefined) return path;
    tried.push(`${path} ${problem}`);
  }
  return undefined;
}

/** In the PATH's order. */
export async function programsOnPath(name: string, searchPath: string): Promise<string[]> {
  const folders = searchPath.split(delimiter).filter((each) => each !== '');
  const paths = folders.map((folder) => resolve(folder, name));
  const areThere = await Promise.all(paths.map((path) => canAccess(path, constants.X_OK)));
  return paths.filter((_, index) => areThere[index]);
}

function nothingGiven({ setting, onPath, fileName }: Wanted): string {
  return `${setting} is not set${onPath ? `; no \`${fileName}\` on the PATH` : ''}`;
}

async function problemOf(wanted: Wanted, path: string): Promise<string | undefined> {
  if (await isThere(wanted, path)) return await wanted.problemWith(path);
  return wanted.onPath ? 'is no program that can be run' : 'is no file that can be read';
}

async function isThere({ onPath }: Wanted, path: string): Promise<boolean> {
  return await canAccess(path, onPath ? constants.X_OK : constants.R_OK);
}

async function canAccess(path: string, mode: number): Promise<boolean> {
  return await access(path, mode).then(
    () => true,
    () => false,
  );
}

async function isFetched(
  wanted: Wanted,
  path: string,
  installer: Installer,
  { onNote, signal }: LocateOptions,
  tried: string[],
): Promise<boolean> {
  const { name } = installer;
  onNote?.(`Fetching the ${wanted.title} (once, ${wanted.size}): ${name}`);
  try {
    await installer.install(path, signal);
    const problem = await problemOf(wanted, path);
    if (problem === undefined) return true;
    tried.push(`${name}: what it brought ${problem}`);
  } catch (error) {
    signal?.throwIfAborted();
    tried.push(`${name}: ${reasonOf(error)}`);
  }
  return false;
}

/** The message of the last error: of a command its own last line. */
function reasonOf(error: unknown): string {
  const { stderr, message } = error as { stderr?: unknown; message?: unknown };
  const lines = `${String(message)}\n${typeof stderr === 'string' ? stderr : ''}`
    .trim()
    .split('\n');
  return printable((lines.at(-1) ?? '').trim().slice(0, MAX_REASON_LENGTH));
}

/** A few lines of the terminal. */
const MAX_REASON_LENGTH = 400;
