import assert from 'node:assert/strict';
import { appendFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { answerCatalog, type CatalogAnswer } from '../../src/iceberg/rest-catalog.ts';
import { DiskStore } from '../../src/storage/disk-store.ts';
import { failureWith } from '../helpers/failure-with.ts';
import { TinyLake } from '../lake/tiny-lake.ts';
import { oneValue, synced } from './synced.ts';

async function publish(lake: TinyLake, dataset: string, ingestDate: string): Promise<void> {
  await lake.publish(dataset, ingestDate, [oneValue('a', 1)]);
  await synced(lake.store, dataset);
}

const ofLake = ({ store }: Pick<TinyLake, 'store'>, defaults = {}) => ({
  answer: async (method: string, url: string) =>
    await answerCatalog(store, defaults, { method, url }),
});

/** The code and the type of an error. Fails if the error does not have the specification's form. */
function errorIn({ status, body }: CatalogAnswer): string {
  const { error } = body as { error: { message: string; type: string; code: number } };
  assert.equal(error.code, status);
  assert.notEqual(error.message, '');
  return `${status} ${error.type}`;
}

void describe('the REST catalog', () => {
  it('lists the one namespace, and the tables of each dataset that has some', async () => {
    await using lake = await TinyLake.create();
    await publish(lake, 'trees', '2026-01-01');
    await publish(lake, '2-of-them', '2026-01-01');
    // A first commit that was cut off leaves this file. It does not make a table.
    await lake.store.put('_iceberg/half/metadata/m0.avro', '');
    const catalog = ofLake(lake, { 's3.region': 'r' });
    const config = (await catalog.answer('GET', '/v1/config?warehouse=')).body;
    assert.deepEqual(
      { ...config, endpoints: [] },
      {
        ...{ defaults: { 's3.region': 'r' }, overrides: {}, endpoints: [] },
      },
    );
    const get = async (url: string) => (await catalog.answer('GET', url)).body;
    assert.deepEqual(await get('/v1/namespaces'), { namespaces: [['longhaul']] });
    assert.deepEqual(await get('/v1/namespaces?parent=longhaul'), { namespaces: [] });
    assert.deepEqual(await get('/v1/namespaces/longhaul'), {
      ...{ namespace: ['longhaul'], properties: {} },
    });
    assert.deepEqual(await get('/v1/namespaces/longhaul/tables?pageToken='), {
      identifiers: ['_2_of_them', 'trees']
        .flatMap((view) => [view, `${view}_days`, `${view}_versions`])
        .map((name) => ({ namespace: ['longhaul'], name })),
    });
  });

  it('gives the newest metadata of a table at each request, and no settings that go with it', async () => {
    await using lake = await TinyLake.create();
    await publish(lake, 'trees', '2026-01-01');
    const catalog = ofLake(lake);
    const load = async () => {
      const { body } = await catalog.answer('GET', '/v1/namespaces/longhaul/tables/trees');
      return body as { 'metadata-location': string; metadata: { refs: object } };
    };
    const first = await load();
    assert.deepEqual(Object.keys(first), ['metadata-location', 'metadata']);
    assert.match(first['metadata-location'], /\/trees\/metadata\/v1\.metadata\.json$/);
    await publish(lake, 'trees', '2026-01-02');
    const { metadata, 'metadata-location': file } = await load();
    assert.match(file, /\/v2\.metadata\.json$/);
    assert.deepEqual(Object.keys(metadata.refs).toSorted(), ['2026-01-01', '2026-01-02', 'main']);
  });

  it('refuses whatever is not a read, and what is not there, in the form of the specification', async () => {
    await using lake = await TinyLake.create();
    await publish(lake, 'trees', '2026-01-01');
    // A folder beside the tables, which a made-up name of a table could lead to.
    await lake.store.put('x/metadata/v1.metadata.json', '{}');
    const catalog = ofLake(lake);
    const before = await lake.fingerprint();
    const table = '/v1/namespaces/longhaul/tables';
    for (const [method, url, expected] of [
      ['POST', '/v1/namespaces', '406 UnsupportedOperationException'],
      ['POST', table, '406 UnsupportedOperationException'],
      ['POST', `${table}/trees`, '406 UnsupportedOperationException'],
      ['POST', '/v1/oauth/tokens', '406 UnsupportedOperationException'],
      ['DELETE', `${table}/trees?purgeRequested=true`, '406 UnsupportedOperationException'],
      ['GET', '/v1/namespaces/lake', '404 NoSuchNamespaceException'],
      ['GET', '/v1/namespaces?parent=lake', '404 NoSuchNamespaceException'],
      ['GET', '/v1/namespaces/longhaul%1Fa/tables', '404 NoSuchNamespaceException'],
      // Spark asks for a tag of a table in this way. It accepts only this answer.
      ['GET', '/v1/namespaces/longhaul%1Ftrees/tables/tag_x', '404 NoSuchTableException'],
      ['GET', `${table}/bushes`, '404 NoSuchTableException'],
      ['HEAD', `${table}/bushes`, '404 NoSuchTableException'],
      ['GET', `${table}/..%2Fx`, '404 NoSuchTableException'],
      ['GET', `${table}/trees%2F..%2Ftrees`, '404 NoSuchTableException'],
      ['GET', `${table}/`, '404 NoSuchTableException'],
      ['GET', `${table}/%`, '400 BadRequestException'],
      ['GET', `${table}/trees/credentials`, '404 NotFoundException'],
      ['GET', '/v1/namespaces/longhaul/views', '404 NotFoundException'],
      ['GET', '/', '404 NotFoundException'],
    ] as const) {
      assert.equal(errorIn(await catalog.answer(method, url)), expected, `${method} ${url}`);
    }
    assert.deepEqual(await lake.fingerprint(), before);
  });

  it('says so where a table names files of another place, or is damaged', async () => {
    await using lake = await TinyLake.create();
    await publish(lake, 'trees', '2026-01-01');
    const url = '/v1/namespaces/longhaul/tables/trees';
    const root = join(lake.root, '../moved');
    await rename(lake.root, root);
    const catalog = ofLake({ store: new DiskStore(root) });
    const moved = await failureWith(catalog.answer('GET', url), 'TABLE_UNREADABLE');
    assert.match(moved.message, /was moved/);
    await appendFile(join(root, '_iceberg/trees/metadata/v1.metadata.json'), '}');
    await failureWith(catalog.answer('GET', url), 'TABLE_UNREADABLE');
  });
});
