import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { failureWith } from '../../helpers/failure-with.ts';
import { originOfFile } from '../../helpers/origin.ts';
import {
  datastoreOf,
  RESOURCE,
  resourceOf,
  serveCkan,
  type FakeCkan,
} from '../../helpers/portals/ckan.ts';
import { labOfEachTest } from '../../helpers/portals/lab.ts';

const NAMES = ['id', 'name'];
const ROWS = [
  [1, 'english'],
  [2.5, '中国人'],
  [null, ''],
  [4, { a: [1] }],
];
const CSV = '_id,id,name\n1,1,english\n2,2.5,中国人\n3,,""\n4,4,"{""a"":[1]}"\n';

const origin = originOfFile();
const lab = labOfEachTest();
let ckan: FakeCkan;
let address: string;
beforeEach(async () => {
  ckan = datastoreOf(ROWS, NAMES);
  address = serveCkan(origin, ckan);
});

const setModified = (time: string): void => {
  for (const each of ckan.dataset.resources) each['last_modified'] = time;
};

describe('the DataStore of a CKAN', () => {
  it('lands as one CSV file in the order of its ids, although there is always a next page', async () => {
    ckan.cap = 1;
    const { manifest, csv } = await lab.land({ address });
    assert.equal(csv, CSV);
    assert.deepEqual(manifest.portal, {
      kind: 'ckan',
      service: origin.address(`/datastore/dump/${RESOURCE}`),
      isCanonical: true,
      records: 4,
      objectIdColumn: '_id',
      emptyTexts: { name: 1 },
    });
    const { pages } = ckan;
    assert.deepEqual((await lab.land({ address })).manifest.checksum, manifest.checksum);
    assert.equal(ckan.pages, pages, 'what nobody edited costs no page');
  });

  it('is found by the address of a dump or of its own answers', async () => {
    for (const path of [
      `/datastore/dump/${RESOURCE}?bom=True`,
      `/api/3/action/datastore_search?resource_id=${RESOURCE}`,
      `/dataset/road-works/resource/${RESOURCE.toUpperCase()}`,
    ]) {
      const opened = await lab.land({ address: origin.address(path) });
      assert.equal(opened.csv, CSV);
    }
  });

  it('without a time of its last change lands each time', async () => {
    for (const each of ckan.dataset.resources) each['metadata_modified'] = null;
    assert.deepEqual((await lab.land({ address })).manifest.validator, {});
  });

  it('is no copy of a part of a file', async () => {
    const file = resourceOf({
      id: RESOURCE,
      url: '/works.csv',
      datastore_active: true,
      datastore_contains_all_records_of_source_file: false,
    });
    ckan.dataset.resources = [file];
    const dump = origin.address(`/datastore/dump/${RESOURCE}`);
    const { details } = await failureWith(lab.land({ address: dump }), 'PORTAL_UNUSABLE');
    assert.match(details.hint ?? '', /\/works\.csv$/);
  });

  it('may be compressed in spite of what was asked for', async () => {
    const body = gzipSync(
      JSON.stringify({ success: true, result: { fields: ckan.fields, records: [], total: 4 } }),
    );
    ckan.beforePage = (number) =>
      number === 2 ? { body, headers: { 'content-encoding': 'gzip' } } : undefined;
    assert.equal((await lab.land({ address })).csv, CSV);
  });

  it('is described for people', async () => {
    assert.deepEqual(await lab.describe({ address }), {
      kind: 'ckan',
      service: origin.address(`/datastore/dump/${RESOURCE}`),
      reads: 'pages',
      title: 'Road works: table',
      licence: 'Creative Commons Attribution',
      publisher: 'Public Works',
      changedAt: '2020-12-12T12:03:16.115Z',
      records: 4,
      columns: [
        { name: '_id', type: 'int' },
        { name: 'id', type: 'text' },
        { name: 'name', type: 'text' },
      ],
      examples: [
        ['1', '1', 'english'],
        ['2', '2.5', '中国人'],
        ['3', null, ''],
      ],
    });
  });
});

describe('pages of a DataStore that do not fit together are never published', () => {
  it('an edit between pages starts them again', async () => {
    ckan.cap = 2;
    ckan.beforePage = (number) => {
      if (number !== 2) return undefined;
      ckan.records = ckan.records.slice(1);
      return undefined;
    };
    assert.equal((await lab.land({ address })).csv, CSV.replace('1,1,english\n', ''));
  });

  it('a new time or a new column at the end is an edit too', async () => {
    ckan.beforePage = (number) => {
      setModified(`2026-01-01T00:00:0${number}`);
      return undefined;
    };
    await failureWith(lab.land({ address }), 'SOURCE_CHANGED');
    ckan.beforePage = () => {
      ckan.fields = [...ckan.fields, { id: `c${ckan.pages}`, type: 'text' }];
      return undefined;
    };
    await failureWith(lab.land({ address }), 'SOURCE_CHANGED');
  });

  it('a total that is estimated, or that the pages do not meet', async () => {
    ckan.isEstimated = true;
    await failureWith(lab.land({ address }), 'PORTAL_UNUSABLE');
    ckan.isEstimated = false;
    for (const total of [3, 5]) {
      ckan.total = total;
      await failureWith(lab.land({ address }), 'PORTAL_ANSWER_INVALID');
    }
  });

  it('records in another order, twice, or without an id', async () => {
    const order = (...ids: number[]): Record<string, unknown>[] => ids.map((_id) => ({ _id }));
    for (const records of [
      order(1, 3, 2, 4),
      order(1, 2, 2, 4),
      [...order(1, 2), {}, ...order(4)],
    ]) {
      ckan.records = records;
      await failureWith(lab.land({ address }), 'PORTAL_ANSWER_INVALID');
    }
  });

  it('an error in place of records', async () => {
    const says = (message: string, type: string): string =>
      JSON.stringify({ success: false, error: { message, __type: type } });
    ckan.beforePage = () => ({
      status: 409,
      body: says('no\u001b[2J such column', 'Validation Error'),
    });
    const { message } = await failureWith(lab.land({ address }), 'SOURCE_REFUSED');
    assert.match(message, /such column/);
    assert.doesNotMatch(message, /\u001b/);
    ckan.beforePage = () => ({ status: 404, body: says('Não encontrado', 'Not Found Error') });
    await failureWith(lab.land({ address }), 'SOURCE_NOT_FOUND');
    ckan.beforePage = () => ({ status: 404, body: '{"detail":"Back soon"}' });
    await failureWith(lab.land({ address }), 'SOURCE_UNAVAILABLE');
    ckan.beforePage = () => ({ body: '<html>' });
    await failureWith(lab.land({ address }), 'PORTAL_ANSWER_INVALID');
  });
});
