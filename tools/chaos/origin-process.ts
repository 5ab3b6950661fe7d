import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Random } from '../generate/random.ts';

const SCRIPT = join(import.meta.dirname, 'origin.js');

/** The misbehaving publisher. Its process may be killed, and starts again at the same port. */
export class OriginProcess {
  readonly #folder: string;
  readonly #random: Random;
  readonly #token: string;
  #child: ChildProcess | undefined;
  #url = '';

  constructor(folder: string, random: Random, token: string) {
    this.#folder = folder;
    this.#random = random;
    this.#token = token;
  }

  async start(): Promise<void> {
    await this.stop();
    const port = this.#url === '' ? '0' : new URL(this.#url).port;
    const seed = String(this.#random.below(1_000_000));
    const args = [SCRIPT, this.#folder, port, seed, this.#token];
    const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#child = child;
    // A pipe to a killed process may break. Only the end of the process counts.
    for (const pipe of [child.stdin, child.stdout]) pipe.on('error', () => undefined);
    const [line] = (await Promise.race([
      once(child.stdout, 'data'),
      once(child, 'exit').then(() => {
        throw new Error('The origin did not start.');
      }),
    ])) as [Buffer];
    this.#url = String(line).trim();
  }

  address(source: string): string {
    return `${this.#url}/${source}.csv`;
  }

  async stop(): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }
}
