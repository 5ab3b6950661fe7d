import assert from 'node:assert/strict';
import { createServer, request, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { openUiProxy } from '../../src/embedded/loopback.ts';

const OWN = ['localhost', 'localhost:8233', '127.0.0.1:1', 'LocalHost:65535', '[::1]:8233'];
const FOREIGN = ['evil.example', 'localhost.evil.example', '127.0.0.1.evil.example:8233'];

test('the Web UI’s proxy lets this machine’s own names in, and no other', async () => {
  await withProxy(async (port) => {
    for (const host of OWN) {
      const answer = await ask(port, { host });
      assert.equal(answer.status, 201, host);
      assert.equal(answer.body, `POST /api/v1/x?y=z ${host} hello`);
      assert.deepEqual(answer.cookies, ['_csrf=a', 'b=c']);
    }
    for (const host of FOREIGN) assert.equal((await ask(port, { host })).status, 403, host);
  });
});

test('a page of another site gets no answer from it', async () => {
  await withProxy(async (port) => {
    const host = `localhost:${port}`;
    assert.equal((await ask(port, { host, origin: `http://${host}` })).status, 201);
    for (const origin of ['http://evil.example', 'https://localhost.evil.example', 'null']) {
      assert.equal((await ask(port, { host, origin })).status, 403, origin);
    }
  });
});

test('while Temporal is away the proxy says so', async () => {
  const proxy = await openUiProxy([]);
  assert.equal((await ask(proxy.port, { host: 'localhost' })).status, 503);
  proxy.target = { host: '127.0.0.1', port: 1 };
  assert.equal((await ask(proxy.port, { host: 'localhost' })).status, 502);
  proxy.close();
});

/** A stand-in for Temporal's Web UI. It answers with the request that it received. */
async function withProxy(body: (port: number) => Promise<void>): Promise<void> {
  const ui = createServer((incoming, outgoing) => {
    outgoing.setHeader('set-cookie', ['_csrf=a', 'b=c']);
    void text(incoming).then((sent) => {
      outgoing.writeHead(201);
      outgoing.end(`${incoming.method} ${incoming.url} ${incoming.headers.host} ${sent}`);
    });
  });
  await new Promise<void>((resolve) => ui.listen(0, '127.0.0.1', resolve));
  const proxy = await openUiProxy([]);
  proxy.target = { host: '127.0.0.1', port: (ui.address() as AddressInfo).port };
  try {
    await body(proxy.port);
  } finally {
    proxy.close();
    ui.close();
  }
}

async function ask(
  port: number,
  headers: Record<string, string>,
): Promise<{ status: number | undefined; body: string; cookies: string[] | undefined }> {
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    const options = { host: '127.0.0.1', port, method: 'POST', path: '/api/v1/x?y=z', headers };
    request({ ...options, agent: false }, resolve)
      .on('error', reject)
      .end('hello');
  });
  const cookies = answer.headers['set-cookie'];
  return { status: answer.statusCode, body: await text(answer), cookies };
}
