import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, type Dirent } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { stringify } from 'yaml';
import type { SnapshotManifest } from '../../src/model/manifest.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { queuesOf } from '../../src/model/run.ts';
import { identityOfLake } from '../../src/storage/open-lake.ts';
import { startOrigin, type Origin, type Route } from './origin.ts';

/** The CLI as users get it. `npm run build` writes it. */
const CLI = resolve(import.meta.dirname, '../../dist/cli/main.js');

/** A user's machine for one test: a folder, settings, a publisher, and the real CLI. */
export interface Lab {
  folder: string;
  /** Folder of the lake, unless the settings name a bucket. */
  lakeDir: string;
  stateDir: string;
  origin: Origin;
  env: Record<string, string>;
  /** Writes datasets.yaml. A source is an address or an object as in the YAML. */
  datasets(datasets: Record<string, Record<string, string | object>>): Promise<void>;
  run(args: string[], options?: RunOptions): Promise<Outcome>;
  start(args: string[], options?: RunOptions): Running;
  /** Calls `run` with --json and parses its output. Fails if standard output is not exactly one JSON value. */
  json<T = Record<string, never>>(
    args: string[],
    options?: RunOptions,
  ): Promise<Outcome & { json: T }>;
  /** Sorted paths of all files in both zones, relative to the lake. With a dataset: only its files and staged files. */
  lakeFiles(dataset?: string): Promise<string[]>;
  /** Manifests of the published snapshots of all datasets or of one. */
  published(dataset?: string): Promise<SnapshotManifest[]>;
}

interface RunOptions {
  env?: Record<string, string>;
  /** Working directory of the command. Default: the lab's folder. */
  cwd?: string;
}

export interface Outcome {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface Running {
  process: ChildProcess;
  ended: Promise<Outcome>;
  /** Resolves as soon as one of the two streams has text that matches. */
  says(pattern: RegExp): Promise<void>;
}

interface LabSetup {
  routes?: Record<string, Route>;
  env?: Record<string, string>;
  /** False: the lab does not run `longhaul up --background` first, so every command starts its own server. */
  up?: boolean;
}

/** Runs one test in a lab. Afterwards, stops all processes and removes the folder. */
export async function withLab(setup: LabSetup, body: (lab: Lab) => Promise<void>): Promise<void> {
  const lab = await startLab(setup);
  try {
    await body(lab);
  } finally {
    await lab.close();
  }
}

/** Starts a lab for several tests. Each test uses its own datasets. */
export async function startLab(setup: LabSetup = {}): Promise<Lab & { close(): Promise<void> }> {
  if (!existsSync(CLI))
    throw new Error('dist/ is missing: run `npm run build`, or `npm test`, which does.');
  const folder = await mkdtemp(join(tmpdir(), 'longhaul-lab-'));
  await mkdir(join(folder, 'tmp'));
  const origin = await startOrigin(setup.routes ?? {});
  const lab = makeLab(folder, origin, setup.env ?? {});
  const close = async (): Promise<void> => {
    // Only a failed test leaves a child process behind.
    for (const child of lab.children) child.kill('SIGKILL');
    await lab.run(['down']);
    await origin.close();
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    await lab.datasets({ nothing: { a: origin.address('/none.csv') } });
    if (setup.up ?? true) await mustRun(lab, ['up', '--background']);
    return { ...lab, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function makeLab(
  folder: string,
  origin: Origin,
  changes: Record<string, string>,
): Lab & { children: ReadonlySet<ChildProcess> } {
  const children = new Set<ChildProcess>();
  const lakeDir = join(folder, 'data');
  const stateDir = join(lakeDir, '.longhaul');
  const env = {
    PATH: process.env['PATH'] ?? '',
    HOME: process.env['HOME'] ?? '',
    ...(process.env['TEMPORAL_CLI'] ? { TEMPORAL_CLI: process.env['TEMPORAL_CLI'] } : {}),
    LAKE: lakeDir,
    STATE_DIR: stateDir,
    DATASETS_FILE: join(folder, 'datasets.yaml'),
    // A test can see which files stay here. The lab removes the folder.
    TMPDIR: join(folder, 'tmp'),
    SOURCE_RETRY_MINUTES: '0',
    // These limits are long enough for a test process that shares two cores with others.
    HTTP_STALL_TIMEOUT_SECONDS: '2',
    HEARTBEAT_TIMEOUT_SECONDS: '5',
    NO_COLOR: '1',
    ...changes,
  };
  const start: Lab['start'] = (args, options) => {
    const child = spawn(process.execPath, [CLI, ...args], {
      cwd: options?.cwd ?? folder,
      env: { ...env, ...options?.env },
    });
    children.add(child);
    child.once('close', () => children.delete(child));
    return follow(child);
  };
  const run: Lab['run'] = async (args, options) => await start(args, options).ended;
  return {
    children,
    folder,
    lakeDir,
    stateDir,
    origin,
    env,
    start,
    run,
    datasets: async (datasets) => {
      await writeFile(join(folder, 'datasets.yaml'), datasetsYaml(datasets));
    },
    json: async <T>(args: string[], options?: RunOptions) => {
      const outcome = await run([...args, '--json'], options);
      try {
        return { ...outcome, json: JSON.parse(outcome.stdout) as T };
      } catch {
        throw new Error(
          `No single JSON value on standard output:\n${outcome.stdout}\n${outcome.stderr}`,
        );
      }
    },
    lakeFiles: async (dataset) => await lakeFiles(lakeDir, dataset),
    published: async (dataset) => {
      const manifests = (await lakeFiles(lakeDir, dataset)).filter((file) =>
        /\/_manifest[^/]*\.json$/.test(file),
      );
      return await Promise.all(
        manifests.map(
          async (file) =>
            JSON.parse(await readFile(join(lakeDir, file), 'utf8')) as SnapshotManifest,
        ),
      );
    },
  };
}

/** Task queue of the workflows of a lab's lake, for runs that a test starts without the CLI. */
export async function taskQueueOf({ env, folder }: Lab): Promise<string> {
  return queuesOf((await identityOfLake(loadConfig({ env, cwd: folder }).settings.lake)).id)
    .control;
}

async function mustRun(lab: Lab, args: string[]): Promise<void> {
  const outcome = await lab.run(args);
  if (outcome.code !== 0)
    throw new Error(`longhaul ${args.join(' ')}: ${outcome.stdout}${outcome.stderr}`);
}

function datasetsYaml(datasets: Record<string, Record<string, string | object>>): string {
  const entries = Object.entries(datasets).map(([name, sources]) => {
    const list = Object.entries(sources).map(([id, source]) =>
      typeof source === 'string' ? { id, address: source } : { id, ...source },
    );
    return [name, { time_zone: 'America/Denver', sources: list }];
  });
  return stringify({ datasets: Object.fromEntries(entries) as object });
}

async function lakeFiles(lakeDir: string, dataset?: string): Promise<string[]> {
  const entries = await everyEntry(lakeDir);
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(lakeDir.length + 1))
    .filter((path) => !path.startsWith('.longhaul'))
    .filter(
      (path) => dataset === undefined || [dataset, '_staging'].includes(path.split('/')[1] ?? ''),
    )
    .toSorted();
}

/** Reads the folder again if a worker removes a folder meanwhile. Otherwise other files would be missing, too. */
async function everyEntry(folder: string): Promise<Dirent[]> {
  while (existsSync(folder)) {
    try {
      return await readdir(folder, { recursive: true, withFileTypes: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  return [];
}

function follow(child: ChildProcess): Running {
  const output = { stdout: '', stderr: '' };
  const listeners = new Set<() => void>();
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream]?.setEncoding('utf8').on('data', (text: string) => {
      output[stream] += text;
      for (const listener of listeners) listener();
    });
  }
  child.stdin?.end();
  const ended = new Promise<Outcome>((resolveEnd, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      resolveEnd({ code, signal, ...output });
    });
  });
  return {
    process: child,
    ended,
    says: async (pattern) => {
      await new Promise<void>((resolveSaid, reject) => {
        const check = (): void => {
          if (pattern.test(output.stdout) || pattern.test(output.stderr)) resolveSaid();
        };
        listeners.add(check);
        check();
        const fail = (): void => {
          reject(
            new Error(
              `It ended without saying ${String(pattern)}:\n${output.stdout}\n${output.stderr}`,
            ),
          );
        };
        ended.then(fail, fail);
      });
    },
  };
}
