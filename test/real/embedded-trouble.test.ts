import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { request, type IncomingMessage } from 'node:http';
import { connect, createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { freePort } from '../../src/embedded/loopback.ts';
import { joinEmbedded, type EmbeddedServer } from '../../src/embedded/join.ts';
import { hostCommand } from '../embedded/host-command.ts';
import { hostOfScript, withState } from '../embedded/with-state.ts';
import { until } from '../helpers/processes.ts';

test('on a full disk the host starts Temporal again for as long as it is full, and says why', async () => {
  await withState(async (stateDir) => {
    // The script fails five times with Temporal's message for a full disk. Then there is room.
    const host = await hostOfScript(
      stateDir,
      (real) => `echo start >> '${stateDir}/starts'
[ "$(wc -l < '${stateDir}/starts')" -gt 5 ] && exec '${real}' "$@"
echo 'Error: failed starting server: database or disk is full (13)' >&2
exit 1
`,
    );
    const notes: string[] = [];
    const server = await joinEmbedded({
      stateDir,
      host,
      onNote: (note) => notes.push(note),
    });
    const note = notes.find((text) => text.startsWith('The disk is full; trying again in '));
    assert.match(note ?? '', /disk is full \(13\)/);
    assert.equal((await readFile(join(stateDir, 'starts'), 'utf8')).split('\n').length - 1, 6);
    await server.leave();
  });
});

test('a Temporal that panics at its start, since its ports were taken, is started again on others', async () => {
  await withState(async (stateDir) => {
    const host = await hostOfScript(
      stateDir,
      (real) => `echo start >> '${stateDir}/starts'
[ "$(wc -l < '${stateDir}/starts')" -gt "$(cat '${stateDir}/panics')" ] && exec '${real}' "$@"
printf 'panic: listen tcp 127.0.0.1:1: bind: address already in use\\n\\n\\tmain.go:18 +0x8e\\n' >&2
exit 2
`,
    );
    await writeFile(join(stateDir, 'panics'), '99');
    await assert.rejects(joinEmbedded({ stateDir, host }), {
      code: 'EMBEDDED_FAILED',
      message: /its last word: panic: listen tcp .* address already in use$/,
    });
    await writeFile(join(stateDir, 'panics'), '2');
    await writeFile(join(stateDir, 'starts'), '');
    const server = await joinEmbedded({ stateDir, host });
    await server.leave();
  });
});

test('a page of another site starts no workflow by the Web UI, and one of its own does', async () => {
  await withServer(async ({ uiUrl, namespace }) => {
    const { host, port } = new URL(uiUrl);
    const page = await ask({ port, headers: { host }, path: `/namespaces/${namespace}` });
    const cookie = (page.headers['set-cookie'] ?? []).map((each) => each.split(';')[0]).join('; ');
    const token = /_csrf=([^;]+)/.exec(cookie)?.[1] ?? '';
    const start = async (named: string, origin: string) => {
      const path = `/api/v1/namespaces/${namespace}/workflows/${named.replace(/\W/g, '-')}`;
      const headers = { host: named, origin, cookie, 'x-csrf-token': token };
      const body = { workflowType: { name: 'w' }, taskQueue: { name: 'no-worker' } };
      return await ask({ port, headers, path, method: 'POST', body: JSON.stringify(body) });
    };
    // In its first second, the Web UI cannot reach its server.
    await until('the Web UI starts a workflow', async () => {
      const { statusCode } = await start(host, `http://${host}`);
      if (statusCode !== 503) assert.equal(statusCode, 200);
      return statusCode === 200;
    });
    const rebound = await start(`evil.example:${port}`, `http://evil.example:${port}`);
    assert.equal(rebound.statusCode, 403);
    assert.equal((await start(host, 'http://evil.example')).statusCode, 403);
  });
});

test('a page of another site starts no workflow by the HTTP API of Temporal', async () => {
  await withState(async (stateDir) => {
    const port = await freePort();
    const host = await hostOfScript(
      stateDir,
      (real) => `exec '${real}' "$@" --http-port ${port}\n`,
    );
    const server = await joinEmbedded({ stateDir, host, needsWorker: false });
    const answer = await ask({
      port: String(port),
      // A browser lets any page send this request without asking the server first.
      headers: { origin: 'http://evil.example', 'content-type': 'text/plain' },
      path: `/api/v1/namespaces/${server.namespace}/workflows/from-a-page`,
      method: 'POST',
      body: JSON.stringify({ workflowType: { name: 'w' }, taskQueue: { name: 'no-worker' } }),
    });
    assert.equal(answer.statusCode, 403, await text(answer));
    await server.leave();
  });
});

test('a state folder whose port another program has gets another port', async () => {
  await withState(async (stateDir) => {
    const first = await joinEmbedded({ stateDir, host: hostCommand(stateDir) });
    await first.leave();
    const port = Number(first.address.split(':')[1]);
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(port, '127.0.0.1', resolve));
    try {
      assert.equal((other.address() as AddressInfo).port, port);
      const second = await joinEmbedded({ stateDir, host: hostCommand(stateDir) });
      assert.notEqual(second.address, first.address);
      assert.equal(second.namespace, first.namespace);
      await second.leave();
    } finally {
      other.close();
    }
  });
});

test('what is no command of this program gets no answer from the host, which goes on', async () => {
  await withState(async (stateDir) => {
    const server = await joinEmbedded({ stateDir, host: hostCommand(stateDir) });
    for (const words of ['GET / HTTP/1.1\r\n\r\n', '{"say":"hello"}\n', 'x'.repeat(100_000)]) {
      const socket = connect(join(stateDir, 'host.sock'));
      socket.on('error', () => undefined);
      socket.write(words);
      await new Promise((resolve) => socket.once('close', resolve));
    }
    assert.equal((await server.current()).address, server.address);
    await server.leave();
  });
});

interface Asked {
  port: string;
  headers: Record<string, string>;
  path: string;
  method?: string;
  body?: string;
}

async function ask({ body, ...asked }: Asked): Promise<IncomingMessage> {
  return await new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', ...asked, agent: false }, resolve)
      .on('error', reject)
      .end(body);
  });
}

async function withServer(body: (server: EmbeddedServer) => Promise<void>): Promise<void> {
  await withState(async (stateDir) => {
    const server = await joinEmbedded({
      stateDir,
      host: hostCommand(stateDir),
      needsWorker: false,
    });
    await body(server);
    await server.leave();
  });
}
