import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { findEmbedded, stopEmbedded } from '../../src/embedded/host-link.ts';
import { joinEmbedded } from '../../src/embedded/join.ts';
import { hostCommand } from '../embedded/host-command.ts';
import { pidsWith } from '../helpers/processes.ts';
import { withTempFolder } from '../helpers/temp-folder.ts';

const STARTERS = 5;

test('the host’s lock is held by one at a time, of five processes that race as each holder is killed', async () => {
  const kills = 50;
  await withTempFolder(async (folder) => {
    const holders = new Set<ChildProcess>();
    let killed = 0;
    const race = async (): Promise<void> => {
      while (killed < kills) {
        const { candidate, hasLock } = await startCandidate(join(folder, 'lock'));
        const ended = once(candidate, 'exit');
        if (hasLock) {
          holders.add(candidate);
          await sleep(HOLD_MS);
          assert.equal(holders.size, 1);
          holders.delete(candidate);
          killed += 1;
          candidate.kill('SIGKILL');
        } else candidate.kill();
        await ended;
      }
    };
    await Promise.all(Array.from({ length: STARTERS }, race));
  });
});

test('while hosts are killed and five commands start them, never two servers have one database', async () => {
  const kills = 10;
  await withTempFolder(async (folder) => {
    const stateDir = join(folder, '.longhaul');
    const seen = watch(stateDir);
    try {
      let killed = 0;
      const command = async (isKiller: boolean): Promise<void> => {
        while (killed < kills) {
          const server = await joinEmbedded({ stateDir, host: hostCommand(stateDir) });
          await startRun(server, `run-${killed}`);
          const pid = (await findEmbedded(stateDir))?.pid;
          if (isKiller && pid !== undefined) {
            killed += 1;
            process.kill(pid, 'SIGKILL');
          }
          // The host is dead or soon will be, so the command asks for the current server.
          await startRun(await server.current(), 'last');
          await server.leave();
        }
      };
      await Promise.all(Array.from({ length: STARTERS }, async (_, n) => await command(n === 0)));
    } finally {
      await stopEmbedded(stateDir, { force: true });
      const { temporals, looks } = await seen.stop();
      assert.ok(looks > kills);
      assert.equal(temporals, 1);
    }
  });
});

/** In this time, another candidate would also say that it holds the lock. */
const HOLD_MS = 100;

const CANDIDATE = `
const { takeLock } = await import(${JSON.stringify(new URL('../../src/embedded/state-files.js', import.meta.url).href)});
console.log(takeLock(process.argv.at(-1)) === undefined ? 'no' : 'yes');
setInterval(() => undefined, 1000);
`;

async function startCandidate(
  path: string,
): Promise<{ candidate: ChildProcess; hasLock: boolean }> {
  const args = ['--input-type=module', '--eval', CANDIDATE, path];
  const candidate = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  assert.ok(candidate.stdout);
  const [line] = (await once(createInterface(candidate.stdout), 'line')) as string[];
  return { candidate, hasLock: line === 'yes' };
}

async function startRun(
  { address, namespace }: { address: string; namespace: string },
  workflowId: string,
): Promise<void> {
  const connection = await Connection.connect({ address }).catch(() => undefined);
  // The host was killed meanwhile.
  if (!connection) return;
  const client = new Client({ connection, namespace });
  const options = { workflowId, taskQueue: 'no-worker', args: [] };
  await client.workflow
    .start('run', { ...options, workflowIdConflictPolicy: 'USE_EXISTING' })
    .catch(() => undefined);
  await connection.close();
}

/** Counts processes outside Longhaul, again and again. Keeps the largest number of Temporals at once. */
function watch(stateDir: string): {
  stop: () => Promise<{ temporals: number; looks: number }>;
} {
  const most = { temporals: 0, looks: 0 };
  const over = new AbortController();
  const watching = (async () => {
    while (!over.signal.aborted) {
      // The guard of a Temporal is a shell with the same arguments.
      const temporals = await pidsWith(new RegExp(`^(?!/bin/sh ).*-filename ${stateDir}/temporal`));
      most.temporals = Math.max(most.temporals, temporals.length);
      most.looks += 1;
    }
  })();
  return {
    stop: async () => {
      over.abort();
      await watching;
      return most;
    },
  };
}
