import assert from 'node:assert/strict';
import { createServer, type AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import type { AddressPolicy, HttpSettings } from '../../src/config/settings.ts';
import type { ErrorCode, LonghaulError } from '../../src/model/errors.ts';
import { openSource, type OpenedSource, type OpenRequest } from '../../src/landing/source.ts';
import { originOfFile, type Answer, type Route } from '../helpers/origin.ts';
import { failureWith } from '../helpers/failure-with.ts';
import { asJson } from '../helpers/as-json.ts';

const settings: HttpSettings = {
  connectTimeoutMs: 5000,
  stallTimeoutMs: 5000,
};
const open: AddressPolicy = { allowPrivate: true };
const BODY = Buffer.from('a,b\n1,2\n3,4\n');

const origin = originOfFile();

const serve = (route: Route): string => origin.address(origin.serve(route));

async function opened(address: string, extra: Partial<OpenRequest> = {}): Promise<OpenedSource> {
  const signal = new AbortController().signal;
  return await openSource({ address }, { settings, policy: open, signal, ...extra });
}

async function read(source: OpenedSource): Promise<Buffer> {
  const pieces: Buffer[] = [];
  try {
    for await (const piece of source.body) pieces.push(piece);
    return Buffer.concat(pieces);
  } finally {
    await source.close();
  }
}

const readAll = async (address: string, extra?: Partial<OpenRequest>): Promise<Buffer> =>
  await read(await opened(address, extra));

describe('a plain download', () => {
  it('has every byte, its length and its validators, and asks for no compression', async () => {
    const address = serve({
      body: BODY,
      etag: '"1"',
      lastModified: 'Sun, 01 Nov 2026 10:00:00 GMT',
    });
    const source = await opened(address);
    assert.equal(source.totalBytes, BODY.length);
    assert.deepEqual(source.validator, {
      etag: '"1"',
      lastModified: 'Sun, 01 Nov 2026 10:00:00 GMT',
    });
    assert.deepEqual(await read(source), BODY);
    const [request] = origin.requestsTo(new URL(address).pathname);
    assert.equal(request?.headers['accept-encoding'], 'identity');
    assert.match(request?.headers['user-agent'] ?? '', /longhaul/);
  });

  it('works without a length', async () => {
    const source = await opened(serve({ body: BODY, chunked: true }));
    assert.equal(source.totalBytes, undefined);
    assert.deepEqual(await read(source), BODY);
  });

  it('drops a weak ETag', async () => {
    const source = await opened(serve({ body: BODY, etag: 'W/"1"' }));
    assert.deepEqual(asJson(source.validator), {});
    await source.close();
  });
});

describe('going on from an offset', () => {
  const end = { bytes: 4, crc32: 0 };
  const from = { validator: { etag: '"1"' }, totalBytes: BODY.length, end };

  it('goes on where the version is the same', async () => {
    const address = serve({ body: BODY, etag: '"1"' });
    const source = await opened(address, { from });
    assert.equal(source.startOffset, 4);
    assert.equal(source.totalBytes, BODY.length);
    assert.deepEqual(await read(source), BODY.subarray(4));
    assert.equal(origin.requestsTo(new URL(address).pathname)[0]?.headers['if-range'], '"1"');
  });

  const restarts: [string, Answer, Partial<OpenRequest>][] = [
    ['the version changed', { body: BODY, etag: '"2"' }, { from }],
    ['the server ignores Range', { body: BODY, etag: '"1"', ranges: false }, { from }],
    ['there is no validator', { body: BODY }, { from: { validator: {}, end } }],
  ];
  for (const [name, answer, extra] of restarts) {
    it(`starts at the first byte where ${name}`, async () => {
      const source = await opened(serve(answer), extra);
      assert.equal(source.startOffset, 0);
      assert.deepEqual(await read(source), BODY);
    });
  }

  const useless: [string, Answer][] = [
    ['of another place', { headers: { 'content-range': `bytes 3-11/${BODY.length}` } }],
    ['of another length', { headers: { 'content-range': 'bytes 4-11/13' } }],
    ['of another version', { headers: { etag: '"2"' } }],
    [
      'of a part only',
      { headers: { 'content-range': `bytes 4-7/${BODY.length}`, 'content-length': '4' } },
    ],
    ['without Content-Range', { headers: { 'content-range': 'nonsense' } }],
  ];
  for (const [name, answer] of useless) {
    it(`does not trust a 206 ${name}`, async () => {
      const good = { body: BODY, etag: '"1"' };
      const source = await opened(
        serve((n) => (n === 1 ? { ...good, ...answer } : good)),
        { from },
      );
      assert.equal(source.startOffset, 0);
      assert.deepEqual(await read(source), BODY);
    });
  }

  it('is complete where the offset is the end', async () => {
    const at = { ...from, end: { bytes: BODY.length, crc32: 0 } };
    const source = await opened(serve({ body: BODY, etag: '"1"' }), { from: at });
    assert.equal(source.startOffset, BODY.length);
    assert.equal((await read(source)).length, 0);
  });

  it('starts anew where the offset lies beyond the end', async () => {
    const at = { validator: { etag: '"1"' }, end: { bytes: 99, crc32: 0 } };
    const source = await opened(serve({ body: BODY, etag: '"1"' }), { from: at });
    assert.equal(source.startOffset, 0);
    assert.deepEqual(await read(source), BODY);
  });
});

describe('a publisher that misbehaves', () => {
  const statuses: [number, ErrorCode][] = [
    [404, 'SOURCE_NOT_FOUND'],
    [410, 'SOURCE_NOT_FOUND'],
    [401, 'SOURCE_FORBIDDEN'],
    [403, 'SOURCE_FORBIDDEN'],
    [429, 'SOURCE_UNAVAILABLE'],
    [500, 'SOURCE_UNAVAILABLE'],
    [503, 'SOURCE_UNAVAILABLE'],
    [418, 'SOURCE_REFUSED'],
    [204, 'SOURCE_REFUSED'],
    [304, 'SOURCE_REFUSED'],
  ];
  for (const [status, code] of statuses) {
    it(`${status} is ${code}`, async () =>
      void (await failureWith(readAll(serve({ status })), code)));
  }

  it('Retry-After in both forms becomes seconds', async () => {
    const answer = (value: string): string =>
      serve({ status: 429, headers: { 'retry-after': value } });
    const seconds = await failureWith(readAll(answer('120')), 'SOURCE_UNAVAILABLE');
    assert.equal(seconds.details.retryAfterSeconds, 120);
    const inAnHour = new Date(Date.now() + 3_600_000).toUTCString();
    const dated = await failureWith(readAll(answer(inAnHour)), 'SOURCE_UNAVAILABLE');
    const found = dated.details.retryAfterSeconds ?? 0;
    assert.ok(found > 3000 && found <= 3600, `${found}`);
    const odd = await failureWith(readAll(answer('soon')), 'SOURCE_UNAVAILABLE');
    assert.equal(odd.details.retryAfterSeconds, undefined);
  });

  it('a body cut short is never the whole file', async () => {
    const big = Buffer.alloc(300_000, 'x');
    const error = await failureWith(
      readAll(serve({ body: big, cutAfterBytes: 200_000 })),
      'SOURCE_TRUNCATED',
    );
    assert.match(error.message, /200000 bytes of 300000/);
    await failureWith(
      readAll(serve({ body: big, chunked: true, cutAfterBytes: 200_000 })),
      'SOURCE_TRUNCATED',
    );
  });

  it('a reset in the middle', async () => {
    const address = serve({ body: Buffer.alloc(8_000_000), resetAfterBytes: 4_000_000 });
    const source = await opened(address);
    await assert.rejects(read(source), (error: LonghaulError) =>
      ['SOURCE_UNREACHABLE', 'SOURCE_TRUNCATED'].includes(error.code),
    );
  });

  it('a stall', async () => {
    const address = serve({ body: BODY, stallAfterBytes: 3 });
    const impatient = { settings: { ...settings, stallTimeoutMs: 100 } };
    await failureWith(readAll(address, impatient), 'SOURCE_STALLED');
  });

  it('a server that never answers', async () => {
    const impatient = { settings: { ...settings, stallTimeoutMs: 100 } };
    await failureWith(readAll(serve({ silent: true }), impatient), 'SOURCE_UNREACHABLE');
  });

  it('no server at the port', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    await failureWith(readAll(`http://127.0.0.1:${port}/`), 'SOURCE_UNREACHABLE');
  });

  it('compression that the request did not allow', async () => {
    const address = serve({ body: BODY, headers: { 'content-encoding': 'gzip' } });
    await failureWith(readAll(address), 'SOURCE_COMPRESSED');
  });

  it('an abort ends the body with the reason given', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    const source = await opened(serve({ body: BODY, stallAfterBytes: 3 }), {
      signal: controller.signal,
    });
    const reading = read(source);
    controller.abort(reason);
    await assert.rejects(reading, reason);
  });
});

describe('redirects', () => {
  it('are followed to the file, relative ones too', async () => {
    const address = serve({ body: BODY, etag: '"1"' });
    const hop = serve({ redirect: new URL(address).pathname, status: 307 });
    assert.deepEqual(await read(await opened(serve({ redirect: hop }))), BODY);
  });

  it('at most five', async () => {
    let address = serve({ body: BODY });
    for (let hops = 0; hops < 5; hops += 1) address = serve({ redirect: address });
    assert.deepEqual(await read(await opened(address)), BODY);
    await failureWith(readAll(serve({ redirect: address })), 'SOURCE_REDIRECT_LOOP');
  });

  it('a loop ends', async () => {
    const address = serve((n) => ({ redirect: `?${n}` }));
    await failureWith(readAll(address), 'SOURCE_REDIRECT_LOOP');
  });

  it('without Location', async () => {
    await failureWith(readAll(serve({ status: 302 })), 'SOURCE_REFUSED');
  });

  for (const target of [
    'http://169.254.169.254/latest/meta-data/',
    'http://[fe80::1]/',
    'file:///etc/passwd',
    'ftp://example.org/x',
  ]) {
    it(`never to ${target}`, async () => {
      const policy = { fileMarks: '/no/marks', allowPrivate: true };
      await failureWith(readAll(serve({ redirect: target }), { policy }), 'ADDRESS_REFUSED');
    });
  }

  it('to a signed address do not show its signature in errors', async () => {
    const gone = serve({ status: 403 });
    const error = await failureWith(
      readAll(serve({ redirect: `${gone}?X-Amz-Signature=s3cret` })),
      'SOURCE_FORBIDDEN',
    );
    assert.doesNotMatch(error.message, /s3cret/);
  });
});

it('a loopback address is refused where private ones are not allowed, by name too', async () => {
  const policy: AddressPolicy = { allowPrivate: false };
  const address = serve({ body: BODY });
  await failureWith(readAll(address, { policy }), 'ADDRESS_REFUSED');
  await failureWith(
    readAll(address.replace('127.0.0.1', 'localhost'), { policy }),
    'ADDRESS_REFUSED',
  );
  assert.deepEqual(origin.requestsTo(new URL(address).pathname), []);
});
