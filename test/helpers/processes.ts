import { execFile } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Command lines of this machine's processes that have a text in them: a test's own folder, for example. */
export async function processesWith(text: string): Promise<string[]> {
  const { stdout } = await run('ps', ['-A', '-ww', '-o', 'args='], { maxBuffer: 2 ** 26 });
  return stdout.split('\n').filter((line) => line.includes(text));
}

const WAIT_LIMIT_MS = 120_000;

/** Looks again and again, as what is waited for is short. */
export async function until(what: string, isTrue: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + WAIT_LIMIT_MS;
  while (!(await isTrue())) {
    if (performance.now() > end) throw new Error(`It never came to it: ${what}.`);
    await sleep(10);
  }
}
