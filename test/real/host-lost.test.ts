import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { withLab, type Lab } from '../helpers/lab.ts';
import type { Answer } from '../helpers/origin.ts';
import { childrenOf, pidsWith, processesWith, until } from '../helpers/processes.ts';

/** A held download does not fail. After a worker is killed, another worker soon takes over its download. */
const PATIENT = {
  HTTP_STALL_TIMEOUT_SECONDS: '60',
  SOURCE_RETRY_MINUTES: '15',
  HEARTBEAT_TIMEOUT_SECONDS: '2',
};
const SMALL_CSV = 'id,name\r\n1,a\r\n';
const ROWS = 600_000;
const CSV = `id,name\r\n${'1,a\r\n'.repeat(ROWS)}`;
/** More bytes than the probe reads. */
const HELD_AT_BYTES = 2_000_000;

interface Run {
  status: string;
  runId: string;
  ledger: { rows: number };
}

describe('a server that comes back on another port', () => {
  it("is followed by its command to the end of the same run, although another lake's took the port", async () => {
    const held = heldAnswer();
    await withLab({ up: false }, async (theirs) => {
      const address = await upAt(theirs);
      await withLab({ routes: { '/a.csv': held.answer }, env: PATIENT, up: false }, async (lab) => {
        await lab.datasets({ things: { a: lab.origin.address('/a.csv') } });
        const running = lab.start(['ingest', 'things', '--json']);
        await running.says(/things a: land/);
        const host = await hostPid(running.process.pid);
        // The test stops the host first, so that the host starts no other server before the test takes the port.
        process.kill(host, 'SIGSTOP');
        const taken = await forwarded(await killTemporal(lab), address);
        process.kill(host, 'SIGKILL');
        try {
          await running.says(/Temporal is back/);
          held.release();
          const { code, stdout, stderr } = await running.ended;
          assert.equal(code, 0, stdout + stderr);
          const run = JSON.parse(stdout) as Run;
          assert.equal(run.ledger.rows, ROWS);
          assert.equal((await lab.published()).length, 1);
          const { json } = await lab.json<{ runs: { runId: string }[] }>(['runs']);
          assert.deepEqual(
            json.runs.map(({ runId }) => runId),
            [run.runId],
          );
        } finally {
          await taken.close();
        }
      });
      const other = await theirs.json<{ runs: unknown[] }>(['runs']);
      assert.deepEqual([other.json.runs, await theirs.published()], [[], []]);
    });
  });
});

describe('a host that is killed', () => {
  it('while a command waits for its start is started again', async () => {
    await withLab({ routes: { '/a.csv': { body: SMALL_CSV } }, up: false }, async (lab) => {
      await lab.datasets({ things: { a: lab.origin.address('/a.csv') } });
      const running = lab.start(['ingest', 'things', '--json']);
      process.kill(await hostPid(running.process.pid), 'SIGKILL');
      const { code, stdout, stderr } = await running.ended;
      assert.equal(code, 0, stdout + stderr);
      assert.equal((await lab.published()).length, 1);
      await nothingIsLeft(lab);
    });
  });

  it('under a foreground `up` is started again by it, for the next command', async () => {
    await withLab({ routes: { '/a.csv': { body: SMALL_CSV } }, up: false }, async (lab) => {
      await lab.datasets({ things: { a: lab.origin.address('/a.csv') } });
      const up = lab.start(['up']);
      await up.says(/It stays until/);
      const host = await hostPid(up.process.pid);
      process.kill(host, 'SIGKILL');
      await up.says(/starting it again/);
      await until('another host', async () => (await hostPid(up.process.pid)) !== host);
      assert.equal((await lab.run(['ingest', 'things'])).code, 0);
      assert.equal(up.process.exitCode, null, 'it is there still');
      up.process.kill('SIGINT');
      assert.equal((await up.ended).code, 0);
      await nothingIsLeft(lab);
    });
  });
});

describe('longhaul down', () => {
  it('ends a foreground `up` too, and both say so', async () => {
    await withLab({ up: false }, async (lab) => {
      const up = lab.start(['up']);
      await up.says(/It stays until/);
      const down = await lab.run(['down']);
      const { code, stderr } = await up.ended;
      assert.equal(code, 0, stderr);
      assert.match(stderr, /longhaul down/);
      assert.deepEqual(
        [down.code, down.stdout],
        [0, `Stopped. \`longhaul up\` (process ${up.process.pid}) ends with it.\n`],
      );
      await nothingIsLeft(lab);
    });
  });

  it('with --force ends the command that uses the server at once, and its run goes on with the next', async () => {
    const held = heldAnswer();
    await withLab({ routes: { '/a.csv': held.answer }, env: PATIENT, up: false }, async (lab) => {
      await lab.datasets({ things: { a: lab.origin.address('/a.csv') } });
      const running = lab.start(['ingest', 'things', '--json']);
      await running.says(/things a: land/);
      assert.equal((await lab.run(['down', '--force'])).code, 0);
      const { code, stdout } = await running.ended;
      assert.equal(code, 9, stdout);
      const { error } = JSON.parse(stdout) as { error: { code: string } };
      assert.equal(error.code, 'EMBEDDED_STOPPED');
      await nothingIsLeft(lab);
      held.release();
      assert.equal((await lab.run(['ingest', 'things'])).code, 0);
      const { json } = await lab.json<{ runs: unknown[] }>(['runs']);
      assert.deepEqual([json.runs.length, (await lab.published()).length], [1, 1]);
    });
  });
});

/** An answer that stops half-way until the test releases it. */
function heldAnswer(): { answer: Answer; release: () => void } {
  let release = (): void => undefined;
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const answer: Answer = {
    body: CSV,
    etag: '"1"',
    pauseAfterBytes: { bytes: HELD_AT_BYTES, until: released },
  };
  return { answer, release: () => release() };
}

async function upAt(lab: Lab): Promise<string> {
  const { json } = await lab.json<{ address: string }>(['up', '--background']);
  return json.address;
}

/** @returns the port that Temporal leaves free. */
async function killTemporal(lab: Lab): Promise<number> {
  const database = join(lab.stateDir, 'temporal.db');
  const [line = ''] = await processesWith(database);
  for (const pid of await pidsWith(new RegExp(database))) process.kill(pid, 'SIGKILL');
  return Number(/--port[ =](\d+)/.exec(line)?.[1]);
}

/** Waits for the host that a command starts. @returns its process id. */
async function hostPid(command: number | undefined): Promise<number> {
  let found: number | undefined;
  await until('a host', async () => {
    found = (await childrenOf(command ?? 0, /__host/))[0];
    return found !== undefined;
  });
  return found ?? 0;
}

/** Waits until no server and no host is left. */
async function nothingIsLeft(lab: Lab): Promise<void> {
  const lines = new RegExp(lab.folder);
  await until('nothing is left', async () => (await pidsWith(lines)).length === 0);
  assert.match((await lab.run(['down'])).stdout, /^No embedded server is running/);
}

/** Forwards a port to another server, as if that server listened there. */
async function forwarded(port: number, address: string): Promise<{ close(): Promise<void> }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    const onward = connect(Number(address.split(':')[1]), '127.0.0.1');
    for (const each of [socket, onward]) {
      sockets.add(each);
      each.on('error', () => undefined);
      each.once('close', () => sockets.delete(each));
    }
    socket.pipe(onward).pipe(socket);
  });
  await listen(server, port);
  return {
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Listens as soon as the port is free. */
async function listen(server: Server, port: number): Promise<void> {
  for (;;) {
    server.listen(port, '127.0.0.1');
    const outcome = await Promise.race([
      once(server, 'listening').then(() => true),
      once(server, 'error').then(() => false),
    ]).catch(() => false);
    if (outcome) return;
    await sleep(5);
  }
}
