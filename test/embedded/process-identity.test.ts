import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import {
  commandLineOf,
  identityOf,
  livenessOf,
  ownIdentity,
} from '../../src/embedded/process-identity.ts';

test('a process is alive from its start to its end, and no other passes for it', async () => {
  const child = spawn('sleep', ['600']);
  const identity = identityOf(child.pid ?? 0);
  assert.ok(identity);
  assert.equal(livenessOf(identity), 'alive');
  assert.equal(livenessOf({ ...identity, startTime: 'another' }), 'dead');
  assert.equal(livenessOf({ ...identity, hostname: 'another' }), 'elsewhere');
  assert.equal(livenessOf({ ...ownIdentity(), pid: identity.pid }), 'dead');
  assert.match(commandLineOf(identity.pid) ?? '', /sleep 600/);
  child.kill('SIGKILL');
  await once(child, 'exit');
  assert.equal(livenessOf(identity), 'dead');
  assert.equal(commandLineOf(identity.pid), undefined);
});
