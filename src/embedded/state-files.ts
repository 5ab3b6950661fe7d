import { randomUUID } from 'node:crypto';
import { link, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { LonghaulError } from '../model/errors.ts';

/** What lies in `<dataDir>/.longhaul/`. */
export interface StatePaths {
  stateDir: string;
  /** Generation-numbered lock files. */
  locks: string;
  members: string;
  pin: string;
  host: string;
  hostLog: string;
  temporal: string;
  temporalLog: string;
  database: string;
}

export function statePaths(stateDir: string): StatePaths {
  return {
    stateDir,
    locks: stateDir,
    members: join(stateDir, 'members'),
    pin: join(stateDir, 'up.json'),
    host: join(stateDir, 'host.json'),
    hostLog: join(stateDir, 'host.log'),
    temporal: join(stateDir, 'temporal.json'),
    temporalLog: join(stateDir, 'temporal.log'),
    database: join(stateDir, 'temporal.db'),
  };
}

/** Readers see the old content or the new, never a part. */
export async function replaceFile(path: string, body: string): Promise<void> {
  await withTemporary(path, body, async (temporary) => await rename(temporary, path));
}

/** Atomic, with its whole content; of two creators one gets `false`. `link(2)`, since rename would overwrite. */
export async function createFile(path: string, body: string): Promise<boolean> {
  return await withTemporary(path, body, async (temporary) => {
    try {
      await link(temporary, path);
      return true;
    } catch (error) {
      if (codeOf(error) === 'EEXIST') return false;
      throw withoutLinks(error, path);
    }
  });
}

/** Undefined where there is no such file. */
export async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** The fields of a JSON object; undefined where the file is absent or holds anything else. */
export async function readFields(path: string): Promise<Record<string, unknown> | undefined> {
  return parseFields((await readText(path)) ?? '');
}

export function parseFields(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Above this a log is put aside as `<name>.1` before the next start, so that logs cannot fill the disk. */
const MAX_LOG_BYTES = 5 * 1024 * 1024;

export async function rotateLog(path: string): Promise<void> {
  const bytes = await logSize(path);
  if (bytes > MAX_LOG_BYTES) await rename(path, `${path}.1`).catch(() => undefined);
}

export async function logSize(path: string): Promise<number> {
  return (await stat(path).catch(() => undefined))?.size ?? 0;
}

export function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | undefined)?.code;
}

async function withTemporary<T>(
  path: string,
  body: string,
  use: (temporary: string) => Promise<T>,
): Promise<T> {
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    await writeNew(temporary, body).catch((error: unknown) => {
      throw stateError(error, path);
    });
    return await use(temporary);
  } finally {
    await rm(temporary, { force: true }).catch(() => undefined);
  }
}

async function writeNew(path: string, body: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const file = await open(path, 'wx');
  try {
    await file.writeFile(body);
    // A lock that is empty after a power cut could not be judged.
    await file.sync();
  } finally {
    await file.close();
  }
}

function stateError(error: unknown, path: string): unknown {
  switch (codeOf(error)) {
    case 'ENOSPC':
    case 'EDQUOT':
      return new LonghaulError('DISK_FULL', `The disk is full: cannot write ${path}.`);
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
    case 'ENOTDIR':
    case 'EEXIST': {
      const hint = 'Give it permission, or point DATA_DIR elsewhere.';
      return new LonghaulError('LAKE_NOT_WRITABLE', `Cannot write ${path}: ${codeOf(error)}.`, {
        hint,
      });
    }
    default:
      return error;
  }
}

/** Some file systems (exFAT, some network shares) have no hard links; then nothing would guard the database. */
function withoutLinks(error: unknown, path: string): unknown {
  if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'].includes(codeOf(error) ?? '')) return error;
  const hint = 'Point DATA_DIR to a folder on a local disk.';
  return new LonghaulError('EMBEDDED_FAILED', `The disk of ${path} has no hard links.`, { hint });
}
