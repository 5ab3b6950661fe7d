import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { resolve, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { temporalProgram } from '../helpers/temporal.ts';

/** Histories of the workflows as they are deployed. Later code must replay each of them. */
export const HISTORIES = pathToFileURL(resolve('test/workflows/histories') + sep);

/** Suffix of the recorded files' names, which may be empty. Set by `npm run record-histories`. */
const suffix = process.env['RECORD_HISTORIES'];
const MAX_HISTORY_BYTES = 16 * 1024 * 1024;

/** Writes a workflow's history when histories are recorded. A file that exists stays, because earlier code made it. */
export async function keepHistory(
  name: string,
  { workflowId, runId }: { workflowId: string; runId?: string },
  { address }: { address: string },
): Promise<void> {
  if (suffix === undefined) return;
  await mkdir(HISTORIES, { recursive: true });
  const run = runId === undefined ? [] : ['--run-id', runId];
  const show = ['workflow', 'show', '--workflow-id', workflowId, ...run, '--output', 'json'];
  const { stdout } = await promisify(execFile)(
    await temporalProgram(),
    [...show, '--address', address],
    { maxBuffer: MAX_HISTORY_BYTES },
  );
  // Stack traces name files. The paths must be those in the repository, not those of one machine.
  const roots = [resolve('.built'), resolve('.')].map((root) => root + sep);
  const text = roots.reduce((history, root) => history.replaceAll(root, ''), stdout);
  const file = new URL(`${name}${suffix}.json`, HISTORIES);
  await writeFile(file, text, { flag: 'wx' }).catch(ignoreExisting);
}

function ignoreExisting(error: unknown): void {
  if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
}
