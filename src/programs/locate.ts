import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { delimiter, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { LonghaulError, type ErrorCode } from '../model/errors.ts';
import { printable } from '../model/names.ts';
import { firstWritable, packageToolsDir } from './tools-folder.ts';

/** Where to look for an outside program. */
export interface LocateOptions {
  /** Path from the setting. If it is set, no other place is tried. */
  given?: string | undefined;
  /** PATH of the environment. */
  searchPath?: string | undefined;
  /** Folders for fetched programs; the first that can be written gets them. Default: `.tools` of this package. */
  toolsDirs?: readonly string[];
  /** Called with text for the user if something takes time. */
  onNote?: ((note: string) => void) | undefined;
  /** If it aborts, the fetch is given up. */
  signal?: AbortSignal;
  /** How the program is fetched. Default: `Wanted.installer`. `none`: the program is not fetched. */
  installer?: Installer | 'none';
}

/** Puts the program at `path`, completely or not at all. */
export interface Installer {
  name: string;
  install(path: string, signal?: AbortSignal): Promise<void>;
}

/** An outside program, or a file that is used like a program (an extension). */
export interface Wanted {
  /** For example `Temporal program`. */
  title: string;
  /** Name of the setting for its path. */
  setting: string;
  /** Code of the error if the program is neither found nor fetched. */
  code: ErrorCode;
  /** Hint of that error. */
  hint: string;
  /** Name of the file on the PATH. */
  fileName: string;
  /** True for a program, which may also be on the PATH; false for an extension. */
  onPath: boolean;
  /** Path below a tools folder. It contains the version, so that a new version is fetched again. */
  folder: string;
  /** Path of the file in that folder. Default: `fileName`. */
  pathInFolder?: string;
  /** Paths in folders of other programs. They are only read, and only if the file is nowhere else. */
  elsewhere?: () => readonly string[] | Promise<readonly string[]>;
  /** Approximate size of the download, for the note. */
  size: string;
  installer: Installer;
  /** Says why the file does not fit, for example `is not the Temporal CLI`. Undefined if it fits. */
  problemWith(path: string): Promise<string | undefined>;
}

/**
 * Finds an outside program: from the setting, on the PATH, one fetched before, or else fetches it.
 * @throws LonghaulError with `wanted.code` and each place tried.
 */
export async function locate(wanted: Wanted, options: LocateOptions): Promise<string> {
  if (options.given) return await given(wanted, options.given);
  const tried: string[] = [];
  const onPath = wanted.onPath && (await findOnPath(wanted, options.searchPath ?? '', tried));
  if (onPath) return onPath;
  if (tried.length === 0) tried.push(nothingGiven(wanted));
  const toolsDirs = options.toolsDirs ?? [packageToolsDir()];
  const folders = toolsDirs.map((dir) => join(dir, wanted.folder));
  const fileIn = (folder: string): string => join(folder, wanted.pathInFolder ?? wanted.fileName);
  for (const path of folders.map(fileIn)) if (await isThere(wanted, path)) return path;
  for (const path of (await wanted.elsewhere?.()) ?? []) {
    if ((await isThere(wanted, path)) && !(await wanted.problemWith(path))) return path;
  }
  const { installer = wanted.installer } = options;
  // Without an installer, the function must not make a folder.
  if (installer !== 'none') {
    const folder = await firstWritable(folders, tried);
    const path = folder && fileIn(folder);
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

/** Checks every program of that name, because another program may have the same name. */
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

/** Paths of the executable files of that name, in the order of the PATH. */
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

/** A program answers in 0.1 s. A large one on a cold, slow disk, or a JVM there, needs some seconds. */
const ANSWER_TIMEOUT_MS = 30_000;

/** Runs a program that only answers. @returns undefined if it fails. */
export async function answerOf(
  program: string,
  ...args: string[]
): Promise<{ stdout: string; stderr: string } | undefined> {
  try {
    return await promisify(execFile)(program, args, { timeout: ANSWER_TIMEOUT_MS });
  } catch {
    return undefined;
  }
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

/** The last line of an error's message, or of the standard error of a command that failed. */
function reasonOf(error: unknown): string {
  const { stderr, message } = error as { stderr?: unknown; message?: unknown };
  const lines = `${String(message)}\n${typeof stderr === 'string' ? stderr : ''}`
    .trim()
    .split('\n');
  return printable((lines.at(-1) ?? '').trim().slice(0, MAX_REASON_LENGTH));
}

/** Characters. It fills a few lines of a terminal. */
const MAX_REASON_LENGTH = 400;
