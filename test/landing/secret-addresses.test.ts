import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ErrorCode, LonghaulError } from '../../src/model/errors.ts';
import { probe } from '../../src/landing/probe.ts';
import { failureWith } from '../helpers/failure-with.ts';
import { originOfFile, type Route } from '../helpers/origin.ts';

const http = { connectTimeoutMs: 5000, stallTimeoutMs: 5000 };
const addresses = { fileMarks: undefined, allowPrivate: true };
const CANARY = 'c4n4ry+8d2f/=x';
const secrets = { CITY_TOKEN: CANARY };
const CSV = { body: 'a,b\n1,2\n' };

const origin = originOfFile();
const other = originOfFile();

const serve = (route: Route): string => origin.serve(route);

async function probed(path: string, values: Record<string, string> = secrets) {
  const address = `${origin.address(path)}?token=\${CITY_TOKEN}`;
  const source = { id: 'a', address, optional: false, overrides: {} };
  return await probe(source, { http, addresses, secrets: values });
}

/** Asserts that the work fails. The error names the variable when it shows the address, and never shows its value. */
async function fails(work: Promise<unknown>, code: ErrorCode): Promise<LonghaulError> {
  const caught = await failureWith(work, code);
  for (let each: unknown = caught; each instanceof Error; each = each.cause) {
    assert.doesNotMatch(`${each.message} ${each.stack} ${JSON.stringify(each)}`, /c4n4ry|8d2f/);
  }
  return caught;
}

describe('the secret of an address', () => {
  it('is sent to its publisher, as it is written', async () => {
    const path = serve(CSV);
    assert.equal((await probed(path)).totalBytes, CSV.body.length);
    assert.equal(origin.requestsTo(path)[0]?.query, `token=${CANARY}`);
  });

  it('is in no error, whatever the publisher repeats', async () => {
    const echo = `The token ${CANARY} is not valid`;
    for (const [route, code] of [
      [{ status: 403 }, 'SOURCE_FORBIDDEN'],
      [{ status: 500, body: JSON.stringify({ message: echo }) }, 'SOURCE_UNAVAILABLE'],
      [
        { status: 202, body: JSON.stringify({ status: encodeURIComponent(CANARY) }) },
        'SOURCE_NOT_READY',
      ],
      [{ body: `<!DOCTYPE html><p>${echo}</p>` }, 'SOURCE_IS_HTML'],
      [{ body: JSON.stringify({ error: echo }) }, 'SOURCE_NOT_CSV'],
      [{ body: JSON.stringify({ status: 'Failed', message: echo }) }, 'SOURCE_EXPORT_FAILED'],
      [{ redirect: `ftp://x.org/?q=${CANARY}` }, 'ADDRESS_REFUSED'],
      [{ redirect: `http://169.254.169.254/?q=${CANARY}` }, 'ADDRESS_REFUSED'],
      [{ body: 'a,b\n', headers: { 'content-encoding': CANARY } }, 'SOURCE_COMPRESSED'],
    ] satisfies [Route, ErrorCode][]) {
      const { details } = await fails(probed(serve(route)), code);
      assert.equal(details.source, 'a');
    }
    const { message } = await fails(probed(serve({ status: 404 })), 'SOURCE_NOT_FOUND');
    assert.match(message, /\?token=\$\{CITY_TOKEN\} answered 404/);
  });

  it('goes along with a redirect on its own host, and to no other', async () => {
    const own = serve(CSV);
    await probed(serve({ redirect: `${own}?token=${CANARY}` }));
    assert.equal(origin.requestsTo(own)[0]?.query, `token=${CANARY}`);
    for (const query of [
      `token=${CANARY}`,
      `t=${encodeURIComponent(CANARY)}`,
      `x=1&key=${CANARY}&y=2`,
    ]) {
      const path = serve({ redirect: `${other.address('/b.csv')}?${query}` });
      const { message } = await fails(probed(path), 'ADDRESS_REFUSED');
      assert.match(
        message,
        /with the value of CITY_TOKEN in the address, which was not sent there/,
      );
    }
    assert.deepEqual(other.requests, []);
  });

  it('that is a whole query is known in another order too', async () => {
    const query = 'Expires=1&X-Amz-Signature=c4n4ry8d2f';
    const redirect = `${other.address('/b.csv')}?X-Amz-Signature=c4n4ry8d2f&Expires=1`;
    await fails(probed(serve({ redirect }), { CITY_TOKEN: query }), 'ADDRESS_REFUSED');
    assert.deepEqual(other.requests, []);
  });

  it('does not keep a publisher from leading to its storage, which signs by itself', async () => {
    other.set('/signed.csv', CSV);
    await probed(serve({ redirect: other.address('/signed.csv?X-Amz-Signature=another0ne') }));
    assert.equal(other.requestsTo('/signed.csv').length, 1);
  });
});
