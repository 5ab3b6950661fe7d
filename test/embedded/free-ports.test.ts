import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { test } from 'node:test';
import { freePorts } from '../../src/embedded/free-ports.ts';

test('the first wish is granted whose ports are both free; else two others are picked', async () => {
  const picked = await freePorts([]);
  assert.notEqual(picked.port, picked.uiPort);
  assert.deepEqual(await freePorts([picked]), picked);
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const taken = (server.address() as AddressInfo).port;
    const wish = { port: picked.port, uiPort: taken };
    const granted = await freePorts([wish]);
    assert.notEqual(granted.uiPort, taken);
  } finally {
    server.close();
  }
});
