import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { findEmbedded, pinEmbedded, stopEmbedded } from '../../src/embedded/host-link.ts';
import { joinEmbedded } from '../../src/embedded/join.ts';
import type { EmbeddedAddress, JoinOptions } from '../../src/embedded/join.ts';
import type { HostState } from '../../src/embedded/protocol.ts';
import { SEARCH_ATTRIBUTES } from '../../src/model/run.ts';
import { hostCommand } from '../embedded/host-command.ts';
import { hostOfScript, withState } from '../embedded/with-state.ts';
import { livingOf, pidsWith, until } from '../helpers/processes.ts';
import { withTempFolder, withTmpdir } from '../helpers/temp-folder.ts';

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
    await untilGone(pids);
    // A socket or a FIFO would stop a program that copies a lake or reads all its files.
    const left = await readdir(stateDir, { withFileTypes: true });
    assert.deepEqual(
      left.filter((entry) => !entry.isFile()).map(({ name }) => name),
      [],
    );
  });
});

test('history survives a restart for 90 days, and search attributes are known', async () => {
  await withState(async (stateDir) => {
    const first = await joined(stateDir);
    await withClient(first, async (client) => {
      await client.workflow.start('someWorkflow', {
        workflowId: 'a-run',
        taskQueue: 'no-worker',
        searchAttributes: { [SEARCH_ATTRIBUTES.dataset]: ['denver-311'] },
      });
    });
    await first.leave();
    const second = await joined(stateDir);
    await withClient(second, async (client) => {
      const run = await client.workflow.getHandle('a-run').describe();
      assert.equal(run.status.name, 'RUNNING');
      const { config } = await client.workflowService.describeNamespace({
        namespace: second.namespace,
      });
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
    await untilGone(pids);
  });
});

test('commands that come and go in any order always get a server, and one at a time', async () => {
  await withState(async (stateDir) => {
    let most = 0;
    const comeAndGo = async (staysMs: number): Promise<void> => {
      for (let times = 0; times < 4; times += 1) {
        const server = await joined(stateDir);
        await withClient(server, async (client) => {
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
    await untilGone(pids);
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

test('a host that is killed takes its Temporal along, and runs go on at the same address', async () => {
  await withState(async (stateDir) => {
    const first = await joined(stateDir);
    await withClient(first, async (client) => {
      await client.workflow.start('someWorkflow', { workflowId: 'a-run', taskQueue: 'no-worker' });
    });
    const pids = await serverPids(stateDir);
    process.kill((await infoOf(stateDir)).pid, 'SIGKILL');
    await untilGone(pids);
    const now = await first.current();
    assert.deepEqual(
      [now.address, now.namespace, now.uiUrl],
      [first.address, first.namespace, first.uiUrl],
    );
    assert.equal((await temporalsOn(stateDir)).length, 1);
    await withClient(now, async (client) => {
      assert.equal((await client.workflow.getHandle('a-run').describe()).status.name, 'RUNNING');
    });
    await first.leave();
    await untilGone(await temporalsOn(stateDir));
  });
});

test('after host and Temporal were killed the next command starts both on the same history', async () => {
  await withState(async (stateDir) => {
    const first = await joined(stateDir);
    await withClient(first, async (client) => {
      await client.workflow.start('someWorkflow', { workflowId: 'a-run', taskQueue: 'no-worker' });
    });
    const pids = await serverPids(stateDir);
    // The host's end would also end Temporal, so the test kills Temporal first.
    for (const pid of pids.toReversed()) process.kill(pid, 'SIGKILL');
    await untilGone(pids);
    const second = await joined(stateDir);
    await withClient(second, async (client) => {
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
    await untilGone([pid]);
    const second = await joined(stateDir);
    assert.deepEqual(await livingOf([temporal]), []);
    assert.equal((await temporalsOn(stateDir)).length, 1);
    await Promise.all([first.leave(), second.leave()]);
  });
});

test('when Temporal dies the host starts it again for the commands that are there', async () => {
  await withState(async (stateDir) => {
    const member = await joined(stateDir);
    const [temporal = 0] = await temporalsOn(stateDir);
    process.kill(temporal, 'SIGKILL');
    await until('another Temporal', async () => {
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
      ups: [],
    });
    const pids = await serverPids(stateDir);
    await member.leave();
    await untilGone(pids);
    assert.deepEqual(await stopEmbedded(stateDir), {
      outcome: 'not-running',
      members: [],
      ups: [],
    });
  });
});

test('stopping with force stops a server in use, and its commands say so', async () => {
  await withState(async (stateDir) => {
    const member = await joined(stateDir);
    const pids = await serverPids(stateDir);
    const stopped = await stopEmbedded(stateDir, { force: true });
    assert.deepEqual(stopped, { outcome: 'stopped', members: [], ups: [] });
    await untilGone(pids);
    assert.match(await member.stopped(), /longhaul down --force/);
    await assert.rejects(member.current(), { code: 'EMBEDDED_STOPPED' });
    assert.equal(await findEmbedded(stateDir), undefined);
    await member.leave();
  });
});

test('what keeps the server from starting is the error: no Temporal program, a worker that fails, no module', async () => {
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
    assert.equal(await findEmbedded(stateDir), undefined);
  });
});

test('a database that is damaged, or was never finished, is set aside with a word, and the server starts', async () => {
  for (const damaged of ['no database', '']) {
    await withState(async (stateDir) => {
      await mkdir(stateDir, { recursive: true });
      await writeFile(join(stateDir, 'temporal.db'), damaged);
      const notes: string[] = [];
      const onNote = (note: string): void => void notes.push(note);
      const server = await joined(stateDir, { onNote, needsWorker: false });
      assert.match(notes.join('\n'), /temporal\.db\.damaged-\S+ .*longhaul schedule apply/);
      const aside = (await readdir(stateDir)).find((name) => name.startsWith('temporal.db.dam'));
      assert.equal(await readFile(join(stateDir, aside ?? ''), 'utf8'), damaged);
      await server.leave();
    });
  }
});

test('a state folder that is removed leaves no host and no Temporal, and commands hear of it', async () => {
  await withState(async (stateDir) => {
    const member = await joined(stateDir);
    const pids = await serverPids(stateDir);
    // The host still writes its log and database into the folder, so that rm may find it not empty at its end.
    await rm(stateDir, { recursive: true, force: true, maxRetries: 20 });
    await untilGone(pids);
    assert.match(await member.stopped(), /was removed/);
    await assert.rejects(member.current(), { code: 'EMBEDDED_STOPPED' });
    await member.leave();
  });
});

test('a host that is killed while it starts is started again', async () => {
  await withState(async (stateDir) => {
    const joining = joined(stateDir);
    await until('a host that starts', async () => (await findEmbedded(stateDir)) !== undefined);
    const { pid, status } = await infoOf(stateDir);
    assert.equal(status, 'starting');
    process.kill(pid, 'SIGKILL');
    const server = await joining;
    assert.notEqual((await infoOf(stateDir)).pid, pid);
    await server.leave();
  });
});

test('a Temporal whose command line cannot be read is not taken for dead', async () => {
  await withState(async (stateDir) => {
    // For six seconds, the command line of this process does not name Temporal.
    const host = await hostOfScript(
      stateDir,
      (real) => `echo start >> '${stateDir}/starts'
for each; do printf '%s\\n' "$each"; done > '${stateDir}/arguments'
exec /bin/sh -c 'sleep 6; IFS="
"; set -f; exec "$0" $(cat "$1")' '${real}' '${stateDir}/arguments'
`,
    );
    const server = await joinEmbedded({ stateDir, host });
    assert.equal(await readFile(join(stateDir, 'starts'), 'utf8'), 'start\n');
    assert.equal((await temporalsOn(stateDir)).length, 1);
    await server.leave();
  });
});

test('each state folder has a namespace of its own, which it keeps when moved and not when copied', async () => {
  await withTempFolder(async (folder) => {
    const [one, moved, copied] = ['one', 'moved', 'copied'].map((name) => join(folder, name));
    const namespaceOf = async (stateDir = ''): Promise<string> => {
      const server = await joined(stateDir);
      try {
        await withClient(server, async (client) => {
          await client.workflow.count();
        });
        return server.namespace;
      } finally {
        await server.leave();
      }
    };
    const first = await namespaceOf(one);
    assert.equal(await namespaceOf(one), first);
    await rename(one ?? '', moved ?? '');
    assert.equal(await namespaceOf(moved), first);
    // The server runs during the copy, so the copy has the record of a running host.
    const server = await joined(moved ?? '');
    await cp(moved ?? '', copied ?? '', { recursive: true, filter: isPlain });
    assert.notEqual(await namespaceOf(copied), first);
    await server.leave();
    assert.equal(await namespaceOf(moved), first);
  });
});

test('a namespace that is gone under the worker comes back', async () => {
  await withState(async (stateDir) => {
    const server = await joined(stateDir);
    await withClient(server, async (client) => {
      await client.connection.operatorService.deleteNamespace({ namespace: server.namespace });
    });
    await until('the namespace', async () => {
      const now = await server.current();
      return await withClient(now, async (client) => {
        await client.workflow.start('w', { workflowId: 'anew', taskQueue: 'no-worker' });
        return true;
      }).catch(() => false);
    });
    assert.equal((await temporalsOn(stateDir)).length, 1);
    await server.leave();
  });
});

test('a command that only asks starts no worker, and the first one that works does', async () => {
  await withState(async (stateDir) => {
    const asks = await joined(stateDir, { needsWorker: false });
    assert.equal((await infoOf(stateDir)).worker, 'none');
    const works = await joined(stateDir);
    assert.equal((await infoOf(stateDir)).worker, 'ready');
    await Promise.all([asks.leave(), works.leave()]);
  });
});

test('a command that works with other settings than the worker’s is refused, by their names', async () => {
  await withState(async (stateDir) => {
    const settings = { S3_CHECKSUMS: 'a', TRANSFER_SLOTS: 'b' };
    const host = hostCommand(stateDir, 'settings', JSON.stringify(settings));
    const up = await joinEmbedded({ stateDir, host, settings });
    const others = { ...settings, TRANSFER_SLOTS: 'c' };
    await assert.rejects(joinEmbedded({ stateDir, host, settings: others }), {
      code: 'CONFIG_INVALID',
      message: /TRANSFER_SLOTS\.$/,
    });
    const asks = await joinEmbedded({ stateDir, host, settings: others, needsWorker: false });
    await asks.leave();
    assert.equal((await infoOf(stateDir)).status, 'ready');
    await up.leave();
  });
});

test('the first word that a command hears is one that counts it, so that the server does not end under it', async () => {
  await withState(async (stateDir) => {
    const first = await joined(stateDir);
    const socket = createConnection(join(stateDir, 'host.sock'));
    const heard = once(createInterface(socket), 'line');
    await once(socket, 'connect');
    // The host tells every command when another one joins.
    const second = await joined(stateDir);
    socket.write('{"say":"hello","pid":4242,"role":"command","needsWorker":false}\n');
    const { members } = JSON.parse(((await heard) as [string])[0]) as { members: number[] };
    assert.ok(members.includes(4242));
    socket.destroy();
    await Promise.all([first.leave(), second.leave()]);
  });
});

test('stopping ends a foreground up at once, and the server with it unless commands use it', async () => {
  await withState(async (stateDir) => {
    const up = await joined(stateDir, { isUp: true });
    const command = await joined(stateDir);
    const later = await stopEmbedded(stateDir);
    assert.deepEqual(later, { outcome: 'stops-later', members: [process.pid], ups: [process.pid] });
    assert.match(await up.stopped(), /longhaul down/);
    await up.leave();
    assert.equal((await infoOf(stateDir)).status, 'ready');
    const second = await joined(stateDir, { isUp: true });
    await command.leave();
    const stopped = await stopEmbedded(stateDir);
    assert.deepEqual(stopped, { outcome: 'stopped', members: [], ups: [process.pid] });
    assert.match(await second.stopped(), /longhaul down/);
    await second.leave();
  });
});

test('a state folder with a long path has its socket elsewhere, in a folder of this user alone', async () => {
  await withTmpdir(async (folder) => {
    const stateDir = join(folder, 'x'.repeat(100), '.longhaul');
    const server = await joined(stateDir);
    const record = JSON.parse(await readFile(join(stateDir, 'host.json'), 'utf8')) as {
      socket: string;
    };
    assert.ok(record.socket.startsWith(join(folder, `longhaul-${userInfo().uid}-`)));
    assert.equal((await stat(dirname(record.socket))).mode & 0o777, 0o700);
    const again = await joined(stateDir);
    assert.equal(again.address, server.address);
    await Promise.all([again.leave(), server.leave()]);
    assert.deepEqual(
      (await readdir(folder)).filter((name) => name.startsWith('longhaul-')),
      [],
    );
  });
});

test('the state folder, the database and the records are for this user alone', async () => {
  await withState(async (stateDir) => {
    await mkdir(stateDir, { recursive: true, mode: 0o755 });
    const server = await joined(stateDir);
    const modes = new Map<string, number>();
    for (const name of ['.', 'temporal.db', 'host.json', 'temporal.log', 'host.log']) {
      modes.set(name, (await stat(join(stateDir, name))).mode & 0o777);
    }
    assert.deepEqual([...modes.values()], [0o700, 0o600, 0o600, 0o600, 0o600]);
    await server.leave();
  });
});

interface Member {
  address: string;
  leave: () => Promise<void>;
  kill: () => void;
}

async function joined(
  stateDir: string,
  options: Partial<JoinOptions> = {},
): ReturnType<typeof joinEmbedded> {
  return await joinEmbedded({ stateDir, host: hostCommand(stateDir), ...options });
}

/** Starts a command in its own process. */
async function startMember(stateDir: string): Promise<Member> {
  const entry = fileURLToPath(new URL('../embedded/member-entry.js', import.meta.url));
  const child: ChildProcess = spawn(process.execPath, [entry, stateDir], {
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

async function withClient<T>(
  { address, namespace }: EmbeddedAddress,
  use: (client: Client) => Promise<T>,
): Promise<T> {
  const connection = await Connection.connect({ address });
  try {
    return await use(new Client({ connection, namespace }));
  } finally {
    await connection.close();
  }
}

async function infoOf(stateDir: string): Promise<HostState> {
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

/** Finds every process that serves this database, by its command line. The guard is a shell and does not count. */
async function temporalsOn(stateDir: string): Promise<number[]> {
  return await pidsWith(new RegExp(`^(?!/bin/sh ).* --db-filename ${stateDir}/temporal\\.db`));
}

async function untilGone(pids: readonly number[]): Promise<void> {
  await until(`the end of ${pids.join()}`, async () => (await livingOf(pids)).length === 0);
}

/** Sockets cannot be copied. Temporary files may disappear during the copy. */
async function isPlain(path: string): Promise<boolean> {
  if (path.endsWith('.tmp')) return false;
  const entry = await stat(path);
  return entry.isFile() || entry.isDirectory();
}
