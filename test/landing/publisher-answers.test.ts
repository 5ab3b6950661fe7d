import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { HttpSettings } from '../../src/config/settings.ts';
import { probe } from '../../src/landing/probe.ts';
import { openSource } from '../../src/landing/source.ts';
import { originOfFile, type Route } from '../helpers/origin.ts';
import { failureWith } from '../helpers/failure-with.ts';
import { asJson } from '../helpers/as-json.ts';

const http: HttpSettings = { connectTimeoutMs: 5000, stallTimeoutMs: 5000 };
const addresses = { fileMarks: undefined, allowPrivate: true };

const origin = originOfFile();

const serve = (route: Route): string => origin.address(origin.serve(route));

/** @param pauseMs time that the lake takes for each piece. */
async function readAll(address: string, settings = http, pauseMs = 0): Promise<number> {
  const signal = new AbortController().signal;
  const opened = await openSource({ address }, { settings, policy: addresses, signal });
  let bytes = 0;
  try {
    for await (const piece of opened.body) {
      bytes += piece.length;
      if (pauseMs > 0) await sleep(pauseMs);
    }
    return bytes;
  } finally {
    await opened.close();
  }
}

async function probed(address: string, settings = http) {
  const source = { id: 'a', address, optional: false, overrides: {} };
  return await probe(source, { http: settings, addresses });
}

const json = (value: unknown) => ({ body: JSON.stringify(value) });

describe('an export that the portal has yet to make', () => {
  it('is not ready, and the error has what the portal says and when to ask again', async () => {
    const address = serve({
      status: 202,
      ...json({ status: 'PagingData', recordCount: 100, progressInPercent: 50 }),
    });
    const { message, details } = await failureWith(probed(address), 'SOURCE_NOT_READY');
    assert.match(message, /answered 202: PagingData, 50 %\.$/);
    assert.equal(details.retryAfterSeconds, 10);
  });

  it('is asked for again when the portal says, whatever the body is', async () => {
    const headers = { 'retry-after': '7' };
    const address = serve({ status: 202, body: '<html>Please wait</html>', headers });
    const { message, details } = await failureWith(readAll(address), 'SOURCE_NOT_READY');
    assert.match(message, /answered 202, to be tried again in 7 s\.$/);
    assert.equal(details.retryAfterSeconds, 7);
  });

  it('is not waited for where the rest of its 202 never comes', async () => {
    const address = serve({ status: 202, body: 'x'.repeat(2000), stallAfterBytes: 100 });
    await failureWith(readAll(address, { ...http, stallTimeoutMs: 200 }), 'SOURCE_NOT_READY');
  });
});

describe('an export that failed', () => {
  for (const status of ['Failed', 'CompletedWithErrors']) {
    it(`is SOURCE_EXPORT_FAILED where a 200 says ${status}`, async () => {
      const { message } = await failureWith(
        probed(serve(json({ status }))),
        'SOURCE_EXPORT_FAILED',
      );
      assert.match(message, new RegExp(status));
    });
  }

  it('has the reason that the portal gives', async () => {
    const answer = { status: 'Failed', errors: { message: 'layer\u001b[2J is gone' } };
    const { message } = await failureWith(probed(serve(json(answer))), 'SOURCE_EXPORT_FAILED');
    assert.match(message, /Failed, layer\\u001b\[2J is gone/);
    const broken = serve({ status: 500, ...json({ message: 'Special Server Error' }) });
    const error = await failureWith(probed(broken), 'SOURCE_UNAVAILABLE');
    assert.match(error.message, /answered 500: Special Server Error\.$/);
  });

  it('is not what other JSON is', async () => {
    await failureWith(probed(serve(json({ status: 'active', name: 'Failed' }))), 'SOURCE_NOT_CSV');
    await failureWith(probed(serve({ body: '{"status":"Failed",' })), 'SOURCE_NOT_CSV');
  });
});

describe('a body that trickles', () => {
  const minRate = { bytesPerSecond: 1000, overMs: 300 };
  const trickle = { body: 'a,b\n'.repeat(1000), bytesPerSecond: 100, blockBytes: 10 };

  it('ends the attempt once it was too slow for a while, although it never stalls', async () => {
    const error = await failureWith(
      readAll(serve(trickle), { ...http, minRate }),
      'SOURCE_TOO_SLOW',
    );
    assert.match(error.message, /\d+ bytes in 0\.\d+ s/);
  });

  it('is no false alarm where it is the lake that is slow', async () => {
    const body = 'a,b\n'.repeat(50_000);
    const settings = { ...http, minRate: { bytesPerSecond: 10_000_000, overMs: 300 } };
    assert.equal(await readAll(serve({ body }), settings, 150), body.length);
  });

  it('does not hold the probe: what came in time says what the file is', async () => {
    const settings = { ...http, stallTimeoutMs: 600 };
    const found = await probed(serve({ ...trickle, etag: '"1"' }), settings);
    assert.deepEqual(asJson(found), { validator: { etag: '"1"' }, totalBytes: 4000 });
    const page = serve({ ...trickle, body: `<!DOCTYPE html>${' '.repeat(4000)}` });
    await failureWith(probed(page, settings), 'SOURCE_IS_HTML');
  });
});

describe('a file over MAX_SOURCE_SIZE', () => {
  const settings = { ...http, maxBytes: 100_000 };
  const body = 'a,b\n'.repeat(50_000);

  it('is refused before its first byte where the publisher says its length', async () => {
    const address = serve({ body });
    const { message } = await failureWith(probed(address, settings), 'SOURCE_TOO_LARGE');
    assert.match(message, /200000 bytes.*100000/);
    await failureWith(readAll(address, settings), 'SOURCE_TOO_LARGE');
  });

  it('ends where the body passes it, if nothing said so before', async () => {
    await failureWith(readAll(serve({ body, chunked: true }), settings), 'SOURCE_TOO_LARGE');
    const fitting = serve({ body: body.slice(0, 100_000), chunked: true });
    assert.equal(await readAll(fitting, settings), 100_000);
  });
});
