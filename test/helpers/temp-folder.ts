import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Creates a folder for one test and removes it afterwards, even if the test fails. */
export async function withTempFolder<T>(body: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'longhaul-test-'));
  try {
    return await body(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** As `withTempFolder`, but the folder is also this process's TMPDIR, so that a test sees which files stay there. */
export async function withTmpdir<T>(body: (folder: string) => Promise<T>): Promise<T> {
  const before = process.env['TMPDIR'];
  return await withTempFolder(async (folder) => {
    process.env['TMPDIR'] = folder;
    try {
      return await body(folder);
    } finally {
      if (before === undefined) delete process.env['TMPDIR'];
      else process.env['TMPDIR'] = before;
    }
  });
}
