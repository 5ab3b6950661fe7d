import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import type { TestContext } from 'node:test';

/** `1m`, as mount takes it. */
type Size = string;

export interface SmallDisk {
  folder: string;
  grow: (to: Size) => void;
}

/**
 * A file system of its own in a folder, gone afterwards. Only root may mount, and not in every container: elsewhere the
 * test is skipped.
 */
export async function withSmallDisk(
  t: TestContext,
  { folder, size }: { folder: string; size: Size },
  body: (disk: SmallDisk) => Promise<void>,
): Promise<void> {
  await mkdir(folder, { recursive: true });
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', folder]);
  if (mounted.status !== 0) {
    t.skip('no small file system can be mounted here');
    return;
  }
  const grow = (to: Size): void => {
    assert.equal(spawnSync('mount', ['-o', `remount,size=${to}`, folder]).status, 0);
  };
  try {
    await body({ folder, grow });
  } finally {
    spawnSync('umount', [folder]);
  }
}
