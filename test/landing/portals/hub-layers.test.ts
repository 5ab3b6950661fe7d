import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Description } from '../../../src/landing/portals/portal.ts';
import { failureWith } from '../../helpers/failure-with.ts';
import { originOfFile } from '../../helpers/origin.ts';
import { arcgisOfFile, featuresOf, layerOf, type FakeLayer } from '../../helpers/portal.ts';
import { describe as described, open, textOf } from '../../helpers/portals/lab.ts';

/** The Hub serves the pages. Another host serves the layers. */
const hub = originOfFile();
const portal = arcgisOfFile();

async function read(path: string): Promise<string> {
  return await textOf(await open({ address: hub.address(path) }));
}

let ids = 0;
/** Makes a page of a new item, whose service has these layers. @returns the page's id and path. */
function page(...layers: FakeLayer[]): { id: string; path: string } {
  const id = (ids += 1).toString(16).padStart(32, 'a');
  const item = {
    ...{ id, type: 'Feature Service', title: 'Trees &amp; shrubs', owner: 'parks' },
    licenseInfo: '<p>CC <a href="https://x">BY</a> 4.0</p>',
    modified: 1_700_000_000_000,
    url: portal.serve(...layers),
  };
  hub.set(`/sharing/rest/content/items/${id}`, { body: JSON.stringify(item) });
  return { id, path: `/datasets/${id}` };
}

async function itemAt(path: string): Promise<string> {
  return await (await fetch(hub.address(path))).text();
}

function layer(name: string, more: object = {}): FakeLayer {
  const features = featuresOf(3, (id) => ({ OBJECTID: id, name: `${name}${id}` }));
  return layerOf(features, undefined, { name, ...more });
}
const csvOf = (name: string): string => `OBJECTID,name\n1,${name}1\n2,${name}2\n3,${name}3\n`;

describe('a page whose item is a service', () => {
  it('with one layer leads to its records', async () => {
    const { path } = page(layer('oak'));
    assert.equal(await read(`${path}/explore`), csvOf('oak'));
  });

  it('with several layers leads to the one that the address names', async () => {
    const { id, path } = page(layer('oak'), layer('elm'));
    assert.equal(await read(`${path}_1/explore`), csvOf('elm'));
    assert.equal(await read(`/home/item.html?id=${id}&sublayer=1`), csvOf('elm'));
  });

  it('names the pages of several layers where the address names none of them, or another', async () => {
    const { id, path } = page(layer('oak'), layer('elm'));
    const named = `${hub.address(path)}_0 (oak), ${hub.address(path)}_1 (elm)`;
    const several = await failureWith(
      read(`${path}/explore?token=${'s'.repeat(40)}`),
      'ADDRESS_AMBIGUOUS',
    );
    assert.ok(several.message.includes(`has 2 layers and tables: ${named}.`), several.message);
    assert.doesNotMatch(several.message, /sss/);
    const none = await failureWith(read(`${path}_325`), 'SOURCE_NOT_FOUND');
    assert.ok(none.message.includes(`no layer 325; it has ${named}.`), none.message);
    const ofPortal = await failureWith(read(`/home/item.html?id=${id}`), 'ADDRESS_AMBIGUOUS');
    assert.ok(ofPortal.message.includes(`/home/item.html?id=${id}&sublayer=1 (elm)`));
  });

  it("is known by the Hub's catalogue too, which has an entry for each layer", async () => {
    const { id, path } = page(layer('oak'), layer('elm'));
    const item = `/sharing/rest/content/items/${id}`;
    const { url } = JSON.parse(await itemAt(item)) as { url: string };
    hub.set(item, { status: 404 });
    const dataset = [0, 1].map((number) => ({
      identifier: `https://www.arcgis.com/home/item.html?id=${id}&sublayer=${number}`,
      distribution: [
        { format: null, accessURL: hub.address(path) },
        { format: 'ArcGIS GeoServices REST API', accessURL: `${url}/${number}` },
      ],
    }));
    hub.set('/api/feed/dcat-us/1.1.json', { body: JSON.stringify({ dataset }) });
    assert.equal(await read(`${path}_1`), csvOf('elm'));
    const error = await failureWith(read(path), 'ADDRESS_AMBIGUOUS');
    assert.ok(error.message.includes(`${hub.address(path)}_0 (oak)`), error.message);
  });

  it('is asked for at no address that a worker may not read', async () => {
    const id = 'b'.repeat(32);
    const serve = (item: object): void =>
      hub.set(`/sharing/rest/content/items/${id}`, { body: JSON.stringify({ id, ...item }) });
    serve({ type: 'Feature Service', url: 'file:///rest/services/a/FeatureServer' });
    await failureWith(read(`/datasets/${id}`), 'PORTAL_UNUSABLE');
    serve({ type: 'Map Service', url: 'http://169.254.169.254/rest/services/a/MapServer' });
    await failureWith(read(`/datasets/${id}`), 'ADDRESS_REFUSED');
    hub.set(`/sharing/rest/content/items/${id}`, { status: 404 });
    const distribution = [{ format: 'CSV', accessURL: 'http://169.254.169.254/token.csv' }];
    const dataset = [{ landingPage: hub.address(`/datasets/${id}`), distribution }];
    hub.set('/api/feed/dcat-us/1.1.json', { body: JSON.stringify({ dataset }) });
    await failureWith(read(`/datasets/${id}`), 'ADDRESS_REFUSED');
  });
});

describe('a layer that does not allow queries', () => {
  it('is read from the file that the Hub makes, once it is there', async () => {
    const { id, path } = page(layer('oak', { capabilities: 'Map,Extract' }));
    const file = `/api/download/v1/items/${id}/csv`;
    hub.set(file, { status: 202, body: '{"status":"ExportingData"}' });
    const waits = await failureWith(read(path), 'SOURCE_NOT_READY');
    assert.match(waits.message, /ExportingData/);
    hub.set(file, { body: csvOf('oak') });
    assert.equal(await read(path), csvOf('oak'));
    assert.equal(hub.requestsTo(file).at(-1)?.query, 'layers=0');
  });

  it('is unusable where the Hub makes no file either', async () => {
    const { path } = page(layer('oak', { capabilities: 'Map' }));
    const error = await failureWith(read(path), 'PORTAL_UNUSABLE');
    assert.match(error.message, /does not allow queries/);
  });
});

describe('what a page says to people', () => {
  it("is the item's title, licence and publisher, and what the layer says of its records", async () => {
    const { path } = page(layer('oak'));
    const { service, columns, examples, ...rest } = (await described({
      address: hub.address(path),
    })) as Description;
    assert.match(service, /\/FeatureServer\/0$/);
    assert.deepEqual(
      columns?.map(({ name }) => name),
      ['OBJECTID', 'name'],
    );
    assert.equal(examples?.length, 3);
    assert.deepEqual(rest, {
      kind: 'arcgis',
      reads: 'pages',
      title: 'Trees & shrubs',
      licence: 'CC BY 4.0',
      publisher: 'parks',
      records: 3,
      changedAt: '2025-11-13T02:13:20.000Z',
    });
  });

  it('is the page of each layer where there are several', async () => {
    const { path } = page(layer('oak'), layer('elm'));
    assert.deepEqual(await described({ address: hub.address(path) }), [
      { address: `${hub.address(path)}_0`, title: 'oak' },
      { address: `${hub.address(path)}_1`, title: 'elm' },
    ]);
  });
});
