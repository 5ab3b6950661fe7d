import { spawnSync } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { LonghaulError } from '../model/errors.ts';
import { storageError } from '../storage/disk-errors.ts';

/**
 * Takes a lock of the kernel's on a file, which is made where it is not there. Node has no call for it, but the lock
 * belongs to the open file: a child takes it on ours. It is free when every process that has this file open, a program
 * that inherited it too, has closed it or ended, whatever ended it.
 * @returns the open file, to be closed or passed on; undefined where another process holds it.
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

/** macOS has no `flock`, but perl. */
const FLOCK = `command -v flock >/dev/null && exec flock -n 3
exec perl -MFcntl=:flock -e 'open(F, ">>&=3") or die $!; exit 0 if flock(F, LOCK_EX | LOCK_NB); exit 1 if $!{EWOULDBLOCK}; die $!'`;

function open(path: string): number {
  try {
    return openSync(path, 'a', 0o600);
  } catch (error) {
    throw storageError(error, path);
  }
}
