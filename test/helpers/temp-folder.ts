import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A folder of the test's own, gone afterwards whatever happens. */
export async function withTempFolder<T>(body: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'longhaul-test-'));
  try {
    return await body(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The same, as this process's TMPDIR: what is left there can be seen. */
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
