import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdir, open, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

/** A size as mount takes it, for example `1m`. */
type Size = string;

export interface SmallDisk {
  folder: string;
  grow: (to: Size) => void;
  /** Writes a file that leaves only this many bytes free. @returns a function that removes the file. */
  fill: (leaveBytes?: number) => Promise<() => Promise<void>>;
  makeReadOnly: () => void;
}

/**
 * Mounts a small file system in a folder while `body` runs. Only root may mount, and not in every container. If mount
 * fails, the test is skipped.
 */
export async function withSmallDisk(
  t: TestContext,
  { folder, size, files }: { folder: string; size: Size; files?: number },
  body: (disk: SmallDisk) => Promise<void>,
): Promise<void> {
  await mkdir(folder, { recursive: true });
  const limits = `size=${size}${files === undefined ? '' : `,nr_inodes=${files}`}`;
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', limits, 'tmpfs', folder]);
  if (mounted.status !== 0) {
    t.skip('no small file system can be mounted here');
    return;
  }
  const remount = (change: string): void => {
    assert.equal(spawnSync('mount', ['-o', `remount,${change}`, folder]).status, 0);
  };
  try {
    await body({
      folder,
      grow: (to) => remount(`size=${to}`),
      fill: async (leaveBytes = 0) => await fillDisk(folder, leaveBytes),
      makeReadOnly: () => remount('ro'),
    });
  } finally {
    spawnSync('umount', [folder]);
  }
}

async function fillDisk(folder: string, leaveBytes: number): Promise<() => Promise<void>> {
  const path = join(folder, 'filler');
  const file = await open(path, 'a');
  const block = Buffer.alloc(1024 * 1024);
  try {
    for (;;) {
      const { bavail, bsize } = await statfs(folder);
      const left = bavail * bsize - leaveBytes;
      if (left <= 0) break;
      await file.write(block.subarray(0, Math.min(block.length, left)));
    }
  } finally {
    await file.close();
  }
  return async () => await rm(path);
}
