import { existsSync, mkdirSync, statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { bytesText } from '../model/texts.ts';
import { LonghaulError, type ErrorCode } from '../model/errors.ts';

/** The catalogue's error for an error of the file system. Any other error is returned unchanged. */
export function storageError(error: unknown, path: string): unknown {
  const code = codeOf(error) ?? '';
  if (code === 'ENOSPC') return fullError(path, { cause: error });
  const [known, message, hint] = ERRORS[code]?.(path) ?? [];
  return known && message ? new LonghaulError(known, message, { hint }, { cause: error }) : error;
}

const denied = (path: string): [ErrorCode, string] => [
  'LAKE_NOT_WRITABLE',
  `Cannot write ${path}: no permission, or a file where a folder should be.`,
];
const tooMany = (path: string): [ErrorCode, string] => [
  'TOO_MANY_OPEN_FILES',
  `Cannot open ${path}: the limit on open files is reached.`,
];

const ERRORS: Readonly<Record<string, (path: string) => [ErrorCode, string, string?]>> = {
  EDQUOT: (path) => [
    'DISK_FULL',
    `The disk quota of this user is used up: cannot write ${path}.`,
    'Remove files of this user, or have the quota raised; `longhaul retry <run>` goes on from there.',
  ],
  EROFS: (path) => ['LAKE_NOT_WRITABLE', `Cannot write ${path}: its file system is read-only.`],
  EACCES: denied,
  EPERM: denied,
  ENOTDIR: denied,
  EMFILE: tooMany,
  ENFILE: tooMany,
};

/**
 * If Node cannot make a folder and its parents, it says only ENOENT, even if the disk is read-only or the quota is used
 * up. The file system is then asked again for the folder that failed. If a file is in a folder's place, Node says
 * EEXIST.
 */
function codeOf(error: unknown): string | undefined {
  const { code, syscall, path } = (error ?? {}) as NodeJS.ErrnoException;
  if (code === 'EEXIST' && syscall === 'mkdir') return 'ENOTDIR';
  if (code !== 'ENOENT' || syscall !== 'mkdir' || path === undefined) return code;
  try {
    mkdirSync(path);
    return code;
  } catch (again) {
    return (again as NodeJS.ErrnoException).code;
  }
}

/** A file system says ENOSPC both if it has no inode for another file and if it has no room for bytes. */
function fullError(path: string, options: { cause: unknown }): LonghaulError {
  const free = freeNow(path);
  if (free && free.files === 0 && free.bytes > 0) return noInodesError(path, free.bytes, options);
  const says = free ? ` (${bytesText(free.bytes)} free)` : '';
  const message = `The disk is full${says}: cannot write ${path}.`;
  return new LonghaulError('DISK_FULL', message, {}, options);
}

export function noInodesError(
  path: string,
  freeBytes: number,
  options?: { cause: unknown },
): LonghaulError {
  return new LonghaulError(
    'DISK_FULL',
    `No inodes are left for new files on the disk of ${path}, though ${bytesText(freeBytes)} are free.`,
    { hint: NO_INODES_HINT },
    options,
  );
}

const NO_INODES_HINT =
  'Remove files, most likely many small ones (`df -i` counts them); `longhaul retry <run>` goes on from there.';

/** Undefined if the file system does not say. */
function freeNow(path: string): { bytes: number; files: number | undefined } | undefined {
  try {
    const { bavail, bsize, files, ffree } = statfsSync(existsSync(path) ? path : dirname(path));
    return { bytes: bavail * bsize, files: files === 0 ? undefined : ffree };
  } catch {
    return undefined;
  }
}
