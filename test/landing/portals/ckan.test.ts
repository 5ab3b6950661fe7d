import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { asJson } from '../../helpers/as-json.ts';
import { failureWith } from '../../helpers/failure-with.ts';
import { originOfFile, startOrigin } from '../../helpers/origin.ts';
import {
  datastoreOf,
  RESOURCE,
  resourceOf,
  serveCkan,
  type FakeCkan,
} from '../../helpers/portals/ckan.ts';
import { labOfEachTest, textOf } from '../../helpers/portals/lab.ts';
import { serveSocrata, socrataOf } from '../../helpers/portals/socrata.ts';

const FILE = 'a,b\n1,2\n';
const OTHER = 'ed8a53d8-f01f-4bb6-8070-c4acad70791d';

const origin = originOfFile();
const other = originOfFile();
const lab = labOfEachTest();
let ckan: FakeCkan;
beforeEach(async () => {
  ckan = datastoreOf([], ['a']);
});

const withResources = (...resources: Record<string, unknown>[]): string => {
  ckan.dataset.resources = resources.map(resourceOf);
  return serveCkan(origin, ckan);
};

describe("a CKAN's page leads to the publisher's file", () => {
  it('its only CSV resource, whichever way the publisher wrote its format', async () => {
    origin.set('/works.csv', { body: FILE, etag: '"1"' });
    const others = [
      { id: OTHER, format: 'HTML', url: '/page.csv' },
      { id: 'x', format: 'XLS', url: '/a.xls' },
    ];
    for (const csv of [
      { format: 'CSV', url: '/works.csv' },
      { format: ' .csv', url: '/works.csv' },
      { format: 'text/csv', url: origin.address('/works.csv') },
      { mimetype: 'text/csv; charset=utf-8', url: '/works.csv' },
      { url: '/works.csv?download=1' },
    ]) {
      const { csv: bytes, manifest } = await lab.land({
        address: withResources(...others, { id: RESOURCE, ...csv }),
      });
      assert.equal(bytes, FILE);
      assert.deepEqual(asJson(manifest.validator), { etag: '"1"' });
      assert.equal(manifest.portal, undefined);
    }
  });

  it('the resource that it names, on another host too, behind its signed addresses', async () => {
    other.set('/signed', (number) => (number === 1 ? { status: 403 } : { body: FILE }));
    other.set('/works', (number) => ({ redirect: `/signed?se=${number}` }));
    const address = withResources(
      { id: RESOURCE, format: 'CSV', url: other.address('/works') },
      { id: OTHER, format: 'CSV', url: '/other.csv' },
    );
    const { csv } = await lab.land({ address: `${address}/resource/${RESOURCE}` });
    assert.equal(csv, FILE);
    assert.deepEqual(
      other.requestsTo('/signed').map(({ query }) => query),
      ['se=1', 'se=2'],
    );
  });

  it('a file goes on where an attempt ended', async () => {
    const address = withResources({ id: RESOURCE, format: 'CSV', url: '/works.csv' });
    origin.set('/works.csv', { body: FILE, etag: '"1"' });
    const from = { validator: { etag: '"1"' }, end: { bytes: 4, crc32: 0 } };
    const opened = await lab.open({ address, from });
    assert.equal(opened.startOffset, 4);
    assert.equal(await textOf(opened), FILE.slice(4));
  });

  it('a resource that is the page of another portal is followed to its table', async () => {
    const page = serveSocrata(other, 'aaaa-0001', socrataOf(['a'], [['1']]));
    const address = withResources({ id: RESOURCE, format: 'CSV', url: page });
    const { csv, manifest } = await lab.land({ address });
    assert.deepEqual([csv, manifest.portal?.kind], ['a\n1\n', 'socrata']);
    const found = await lab.describe({ address });
    assert.ok(found && !Array.isArray(found));
    assert.equal(found.kind, 'socrata');
  });

  it('behind a language, where its actions are not', async () => {
    origin.set('/works.csv', { body: FILE });
    withResources({ id: RESOURCE, format: 'CSV', url: '/works.csv' });
    const { csv } = await lab.land({ address: origin.address('/pt_BR/dataset/road-works') });
    assert.equal(csv, FILE);
  });
});

describe("a CKAN's page that leads to no one file", () => {
  it('of several names their pages, in plain text', async () => {
    const address = withResources(
      { id: RESOURCE, format: 'CSV', name: 'of \u001b[31m2025', url: '/a.csv' },
      { id: OTHER, format: 'CSV', name: '<b>of</b> 2026', url: '/b.csv' },
    );
    const { message } = await failureWith(lab.land({ address }), 'ADDRESS_AMBIGUOUS');
    for (const id of [RESOURCE, OTHER]) assert.ok(message.includes(`${address}/resource/${id}`));
    assert.doesNotMatch(message, /[\u0000-\u001f]/);
    assert.deepEqual(
      ((await lab.describe({ address })) as { address: string }[]).map((each) => each.address),
      [RESOURCE, OTHER].map((id) => `${address}/resource/${id}`),
    );
  });

  it('is refused: no CSV, no such resource, no such data set in any language', async () => {
    const address = withResources({ id: OTHER, format: 'PDF', url: '/a.pdf' });
    await failureWith(lab.land({ address }), 'PORTAL_UNUSABLE');
    await failureWith(lab.describe({ address }), 'PORTAL_UNUSABLE');
    await failureWith(lab.land({ address: `${address}/resource/${RESOURCE}` }), 'SOURCE_NOT_FOUND');
    const missing = origin.address('/dataset/elsewhere');
    const { message } = await failureWith(lab.land({ address: missing }), 'SOURCE_NOT_FOUND');
    assert.match(message, /Não encontrado/);
  });

  it('leads to no address that a worker may not read, and in no circle', async () => {
    for (const url of ['file:///etc/passwd', 'http://169.254.169.254/x.csv', 'ftp://h.org/a.csv']) {
      const address = withResources({ id: RESOURCE, format: 'CSV', url });
      await failureWith(lab.land({ address }), 'ADDRESS_REFUSED');
    }
    const address = withResources({ id: RESOURCE, format: 'CSV', url: '/dataset/road-works' });
    await failureWith(lab.land({ address }), 'SOURCE_REDIRECT_LOOP');
  });

  it('is the address of a file on a host that is no CKAN', async () => {
    const plain = await startOrigin({ '/dataset/road-works': { body: FILE } });
    plain.set('/api/3/action/package_show', { body: '{"hello":"world"}' });
    assert.equal((await lab.land({ address: plain.address('/dataset/road-works') })).csv, FILE);
    await plain.close();
  });
});
