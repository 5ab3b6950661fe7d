import type { Settings } from '../../config/settings.ts';
import { LonghaulError } from '../../model/errors.ts';
import { locateHttpfs } from '../../programs/httpfs.ts';
import { packageToolsDir } from '../../programs/tools-folder.ts';
import type { Check, Finding } from './check.ts';
import { foldersThere } from './tools-folders.ts';

/** Some files are looked at. */
const LIMIT_MS = 5000;

export function httpfsCheck(settings: Settings): Check {
  return {
    id: 'httpfs',
    title: 'DuckDB httpfs',
    limitMs: LIMIT_MS,
    run: async () => await lookForHttpfs(settings),
  };
}

/** Looked for as a conversion does, but nothing is fetched. */
async function lookForHttpfs({ duckdb: { httpfs: given } }: Settings): Promise<Finding> {
  const toolsDirs = await foldersThere([packageToolsDir()]);
  try {
    return { status: 'ok', found: await locateHttpfs({ given, toolsDirs, installer: 'none' }) };
  } catch (error) {
    const isAbsent = error instanceof LonghaulError && error.code === 'PROGRAM_NOT_INSTALLED';
    if (given !== undefined || !isAbsent) throw error;
    return { status: 'unknown', found: 'not here yet: the first conversion to S3 fetches it' };
  }
}
