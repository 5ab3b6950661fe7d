import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { inspect } from 'node:util';
import { failureWith } from '../../helpers/failure-with.ts';
import { startOrigin, type Origin, type SeenRequest } from '../../helpers/origin.ts';
import { datastoreOf, RESOURCE, resourceOf, serveCkan } from '../../helpers/portals/ckan.ts';
import { labOfEachTest } from '../../helpers/portals/lab.ts';
import { serveSocrata, socrataOf } from '../../helpers/portals/socrata.ts';

const CANARY = 'c4n4ry8d2f51';
const token = { headers: { 'X-App-Token': '${SODA_TOKEN}' }, secrets: { SODA_TOKEN: CANARY } };
const FILE = 'a,b\n1,2\n';

let origin: Origin;
let other: Origin;
const lab = labOfEachTest();
beforeEach(async () => {
  [origin, other] = [await startOrigin({}), await startOrigin({})];
});
afterEach(async () => {
  await origin.close();
  await other.close();
});

const tokensOf = (requests: SeenRequest[]): unknown[] => [
  ...new Set(requests.map(({ headers }) => headers['x-app-token'])),
];

describe("a source's own headers", () => {
  it('go with every request to its portal, and their secret is in no manifest', async () => {
    const address = serveSocrata(origin, 'aaaa-0001', socrataOf(['a'], [['1']]));
    const { manifest } = await lab.land({ address, ...token });
    assert.ok(origin.requests.length > 4);
    assert.deepEqual(tokensOf(origin.requests), [CANARY]);
    assert.doesNotMatch(JSON.stringify(manifest), new RegExp(CANARY));
    await lab.describe({ address, ...token });
    assert.deepEqual(tokensOf(origin.requests), [CANARY]);
  });

  it('are in no error, although the portal repeats them', async () => {
    const address = serveSocrata(origin, 'aaaa-0001', socrataOf(['a'], [['1']]));
    const body = JSON.stringify({ error: true, message: `Invalid app_token ${CANARY}` });
    origin.set('/resource/aaaa-0001.json', { status: 403, body });
    const error = await failureWith(lab.land({ address, ...token }), 'SOURCE_FORBIDDEN');
    assert.match(error.message, /Invalid app_token \$\{SODA_TOKEN\}/);
    assert.doesNotMatch(inspect(error), new RegExp(CANARY));
  });

  it('do not go with a redirect to another host', async () => {
    origin.set('/a.csv', { redirect: other.address('/b.csv') });
    other.set('/b.csv', { body: FILE });
    const { csv } = await lab.land({ address: origin.address('/a.csv'), ...token });
    assert.equal(csv, FILE);
    assert.deepEqual(
      [tokensOf(origin.requests), tokensOf(other.requests)],
      [[CANARY], [undefined]],
    );
  });

  it('do not go to a file or table of another host that their portal names', async () => {
    const ckan = datastoreOf([], ['a']);
    const address = serveCkan(origin, ckan);
    other.set('/works.csv', { body: FILE });
    const table = serveSocrata(other, 'aaaa-0001', socrataOf(['a'], [['1']]));
    for (const url of [other.address('/works.csv'), table]) {
      ckan.dataset.resources = [resourceOf({ id: RESOURCE, format: 'CSV', url })];
      await lab.land({ address, ...token });
    }
    assert.deepEqual(
      [tokensOf(origin.requests), tokensOf(other.requests)],
      [[CANARY], [undefined]],
    );
  });

  it('do not lead a secret away in an address that a portal makes of them', async () => {
    const ckan = datastoreOf([], ['a']);
    const url = other.address(`/works.csv?key=${CANARY}`);
    ckan.dataset.resources = [resourceOf({ id: RESOURCE, format: 'CSV', url })];
    await failureWith(lab.land({ address: serveCkan(origin, ckan), ...token }), 'ADDRESS_REFUSED');
    assert.deepEqual(other.requests, []);
  });
});

describe('a portal that does not answer with records', () => {
  it('says why, as far as it is a line of text', async () => {
    const address = serveSocrata(origin, 'aaaa-0001', socrataOf(['a'], [['1']]));
    for (const [answer, code, said] of [
      [
        { status: 403, body: '{"message":"You must be logged in\\u001b[2J"}' },
        'SOURCE_FORBIDDEN',
        /You must be logged in/,
      ],
      [
        { status: 403, body: '<html>', headers: { 'cf-mitigated': 'challenge' } },
        'SOURCE_FORBIDDEN',
        /challenge to prove a browser/,
      ],
      [
        { body: '<html>', headers: { 'cf-mitigated': 'challenge' } },
        'SOURCE_IS_HTML',
        /challenge to prove a browser/,
      ],
      [{ status: 202, body: '{"status":"processing"}' }, 'SOURCE_NOT_READY', /processing/],
      [{ status: 429, headers: { 'retry-after': '600' } }, 'SOURCE_UNAVAILABLE', /in 600 s/],
    ] as const) {
      origin.set('/resource/aaaa-0001.json', answer);
      const { message } = await failureWith(lab.land({ address }), code);
      assert.match(message, said);
      assert.doesNotMatch(message, /\u001b/);
    }
  });

  it('is asked again after its Retry-After, and not earlier', async () => {
    const table = socrataOf(['a'], [['1']]);
    const address = serveSocrata(origin, 'aaaa-0001', table);
    table.beforePage = (number) =>
      number === 1 ? { status: 429, headers: { 'retry-after': '1' } } : undefined;
    assert.equal((await lab.land({ address })).csv, 'a\n1\n');
  });
});
