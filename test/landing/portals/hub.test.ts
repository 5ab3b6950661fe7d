import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { failureWith } from '../../helpers/failure-with.ts';
import { originOfFile, startOrigin } from '../../helpers/origin.ts';
import { open, textOf } from '../../helpers/portals/lab.ts';

/** Longhaul asks a loopback host itself first, as it does for ArcGIS Enterprise, because it is not of arcgis.com. */
const origin = originOfFile();

const CSV = 'a,b\n1,2\n3,4\n';
let ids = 0;
const newId = (): string => (ids += 1).toString(16).padStart(32, '0');

async function read(path: string, headers?: Record<string, string>): Promise<string> {
  return await textOf(await open({ address: origin.address(path), headers }));
}

const itemPath = (id: string): string => `/sharing/rest/content/items/${id}`;

function serveItem(id: string, fields: Record<string, unknown>, prefix = ''): void {
  origin.set(prefix + itemPath(id), { body: JSON.stringify({ id, ...fields }) });
}

function serveFeed(...dataset: unknown[]): void {
  origin.set('/api/feed/dcat-us/1.1.json', { body: JSON.stringify({ dataset }) });
}

describe('a page whose item is a CSV file', () => {
  it('leads to the file, at whose version and offset a landing goes on', async () => {
    const id = newId();
    serveItem(id, { type: 'CSV', title: '311 of 2025', modified: 1_760_000_000_000 });
    origin.set(`${itemPath(id)}/data`, { body: CSV, etag: '"v1"' });
    for (const page of [
      `/datasets/${id}/explore`,
      `/datasets/${id.toUpperCase()}_0`,
      `/documents/${id}`,
      `/home/item.html?id=${id}`,
      itemPath(id),
    ]) {
      const source = await open({ address: origin.address(page) });
      assert.equal(source.validator.etag, '"v1"');
      assert.equal(await textOf(source), CSV, page);
    }
    const end = { bytes: 4, crc32: 0 };
    const from = { validator: { etag: '"v1"' }, totalBytes: CSV.length, end };
    const rest = await open({ address: origin.address(`/datasets/${id}/explore`), from });
    assert.equal(rest.startOffset, 4);
    assert.equal(await textOf(rest), CSV.slice(4));
  });

  it('is found below the path of a portal of ArcGIS Enterprise', async () => {
    const id = newId();
    serveItem(id, { type: 'CSV' }, '/portal');
    origin.set(`/portal${itemPath(id)}/data`, { body: CSV });
    assert.equal(await read(`/portal/home/item.html?id=${id}`), CSV);
  });

  it("sends the source's own headers to the page's host alone", async () => {
    const id = newId();
    const other = await startOrigin({ '/1.csv': { body: CSV } });
    try {
      serveItem(id, { type: 'CSV' });
      origin.set(`${itemPath(id)}/data`, { redirect: other.address('/1.csv') });
      const page = `/datasets/${id}/explore`;
      assert.equal(await read(page, { 'X-App-Token': 'abc' }), CSV);
      const [asked] = origin.requestsTo(itemPath(id));
      assert.equal(asked?.headers['x-app-token'], 'abc');
      assert.equal(other.requestsTo('/1.csv')[0]?.headers['x-app-token'], undefined);
    } finally {
      await other.close();
    }
  });
});

describe('a page whose item is no table', () => {
  for (const type of ['Web Map', 'StoryMap', 'PDF', 'Microsoft Excel']) {
    it(`says that it is of the type ${type}`, async () => {
      const id = newId();
      serveItem(id, { type, url: 'https://www.arcgis.com/apps/View/index.html' });
      const error = await failureWith(read(`/datasets/${id}`), 'PORTAL_UNUSABLE');
      assert.match(error.message, new RegExp(`of the type ${type},`));
    });
  }

  it('prints no control character of a stranger', async () => {
    const id = newId();
    serveItem(id, { type: 'PDF\u001B[31m' });
    const error = await failureWith(read(`/datasets/${id}`), 'PORTAL_UNUSABLE');
    assert.doesNotMatch(error.message, /[\u0000-\u001F]/);
  });
});

describe('an item that its portal does not describe', () => {
  const failing = {
    'answers 404': { status: 404, body: 'not here' },
    'answers with a web page': { body: '<!doctype html><p>The Hub</p>' },
    'answers 200 with an error': {
      body: '{"error":{"code":400,"messageCode":"CONT_0001","message":"Item does not exist."}}',
    },
    'shows it to members only': { body: '{"error":{"code":403,"message":"No permission."}}' },
    'has no answer for the moment': { status: 503, headers: { 'retry-after': '120' } },
    'answers with another item': { body: `{"id":"${'f'.repeat(32)}","type":"CSV"}` },
  };
  for (const [what, answer] of Object.entries(failing)) {
    it(`is found in the Hub's catalogue where the host ${what}`, async () => {
      const id = newId();
      origin.set(itemPath(id), answer);
      serveFeed(
        { title: 'another', landingPage: origin.address(`/datasets/${'e'.repeat(32)}`) },
        {
          title: 'ours',
          identifier: `https://www.arcgis.com/home/item.html?id=${id}&sublayer=0`,
          distribution: [{ format: 'CSV', accessURL: origin.address(`/files/${id}.csv`) }],
        },
      );
      origin.set(`/files/${id}.csv`, { body: CSV });
      assert.equal(await read(`/datasets/${id}/explore`), CSV);
    });
  }
});

describe('a page with a name in its address', () => {
  it("is found in the Hub's index", async () => {
    const id = newId();
    serveItem(id, { type: 'CSV' });
    origin.set(`${itemPath(id)}/data`, { body: CSV });
    origin.set('/api/v3/datasets', (_, { query }) => {
      const slug = new URLSearchParams(query).get('filter[slug]');
      return { body: JSON.stringify({ data: [{ id: `${id}_0`, attributes: { slug } }] }) };
    });
    assert.equal(await read('/datasets/city::trees/explore'), CSV);
  });

  it("is found in the Hub's catalogue where the index does not know it, or answers of another one", async () => {
    for (const index of [
      { status: 404 },
      { body: '{"data":[]}' },
      { body: `{"data":[{"id":"${newId()}","attributes":{"slug":"city::others"}}]}` },
    ]) {
      origin.set('/api/v3/datasets', index);
      serveFeed(
        entryOf('/datasets/other::trees', '/wrong.csv'),
        entryOf('/datasets/city::trees/about', '/trees.csv'),
      );
      origin.set('/trees.csv', { body: CSV });
      assert.equal(await read('/datasets/city::trees'), CSV);
    }
  });

  it('is refused where the catalogue has several of that name', async () => {
    origin.set('/api/v3/datasets', { status: 404 });
    serveFeed(entryOf('/datasets/trees', '/a.csv'), entryOf('/maps/city::trees', '/b.csv'));
    const error = await failureWith(read('/datasets/city::trees'), 'ADDRESS_AMBIGUOUS');
    assert.match(error.message, /\/datasets\/trees .*, .*\/maps\/city::trees /);
  });

  it('is not found where neither knows it', async () => {
    origin.set('/api/v3/datasets', { body: '{"data":[]}' });
    serveFeed(entryOf('/datasets/city::lamps', '/a.csv'));
    await failureWith(read('/datasets/city::trees'), 'SOURCE_NOT_FOUND');
  });

  it('is a file where the host is no Hub', async () => {
    origin.set('/api/v3/datasets', { status: 404 });
    origin.set('/api/feed/dcat-us/1.1.json', { status: 404 });
    origin.set('/datasets/ns::export', { body: CSV });
    assert.equal(await read('/datasets/ns::export'), CSV);
  });
});

function entryOf(page: string, file: string): object {
  const distribution = [{ format: 'CSV', accessURL: origin.address(file) }];
  return { landingPage: origin.address(page), distribution };
}
