import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, it } from 'node:test';

/** The seed makes the same storms in each run, as far as the timing of processes allows. */
const SEED = '20261128';

async function chaos(...args: string[]): Promise<{ code: unknown; output: string }> {
  const command = ['.built/tools/chaos/main.js', '--seed', SEED, ...args];
  const child = spawn(process.execPath, command, { stdio: ['ignore', 'pipe', 'pipe'] });
  const output: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => output.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => output.push(chunk));
  const [code] = (await once(child, 'close')) as [unknown];
  return { code, output: Buffer.concat(output).toString() };
}

describe('a storm of kills, freezes and faults', () => {
  for (const [target, iterations] of [
    ['disk', 2],
    ['s3', 1],
  ] as const) {
    it(`over a lake in ${target} ends with the day published, whole, once, and nothing left`, async () => {
      const { code, output } = await chaos('--iterations', `${iterations}`, '--target', target);
      assert.equal(code, 0, output);
      assert.match(output.trim().split('\n').at(-1) ?? '', /^\d iterations? passed, 0 failed$/);
    });
  }
});
