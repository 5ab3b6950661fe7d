import { chmod, mkdir, readFile, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { storageError } from '../storage/disk-errors.ts';
import { spawnSync } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { LonghaulError } from '../model/errors.ts';

/** Paths of the files in the state folder. */
export function statePaths(stateDir: string) {
  return {
    /** The host's state and the path of its socket, for commands and for the next host. */
    host: join(stateDir, 'host.json'),
    hostLock: join(stateDir, 'host.lock'),
    hostLog: join(stateDir, 'host.log'),
    socket: join(stateDir, 'host.sock'),
    database: join(stateDir, 'temporal.db'),
    temporalLock: join(stateDir, 'temporal.lock'),
    temporalLog: join(stateDir, 'temporal.log'),
  };
}

/** Only this user may read the folder, because the histories of runs contain addresses and data. */
export async function makeStateDir(stateDir: string): Promise<void> {
  try {
    await mkdir(stateDir, { recursive: true, mode: 0o700 });
    await chmod(stateDir, 0o700);
  } catch (error) {
    throw storageError(error, stateDir);
  }
}

/** The fields of a JSON object. Empty if the file is absent or has other content. */
export async function readFields<T extends object>(path: string): Promise<Partial<T>> {
  try {
    return { ...(JSON.parse(await readFile(path, 'utf8')) as T) };
  } catch {
    return {};
  }
}

/** A larger log is renamed to `<name>.1` before the next start, so that logs cannot fill the disk. */
const MAX_LOG_BYTES = 5 * 1024 * 1024;

/** @returns the size of the log in bytes. */
export async function rotateLog(path: string): Promise<number> {
  const bytes = (await stat(path).catch(() => undefined))?.size ?? 0;
  if (bytes <= MAX_LOG_BYTES) return bytes;
  await rename(path, `${path}.1`).catch(() => undefined);
  return 0;
}

/**
 * Takes a kernel lock on a file, and makes the file if it does not exist. Node has no call for that, but the lock
 * belongs to the open file, so a child process can take it. The lock is free when every process with this open file,
 * also a program that inherited it, has closed it or ended for any reason.
 * @returns the open file, which the caller closes or passes on; undefined if another process has the lock.
 */
export function takeLock(path: string): number | undefined {
  const file = open(path);
  const { status, stderr } = spawnSync('/bin/sh', ['-c', FLOCK], {
    stdio: ['ignore', 'ignore', 'pipe', file],
    encoding: 'utf8',
  });
  if (status === 0) return file;
  closeSync(file);
  if (status === 1) return undefined;
  const message = `Cannot lock ${path}: ${stderr.trim()}`;
  const hint =
    'Set STATE_DIR to a folder on a local disk; `flock` of util-linux, or `perl`, is needed.';
  throw new LonghaulError('EMBEDDED_FAILED', message, { hint });
}

/** macOS has no `flock`, but it has perl. */
const FLOCK = `command -v flock >/dev/null && exec flock -n 3
exec perl -MFcntl=:flock -e 'open(F, ">>&=3") or die $!; exit 0 if flock(F, LOCK_EX | LOCK_NB); exit 1 if $!{EWOULDBLOCK}; die $!'`;

function open(path: string): number {
  try {
    return openSync(path, 'a', 0o600);
  } catch (error) {
    throw storageError(error, path);
  }
}
