import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { itemAt } from '../../../src/landing/portals/hub/hub.ts';
import { NoSuchPortal } from '../../../src/landing/portals/portal.ts';
import { PortalClient } from '../../../src/landing/portals/portal-client.ts';
import { portalAddressOf } from '../../../src/landing/portals/recognise.ts';
import { failureWith } from '../../helpers/failure-with.ts';
import { originOfFile, type Route } from '../../helpers/origin.ts';

const ITEM = 'db00bd99ea534d8987e0913a191ebe19';
const ITEM_PATH = `/sharing/rest/content/items/${ITEM}`;
const FEED = '/api/feed/dcat-us/1.1.json';
const HUB = 'https://x.hub.arcgis.com';
const FILE = `https://www.arcgis.com${ITEM_PATH}/data`;

/** The internet on one loopback port: the client asks for `https://host/path` at `/host/path`. */
class LoopbackClient extends PortalClient {
  override async text<T>(...[url, ...rest]: Parameters<typeof PortalClient.prototype.text<T>>) {
    return await super.text<T>(onLoopback(url), ...rest);
  }
}

function onLoopback({ hostname, pathname, search }: URL): URL {
  return new URL(`/${hostname}${pathname}${search}`, internet.url);
}

const internet = originOfFile();

let asked: string[];
beforeEach(() => {
  asked = [];
});

/** @returns where the page leads to. @param routes host and path → answer. Other addresses answer 404. */
async function leadOf(page: string, routes: Record<string, Route>): Promise<string> {
  const from = internet.requests.length;
  for (const [place, route] of Object.entries(routes)) internet.set(`/${place}`, route);
  const url = new URL(page);
  const address = portalAddressOf(url);
  assert.ok(address?.kind === 'arcgis-item' || address?.kind === 'hub-slug');
  const client = new LoopbackClient({
    settings: { connectTimeoutMs: 5000, stallTimeoutMs: 5000 },
    policy: { allowPrivate: true },
    signal: new AbortController().signal,
    ...{ secrets: {}, shown: page, headersFor: url, geometry: undefined },
  });
  const stop = new Error('far enough');
  let lead = '';
  try {
    const found = await itemAt(address, client);
    assert.ok('leadsTo' in found || 'open' in found);
    if ('leadsTo' in found) return found.leadsTo.href;
    const follow = async (to: URL): Promise<never> => {
      lead = to.href;
      throw stop;
    };
    await found.open(follow);
  } catch (error) {
    if (error !== stop) throw error;
  } finally {
    await client.close();
    for (const place of Object.keys(routes)) internet.set(`/${place}`, { status: 404 });
    asked = internet.requests.slice(from).map(({ path }) => path.slice(1));
  }
  return lead;
}

const json = (body: object): { body: string } => ({ body: JSON.stringify(body) });
const ONLINE_ITEM = { [`www.arcgis.com${ITEM_PATH}`]: json({ id: ITEM, type: 'CSV' }) };
const NO_ITEM = json({
  error: { code: 400, messageCode: 'CONT_0001', message: 'Item does not exist.' },
});

describe('a page below arcgis.com', () => {
  it('is asked of ArcGIS Online alone, where that has the item', async () => {
    for (const page of [
      `${HUB}/datasets/${ITEM}/explore`,
      `https://www.arcgis.com/home/item.html?id=${ITEM}`,
      `https://opendata.arcgis.com/datasets/${ITEM}_0`,
    ]) {
      assert.equal(await leadOf(page, ONLINE_ITEM), FILE);
      assert.deepEqual(asked, [`www.arcgis.com${ITEM_PATH}`]);
    }
  });

  it("is found in the Hub's own catalogue where ArcGIS Online does not have the item", async () => {
    const distribution = [{ format: 'CSV', accessURL: 'https://files.city.gov/trees.csv' }];
    const lead = await leadOf(`${HUB}/datasets/${ITEM}`, {
      [`www.arcgis.com${ITEM_PATH}`]: NO_ITEM,
      [`x.hub.arcgis.com${FEED}`]: json({
        dataset: [{ landingPage: `${HUB}/datasets/${ITEM}`, distribution }],
      }),
    });
    assert.equal(lead, 'https://files.city.gov/trees.csv');
  });

  it('is not found, hidden, or tried again later, as ArcGIS Online says', async () => {
    const page = `${HUB}/datasets/${ITEM}`;
    const place = `www.arcgis.com${ITEM_PATH}`;
    await failureWith(leadOf(page, { [place]: NO_ITEM }), 'SOURCE_NOT_FOUND');
    const hidden = json({
      error: { code: 403, messageCode: 'GWM_0003', message: 'No permission.' },
    });
    await failureWith(leadOf(page, { [place]: hidden }), 'SOURCE_FORBIDDEN');
    const busy = { status: 503, headers: { 'retry-after': '300' } };
    const error = await failureWith(leadOf(page, { [place]: busy }), 'SOURCE_UNAVAILABLE');
    assert.equal(error.details.retryAfterSeconds, 300);
  });

  it("with a name is found in the index of all Hubs, or by ArcGIS Online's search", async () => {
    const page = `${HUB}/datasets/city::trees/explore`;
    const index = json({ data: [{ id: `${ITEM}_0`, attributes: { slug: 'city::trees' } }] });
    const inIndex = { ...ONLINE_ITEM, 'hub.arcgis.com/api/v3/datasets': index };
    assert.equal(await leadOf(page, inIndex), FILE);
    const results = [{ id: ITEM, typeKeywords: ['Data', 'slug|city|trees'] }];
    const inSearch = { ...ONLINE_ITEM, 'www.arcgis.com/sharing/rest/search': json({ results }) };
    assert.equal(await leadOf(page, inSearch), FILE);
    assert.deepEqual(asked, [
      'hub.arcgis.com/api/v3/datasets',
      `x.hub.arcgis.com${FEED}`,
      'www.arcgis.com/sharing/rest/search',
      `www.arcgis.com${ITEM_PATH}`,
    ]);
    const others = json({ results: [{ id: ITEM, typeKeywords: ['slug|other|trees'] }] });
    const wrong = { ...ONLINE_ITEM, 'www.arcgis.com/sharing/rest/search': others };
    await failureWith(leadOf(page, wrong), 'SOURCE_NOT_FOUND');
  });

  it("with a name without its organisation is found in the Hub's own catalogue only", async () => {
    const distribution = [{ format: 'CSV', accessURL: 'https://files.city.gov/trees.csv' }];
    const dataset = [{ landingPage: `${HUB}/datasets/city::trees`, distribution }];
    const feed = { [`x.hub.arcgis.com${FEED}`]: json({ dataset }) };
    assert.equal(await leadOf(`${HUB}/datasets/trees`, feed), 'https://files.city.gov/trees.csv');
    assert.deepEqual(asked, [`x.hub.arcgis.com${FEED}`]);
  });
});

describe('a page of another host', () => {
  const page = `https://data.city.gov/datasets/${ITEM}/explore`;

  it('is asked of the host itself, its catalogue, and then of ArcGIS Online', async () => {
    assert.equal(await leadOf(page, ONLINE_ITEM), FILE);
    assert.deepEqual(asked, [
      `data.city.gov${ITEM_PATH}`,
      `data.city.gov${FEED}`,
      `www.arcgis.com${ITEM_PATH}`,
    ]);
  });

  it('is a file where the host is no portal, and an unknown item where it is one', async () => {
    await assert.rejects(leadOf(page, {}), NoSuchPortal);
    await failureWith(leadOf(page, { [`data.city.gov${ITEM_PATH}`]: NO_ITEM }), 'SOURCE_NOT_FOUND');
    const feed = { [`data.city.gov${FEED}`]: json({ dataset: [] }) };
    await failureWith(leadOf(page, feed), 'SOURCE_NOT_FOUND');
  });
});

it('the file that a Hub makes of a layer is asked of that Hub, or of the one of all', async () => {
  const service = 'https://h.gov/arcgis/rest/services/Trees/MapServer';
  const routes = {
    [`www.arcgis.com${ITEM_PATH}`]: json({ id: ITEM, type: 'Map Service', url: service }),
    'h.gov/arcgis/rest/services/Trees/MapServer': json({ layers: [{ id: 7, name: 'Trees' }] }),
    'h.gov/arcgis/rest/services/Trees/MapServer/7': json({ capabilities: 'Map', fields: [] }),
  };
  const path = `/api/download/v1/items/${ITEM}/csv?layers=7`;
  assert.equal(await leadOf(`${HUB}/datasets/${ITEM}_7`, routes), HUB + path);
  const ofPortal = `https://www.arcgis.com/home/item.html?id=${ITEM}&sublayer=7`;
  assert.equal(await leadOf(ofPortal, routes), `https://hub.arcgis.com${path}`);
});
