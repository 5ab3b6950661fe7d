import { randomUUID } from 'node:crypto';
import { chmod, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { storageError } from '../storage/disk-errors.ts';

/** What lies in `<dataDir>/.longhaul/`, apart from the hosts' lifelines. */
export interface StatePaths {
  /** What the host says of itself, and where its socket is. */
  host: string;
  hostLog: string;
  socket: string;
  /** What the next start of Temporal has to know. */
  temporal: string;
  temporalLog: string;
  temporalAlive: string;
  database: string;
}

export function statePaths(stateDir: string): StatePaths {
  return {
    host: join(stateDir, 'host.json'),
    hostLog: join(stateDir, 'host.log'),
    socket: join(stateDir, 'host.sock'),
    temporal: join(stateDir, 'temporal.json'),
    temporalLog: join(stateDir, 'temporal.log'),
    temporalAlive: join(stateDir, 'temporal.alive'),
    database: join(stateDir, 'temporal.db'),
  };
}

/** Runs hold what they read and where from: nobody else's concern. */
export async function makeStateDir(stateDir: string): Promise<void> {
  try {
    await mkdir(stateDir, { recursive: true, mode: 0o700 });
    await chmod(stateDir, 0o700);
  } catch (error) {
    throw storageError(error, stateDir);
  }
}

/** Readers see the old fields or the new, never a part. */
export async function writeFields(path: string, fields: object): Promise<void> {
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    const file = await open(temporary, 'wx', 0o600);
    try {
      await file.writeFile(`${JSON.stringify(fields, null, 2)}\n`);
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw storageError(error, path);
  }
}

/** The fields of a JSON object; undefined where the file is absent or holds anything else. */
export async function readFields(path: string): Promise<Record<string, unknown> | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(path, 'utf8'));
    return typeof value === 'object' && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

/** Above this a log is put aside as `<name>.1` before the next start, so that logs cannot fill the disk. */
const MAX_LOG_BYTES = 5 * 1024 * 1024;

export async function rotateLog(path: string): Promise<void> {
  const bytes = (await stat(path).catch(() => undefined))?.size ?? 0;
  if (bytes > MAX_LOG_BYTES) await rename(path, `${path}.1`).catch(() => undefined);
}
