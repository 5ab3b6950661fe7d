import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { failureWith } from '../../helpers/failure-with.ts';
import { originOfFile } from '../../helpers/origin.ts';
import { labOfEachTest } from '../../helpers/portals/lab.ts';
import { json } from '../../helpers/portals/socrata.ts';

const API = '/api/explore/v2.1/catalog/datasets/arbres@paris';
const EXPORT = `${API}/exports/csv`;
const CSV = 'id,species\n1,"Tilia, cordata"\n2,\n';

const origin = originOfFile();
const lab = labOfEachTest();
let address: string;
let metas: Record<string, unknown>;
beforeEach(async () => {
  address = origin.address('/fr/explore/dataset/arbres@paris/table/?sort=id');
  metas = {
    title: 'Les arbres',
    license: 'ODbL',
    publisher: 'Ville de Paris',
    data_processed: '2026-11-01T05:00:00+00:00',
    records_count: 2,
  };
  origin.set(API, () =>
    json({
      dataset_id: 'arbres@paris',
      has_records: true,
      fields: [
        { name: 'id', label: 'Number', type: 'int' },
        { name: 'species', label: 'Species', type: 'text' },
      ],
      metas: { default: metas },
    }),
  );
  origin.set(EXPORT, { body: CSV, chunked: true, ranges: false });
});

describe('a data set of OpenDataSoft', () => {
  it("lands as the portal's export of all records, whatever the portal's own settings", async () => {
    const { csv, manifest } = await lab.land({ address });
    assert.equal(csv, CSV);
    assert.deepEqual(manifest.portal, {
      kind: 'opendatasoft',
      service: origin.address(API),
      records: 2,
    });
    assert.match(manifest.validator.etag ?? '', /^"opendatasoft-[\da-f]{64}"$/);
    const [asked] = origin.requestsTo(EXPORT);
    assert.equal(asked?.range, undefined);
    assert.deepEqual(Object.fromEntries(new URLSearchParams(asked?.query)), {
      delimiter: ',',
      timezone: 'UTC',
      use_labels: 'false',
      lang: 'en',
      limit: '-1',
    });
    assert.deepEqual((await lab.land({ address })).manifest.checksum, manifest.checksum);
  });

  it('that was edited while it was exported lands once more, whole', async () => {
    const before = origin.requestsTo(EXPORT).length;
    origin.set(EXPORT, (number) => {
      if (number > before + 1) return { body: `${CSV}3,x\n`, chunked: true };
      metas = { ...metas, data_processed: '2026-11-01T06:00:00+00:00', records_count: 3 };
      return { body: CSV, chunked: true };
    });
    const { csv, manifest } = await lab.land({ address });
    assert.equal(csv, `${CSV}3,x\n`);
    assert.equal(manifest.portal?.records, 3);
  });

  it('whose export lacks records is never published', async () => {
    metas = { ...metas, records_count: 3 };
    const { message } = await failureWith(lab.land({ address }), 'SOURCE_CHANGED');
    assert.match(message, /counts 3 records, and 2 arrived/);
  });

  it('without records, without their number, or none at all', async () => {
    metas = {};
    await failureWith(lab.land({ address }), 'PORTAL_UNUSABLE');
    origin.set(API, json({ dataset_id: 'x', has_records: false, metas: {} }));
    await failureWith(lab.land({ address }), 'PORTAL_UNUSABLE');
    origin.set(API, { status: 404, body: '{"error_code":"InvalidDatasetID"}' });
    await failureWith(lab.land({ address }), 'SOURCE_NOT_FOUND');
  });

  it('whose portal is used too often says so, and when it can be asked again', async () => {
    const body = '{"message":"Too many requests"}';
    origin.set(API, { status: 429, body, headers: { 'retry-after': '3600' } });
    const { details, message } = await failureWith(lab.land({ address }), 'SOURCE_UNAVAILABLE');
    assert.equal(details.retryAfterSeconds, 3600);
    assert.match(message, /Too many requests/);
  });

  it('is described for people', async () => {
    origin.set(`${API}/records`, json({ total_count: 2, results: [{ id: 1, species: null }] }));
    assert.deepEqual(await lab.describe({ address }), {
      kind: 'opendatasoft',
      service: origin.address(API),
      reads: 'file',
      title: 'Les arbres',
      licence: 'ODbL',
      publisher: 'Ville de Paris',
      records: 2,
      changedAt: '2026-11-01T05:00:00.000Z',
      columns: [
        { name: 'id', type: 'int', title: 'Number' },
        { name: 'species', type: 'text', title: 'Species' },
      ],
      examples: [['1', null]],
    });
  });
});
