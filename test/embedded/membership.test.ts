import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { enter, isInUse, membershipOf, pin, unpin } from '../../src/embedded/membership.ts';
import { identityOf } from '../../src/embedded/process-identity.ts';
import { withTempFolder } from '../helpers/temp-folder.ts';

test('a process is a member from entering to leaving, once for each time', async () => {
  await withTempFolder(async (folder) => {
    const leaveFirst = await enter(folder);
    const leaveSecond = await enter(folder);
    assert.equal((await membershipOf(folder)).members.length, 2);
    await leaveFirst();
    await leaveFirst();
    assert.deepEqual((await membershipOf(folder)).members, [identityOf(process.pid)]);
    await leaveSecond();
    assert.equal(isInUse(await membershipOf(folder)), false);
  });
});

test('a member that was killed counts no more, and its file goes', async () => {
  await withTempFolder(async (folder) => {
    const child = spawn('sleep', ['600']);
    const identity = identityOf(child.pid ?? 0);
    const leave = await enter(folder);
    await writeFile(join(folder, 'members', 'other.json'), JSON.stringify(identity));
    assert.equal((await membershipOf(folder)).members.length, 2);
    child.kill('SIGKILL');
    await once(child, 'exit');
    await leave();
    assert.equal(isInUse(await membershipOf(folder)), false);
    assert.deepEqual(await readdir(join(folder, 'members')), []);
  });
});

test('a state folder that cannot be written is an error of the catalogue', async () => {
  await withTempFolder(async (folder) => {
    await writeFile(join(folder, 'file'), '');
    await assert.rejects(enter(join(folder, 'file', '.longhaul')), { code: 'LAKE_NOT_WRITABLE' });
  });
});

test('a pin keeps the server in use without members, but not beyond a restart of the machine', async () => {
  await withTempFolder(async (folder) => {
    await pin(folder);
    assert.equal(isInUse(await membershipOf(folder)), true);
    await unpin(folder);
    assert.equal(isInUse(await membershipOf(folder)), false);
    await writeFile(join(folder, 'up.json'), JSON.stringify({ bootId: 'of another boot' }));
    assert.equal(isInUse(await membershipOf(folder)), false);
  });
});
