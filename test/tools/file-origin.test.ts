import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { request } from 'undici';
import type { FileOrigin } from '../../tools/origin/file-origin.ts';
import { startFileOrigin } from '../../tools/origin/file-origin.ts';

const BODY = 'a,b\n1,2\n';

describe('the demo’s publisher', () => {
  let folder: string;
  let origin: FileOrigin;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'longhaul-origin-'));
    await mkdir(join(folder, 'denver'));
    await writeFile(join(folder, 'denver', 'x.csv'), BODY);
    origin = await startFileOrigin(folder);
  });
  after(async () => {
    await origin.close();
    await rm(folder, { recursive: true, force: true });
  });

  test('serves a file whole, with its length and an ETag of its content', async () => {
    const one = await get({});
    assert.deepEqual([one.status, one.text, one.headers['content-length']], [200, BODY, '8']);
    const again = await startFileOrigin(folder);
    const two = await request(`${again.url}/denver/x.csv`);
    await two.body.dump();
    await again.close();
    assert.equal(two.headers['etag'], one.headers['etag']);
  });

  test('serves ranges, but not of another version', async () => {
    const etag = String((await get({})).headers['etag']);
    const part = await get({ range: 'bytes=4-5', 'if-range': etag });
    assert.deepEqual([part.status, part.text], [206, '1,']);
    assert.equal(part.headers['content-range'], 'bytes 4-5/8');
    assert.equal((await get({ range: 'bytes=4-', 'if-range': '"other"' })).text, BODY);
    assert.equal((await get({ range: 'bytes=8-' })).status, 416);
  });

  test('serves nothing from outside its folder', async () => {
    assert.equal((await get({}, '/../x.csv')).status, 404);
    assert.equal((await get({}, '/denver')).status, 404);
  });

  async function get(
    headers: Record<string, string>,
    path = '/denver/x.csv',
  ): Promise<{ status: number; text: string; headers: Record<string, unknown> }> {
    const answer = await request(origin.url + path, { headers });
    return { status: answer.statusCode, text: await answer.body.text(), headers: answer.headers };
  }
});
