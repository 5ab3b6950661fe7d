import assert from 'node:assert/strict';
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Client, Connection } from '@temporalio/client';
import {
  findEmbedded,
  joinEmbedded,
  pinEmbedded,
  stopEmbedded,
  type EmbeddedInfo,
} from '../../src/embedded/index.ts';
import { commandLineOf } from '../../src/embedded/process-identity.ts';
import { SEARCH_ATTRIBUTES } from '../../src/model/run.ts';
import { hostCommand } from '../embedded/host-command.ts';
import { withTempFolder } from '../helpers/temp-folder.ts';

test('two commands share one server, and the last to leave stops all of it', async () => {
  await withState(async (stateDir) => {
    const first = await joined(stateDir);
    const pids = await serverPids(stateDir);
    const second = await joined(stateDir);
    assert.equal(second.address, first.address);
    assert.deepEqual((await infoOf(stateDir)).members, [process.pid, process.pid]);
    await first.leave();
    assert.equal((await infoOf(stateDir)).status, 'ready');
    await second.leave();
    assert.equal(await findEmbedded(stateDir), undefined);
    assert.deepEqual(pids.filter(isAlive), []);
  });
});

test('history survives a restart for 90 days, and search attributes are known', async () => {
  await withState(async (stateDir) => {
    const first = await joined(stateDir);
    await withClient(first.address, async (client) => {
      await client.workflow.start('someWorkflow', {
        workflowId: 'a-run',
        taskQueue: 'nobody',
        searchAttributes: { [SEARCH_ATTRIBUTES.dataset]: ['denver-311'] },
      });
    });
    await first.leave();
    const second = await joined(stateDir);
    await withClient(second.address, async (client) => {
      const run = await client.workflow.getHandle('a-run').describe();
      assert.equal(run.status.name, 'RUNNING');
      const { config } = await client.workflowService.describeNamespace({ namespace: 'default' });
      assert.equal(Number(config?.workflowExecutionRetentionTtl?.seconds), 90 * 24 * 3600);
    });
    await second.leave();
  });
});

test('two first commands at once end with one server, which stops when both have left', async () => {
  await withState(async (stateDir) => {
    const [first, second] = await Promise.all([startMember(stateDir), startMember(stateDir)]);
    assert.equal(first.address, second.address);
    assert.equal((await temporalsOn(stateDir)).length, 1);
    const pids = await serverPids(stateDir);
    await Promise.all([first.leave(), second.leave()]);
    assert.equal(await findEmbedded(stateDir), undefined);
    assert.deepEqual(pids.filter(isAlive), []);
  });
});

test('commands that come and go in any order always get a server, and one at a time', async () => {
  await withState(async (stateDir) => {
    let most = 0;
    const comeAndGo = async (staysMs: number): Promise<void> => {
      for (let times = 0; times < 4; times += 1) {
        const server = await joined(stateDir);
        await withClient(server.address, async (client) => {
          await client.workflowService.getSystemInfo({});
        });
        most = Math.max(most, (await temporalsOn(stateDir)).length);
        await sleep(staysMs * times);
        await server.leave();
      }
    };
    await Promise.all([0, 70, 250].map(comeAndGo));
    assert.equal(most, 1);
    assert.equal(await findEmbedded(stateDir), undefined);
    assert.deepEqual(await temporalsOn(stateDir), []);
  });
});

test('a server whose only command was killed stops by itself', async () => {
  await withState(async (stateDir) => {
    const member = await startMember(stateDir);
    const pids = await serverPids(stateDir);
    member.kill();
    await until(() => !pids.some(isAlive));
    assert.equal(await findEmbedded(stateDir), undefined);
  });
});

test('a command that comes after the only other was killed keeps the server', async () => {
  await withState(async (stateDir) => {
    const member = await startMember(stateDir);
    member.kill();
    const next = await joined(stateDir);
    assert.equal(next.address, member.address);
    await next.leave();
  });
});

test('Temporal left by a killed host is taken over with the same address and process', async () => {
  await withState(async (stateDir) => {
    const first = await joined(stateDir);
    const [temporal] = await temporalsOn(stateDir);
    const { pid } = await infoOf(stateDir);
    process.kill(pid, 'SIGKILL');
    await until(() => !isAlive(pid));
    const second = await joined(stateDir);
    assert.equal(second.address, first.address);
    assert.deepEqual(await temporalsOn(stateDir), [temporal]);
    assert.notEqual((await infoOf(stateDir)).pid, pid);
    await Promise.all([first.leave(), second.leave()]);
    assert.deepEqual(await temporalsOn(stateDir), []);
  });
});

test('after host and Temporal were killed the next command starts both on the same history', async () => {
  await withState(async (stateDir) => {
    const first = await joined(stateDir);
    await withClient(first.address, async (client) => {
      await client.workflow.start('someWorkflow', { workflowId: 'a-run', taskQueue: 'nobody' });
    });
    const pids = await serverPids(stateDir);
    for (const pid of pids) process.kill(pid, 'SIGKILL');
    await until(() => !pids.some(isAlive));
    const second = await joined(stateDir);
    await withClient(second.address, async (client) => {
      assert.equal((await client.workflow.getHandle('a-run').describe()).status.name, 'RUNNING');
    });
    await Promise.all([first.leave(), second.leave()]);
  });
});

test('Temporal left stopped is ended, and another starts in its place', async () => {
  await withState(async (stateDir) => {
    const first = await joined(stateDir);
    const [temporal = 0] = await temporalsOn(stateDir);
    const { pid } = await infoOf(stateDir);
    process.kill(temporal, 'SIGSTOP');
    process.kill(pid, 'SIGKILL');
    await until(() => !isAlive(pid));
    const second = await joined(stateDir);
    assert.equal(isAlive(temporal), false);
    assert.equal((await temporalsOn(stateDir)).length, 1);
    await Promise.all([first.leave(), second.leave()]);
  });
});

test('when Temporal dies the host starts it again for the commands that are there', async () => {
  await withState(async (stateDir) => {
    const member = await joined(stateDir);
    const [temporal = 0] = await temporalsOn(stateDir);
    process.kill(temporal, 'SIGKILL');
    await until(async () => {
      const running = await temporalsOn(stateDir);
      return running.length === 1 && running[0] !== temporal && (await isReady(stateDir));
    });
    assert.equal((await infoOf(stateDir)).address, member.address);
    await member.leave();
  });
});

test('a pinned server stays when all have left, until it is stopped', async () => {
  await withState(async (stateDir) => {
    const up = await joined(stateDir);
    await pinEmbedded(stateDir);
    await up.leave();
    assert.equal((await infoOf(stateDir)).pinned, true);
    const member = await joined(stateDir);
    assert.equal(member.address, up.address);
    assert.deepEqual(await stopEmbedded(stateDir), {
      outcome: 'stops-later',
      members: [process.pid],
    });
    const pids = await serverPids(stateDir);
    await member.leave();
    assert.deepEqual(pids.filter(isAlive), []);
    assert.deepEqual(await stopEmbedded(stateDir), { outcome: 'not-running', members: [] });
  });
});

test('stopping with force stops a server in use, and one whose host was killed', async () => {
  await withState(async (stateDir) => {
    const member = await joined(stateDir);
    const pids = await serverPids(stateDir);
    assert.deepEqual(await stopEmbedded(stateDir, { force: true }), {
      outcome: 'stopped',
      members: [],
    });
    assert.deepEqual(pids.filter(isAlive), []);
    await member.leave();
    const other = await joined(stateDir);
    process.kill((await infoOf(stateDir)).pid, 'SIGKILL');
    await until(async () => (await findEmbedded(stateDir)) === undefined);
    assert.equal((await temporalsOn(stateDir)).length, 1);
    assert.equal((await stopEmbedded(stateDir)).outcome, 'stopped');
    assert.deepEqual(await temporalsOn(stateDir), []);
    await other.leave();
  });
});

test('what keeps the server from starting is told: no Temporal program, a worker that fails, a broken database', async () => {
  await withState(async (stateDir) => {
    const noProgram = hostCommand(stateDir, 'temporal-cli', '/nonsense');
    await assert.rejects(joinEmbedded({ stateDir, host: noProgram }), {
      code: 'TEMPORAL_NOT_INSTALLED',
      message: 'TEMPORAL_CLI names /nonsense, which is no program that can be run.',
    });
    const noWorker = hostCommand(stateDir, 'worker-fails');
    await assert.rejects(
      joinEmbedded({ stateDir, host: noWorker }),
      (error: Error & { details?: unknown }) => {
        assert.match(error.message, /The embedded worker failed: no such bundle/);
        assert.match(JSON.stringify(error.details), /host\.log/);
        return true;
      },
    );
    assert.deepEqual(await temporalsOn(stateDir), []);
    const noModule = { entry: join(stateDir, 'absent.ts'), args: [] };
    await assert.rejects(joinEmbedded({ stateDir, host: noModule }), { code: 'EMBEDDED_FAILED' });
    await writeFile(join(stateDir, 'temporal.db'), 'no database');
    await assert.rejects(joined(stateDir), {
      code: 'EMBEDDED_FAILED',
      message: /did not start.*database/,
    });
    assert.equal(await findEmbedded(stateDir), undefined);
  });
});

interface Member {
  address: string;
  leave: () => Promise<void>;
  kill: () => void;
}

async function joined(stateDir: string): ReturnType<typeof joinEmbedded> {
  return await joinEmbedded({ stateDir, host: hostCommand(stateDir) });
}

/** A command in a process of its own. */
async function startMember(stateDir: string): Promise<Member> {
  const entry = fileURLToPath(new URL('../embedded/member-entry.ts', import.meta.url));
  const child: ChildProcess = spawn(process.execPath, ['--import', 'tsx', entry, stateDir], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  assert.ok(child.stdout);
  const lines = createInterface(child.stdout);
  const [address] = (await once(lines, 'line')) as string[];
  const ended = once(child, 'exit');
  return {
    address: address ?? '',
    leave: async () => {
      child.stdin?.end();
      await ended;
    },
    kill: () => void child.kill('SIGKILL'),
  };
}

/** A state folder; whatever a test left running on it is stopped. */
async function withState(body: (stateDir: string) => Promise<void>): Promise<void> {
  await withTempFolder(async (folder) => {
    const stateDir = join(folder, '.longhaul');
    try {
      await body(stateDir);
    } catch (error) {
      console.error(await readFile(join(stateDir, 'host.log'), 'utf8').catch(String));
      throw error;
    } finally {
      await stopEmbedded(stateDir, { force: true });
    }
  });
}

async function withClient(address: string, use: (client: Client) => Promise<void>): Promise<void> {
  const connection = await Connection.connect({ address });
  try {
    await use(new Client({ connection }));
  } finally {
    await connection.close();
  }
}

async function infoOf(stateDir: string): Promise<EmbeddedInfo> {
  const info = await findEmbedded(stateDir);
  assert.ok(info);
  return info;
}

async function isReady(stateDir: string): Promise<boolean> {
  return (await findEmbedded(stateDir))?.status === 'ready';
}

async function serverPids(stateDir: string): Promise<number[]> {
  return [(await infoOf(stateDir)).pid, ...(await temporalsOn(stateDir))];
}

/** Seen from outside: every process that has this database on its command line. */
async function temporalsOn(stateDir: string): Promise<number[]> {
  const database = join(stateDir, 'temporal.db');
  return (await allPids()).filter((pid) => commandLineOf(pid)?.includes(database));
}

async function allPids(): Promise<number[]> {
  if (process.platform === 'linux')
    return (await readdir('/proc')).map(Number).filter((pid) => pid > 0);
  const { stdout } = await promisify(execFile)('ps', ['-axo', 'pid=']);
  return stdout.trim().split(/\s+/).map(Number);
}

function isAlive(pid: number): boolean {
  return commandLineOf(pid) !== undefined;
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await sleep(20);
}
