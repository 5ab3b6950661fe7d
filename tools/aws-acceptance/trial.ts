import { spawn, type ChildProcess } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { PROGRAM } from '../demo/cli.ts';
import { generate } from '../generate/generate.ts';
import { startFileOrigin } from '../origin/file-origin.ts';
import { EmrView } from './emr-view.ts';

/** Years whose files differ in headers, encodings and quoting. */
const YEARS = [2015, 2021, 2025];
const RECORDS = 2000;
/** Records of all sources of a dataset. */
export const ALL_RECORDS = YEARS.length * RECORDS;

/** With three instances, 3 instance-hours are an hour, which has room for 40 minutes of start and one step. */
const LIMITS = {
  EMR_STEP_LIMIT_MINUTES: '20',
  EMR_MAX_INSTANCE_HOURS: '3',
};

export interface Ended<T> {
  code: number | string;
  json: T;
  /** The command's output, to show to the user. */
  output: string;
}

export interface Running {
  process: ChildProcess;
  ended: Promise<Ended<unknown>>;
}

/** The real CLI with its own Temporal and worker, and three small sources on this machine. */
export class Trial {
  readonly emr = new EmrView();
  readonly #folder: string;
  readonly #env: Record<string, string>;
  isInterrupted = false;

  constructor(folder: string) {
    this.#folder = folder;
    this.#env = {
      ...LIMITS,
      ...(process.env as Record<string, string>),
      STATE_DIR: join(folder, 'state'),
      DATASETS_FILE: join(folder, 'datasets.yaml'),
      TEMPORAL_ADDRESS: '',
      EMR_CLUSTER_ID: '',
      EMR_KEEP_ALIVE: '',
      EMR_OUTPUT: 's3',
    };
  }

  /** Starts a command. Its progress goes to this terminal. */
  start(args: string[], env: Record<string, string> = {}): Running {
    console.log(`  longhaul ${args.join(' ')}`);
    const child = spawn(process.execPath, [PROGRAM, ...args, '--json'], {
      env: { ...this.#env, ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const ended = new Promise<Ended<unknown>>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) => {
        resolve({ code: code ?? signal ?? 'ended', json: parsed(output), output });
      });
    });
    return { process: child, ended };
  }

  async json<T>(args: string[], env?: Record<string, string>): Promise<Ended<T>> {
    return (await this.start(args, env).ended) as Ended<T>;
  }

  /** Stops the worker and its Temporal in order. */
  async down(): Promise<void> {
    await this.start(['down']).ended;
  }

  /** Kills the worker with its embedded Temporal, and the command, by SIGKILL. */
  async kill(running: Running, stateDir = this.#env['STATE_DIR'] ?? ''): Promise<void> {
    const host = JSON.parse(await readFile(join(stateDir, 'host.json'), 'utf8')) as { pid: number };
    process.kill(host.pid, 'SIGKILL');
    running.process.kill('SIGKILL');
    await running.ended;
  }

  /** A state folder for a run that no later worker continues. */
  stateApart(name: string): string {
    return join(this.#folder, name);
  }
}

export async function withTrial(
  datasets: readonly string[],
  body: (trial: Trial) => Promise<number>,
): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'longhaul-acceptance-'));
  const files = join(folder, 'files');
  await makeSources(files);
  const origin = await startFileOrigin(files);
  const sources = YEARS.map(
    (year) => `      - { id: "${year}", address: ${origin.url}/${year}.csv }`,
  );
  const text = datasets.map((name) => `  ${name}:\n    sources:\n${sources.join('\n')}\n`).join('');
  await writeFile(join(folder, 'datasets.yaml'), `datasets:\n${text}`);
  const trial = new Trial(folder);
  // Ctrl-C reaches the command too, which cancels its run. The trial still looks for clusters that cost money.
  const interrupt = (): void => {
    trial.isInterrupted = true;
  };
  process.on('SIGINT', interrupt);
  try {
    return await body(trial);
  } finally {
    await trial.down();
    process.off('SIGINT', interrupt);
    trial.emr.close();
    await origin.close();
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function makeSources(folder: string): Promise<void> {
  await mkdir(folder);
  for (const year of YEARS) {
    const { chunks } = generate({
      dataset: 'denver-311',
      year,
      seed: 1,
      limit: { records: RECORDS },
    });
    await pipeline(Readable.from(chunks), createWriteStream(join(folder, `${year}.csv`)));
  }
}

function parsed(output: string): unknown {
  try {
    return JSON.parse(output) as unknown;
  } catch {
    return undefined;
  }
}
