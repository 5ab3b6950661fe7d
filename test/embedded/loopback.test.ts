import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { freePort, listenOn } from '../../src/embedded/loopback.ts';

test('the first wanted port that is free is used, else another one', async () => {
  const free = await freePort();
  const server = createServer();
  const taken = await listenOn(server, [free]);
  try {
    assert.equal(taken, free);
    const next = await freePort([taken]);
    assert.notEqual(next, taken);
    assert.equal(await freePort([taken, next]), next);
  } finally {
    server.close();
  }
});
