import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { asJson } from '../../helpers/as-json.ts';
import {
  arcgisOfFile,
  csvOfNamed,
  featuresOf,
  layerOfNamed,
  named,
  theseFeatures,
  type FakeLayer,
} from '../../helpers/portal.ts';
import { labOfEachTest } from '../../helpers/portals/lab.ts';

const portal = arcgisOfFile();
const lab = labOfEachTest();

const RECORDS = 25;

describe('a table that is edited while it is read', () => {
  const EDITED = { dataLastEditDate: 1_765_000_000_000 };
  const edits: [string, (layer: FakeLayer) => void, string][] = [
    [
      'in place, with a new date of its last edit',
      (layer) => {
        layer.features = named(RECORDS, 'new');
        layer.metadata['editingInfo'] = EDITED;
      },
      csvOfNamed(RECORDS, 'new'),
    ],
    [
      'by a record that is removed',
      (layer) => void (layer.features = withoutFirst(RECORDS)),
      csvOfNamed(RECORDS).replace('1,n1\n', ''),
    ],
    [
      'by a reload with new ids',
      (layer) => void (layer.features = theseFeatures([[901, { name: 'a' }]])),
      'OBJECTID,name\n901,a\n',
    ],
    [
      'by another field',
      (layer) => {
        layer.metadata['fields'] = [...(layer.metadata['fields'] as object[]), MORE];
        layer.features = featuresOf(1, () => ({ OBJECTID: 1, name: 'n', more: null }));
      },
      'OBJECTID,name,more\n1,n,\n',
    ],
  ];
  for (const way of ['by pages in an order', 'by ids']) {
    for (const [name, edit, expected] of edits) {
      it(`${name}, is read again from its start (${way})`, async () => {
        const layer = layerOfNamed(RECORDS, { cap: 10 });
        if (way === 'by ids') layer.ignores.add('order');
        let isEdited = false;
        layer.intercept = ({ kind, number }) => {
          if (!isEdited && kind === 'page' && number === 4) {
            edit(layer);
            isEdited = true;
          }
          return undefined;
        };
        assert.equal((await lab.land({ address: portal.serve(layer) })).csv, expected);
      });
    }
  }

  it('by records above those of the beginning, is what it was', async () => {
    const layer = layerOfNamed(RECORDS, { cap: 10 });
    layer.intercept = ({ kind, number }) => {
      if (kind === 'page' && number === 3) layer.features = named(RECORDS + 5);
      return undefined;
    };
    assert.equal((await lab.land({ address: portal.serve(layer) })).csv, csvOfNamed(RECORDS));
  });

  it('again and again, is SOURCE_CHANGED', async () => {
    const layer = layerOfNamed(RECORDS, { cap: 10 });
    let edit = 0;
    layer.intercept = ({ kind }) => {
      if (kind === 'page') layer.metadata['editingInfo'] = { lastEditDate: (edit += 1) };
      return undefined;
    };
    await assert.rejects(lab.land({ address: portal.serve(layer) }), {
      code: 'SOURCE_CHANGED',
      message: /publisher edited/,
    });
    assert.deepEqual(await lab.files(), []);
  });

  it('and says nothing of its edits, has no version, and is the same landing while its bytes are the same', async () => {
    const layer = layerOfNamed(RECORDS, { editingInfo: undefined });
    const address = portal.serve(layer);
    const first = await lab.land({ address });
    assert.deepEqual(first.manifest.validator, {});
    const requests = layer.requests.length;
    assert.deepEqual(asJson(await lab.land({ address })), asJson(first));
    assert.equal(layer.requests.length, 2 * requests);
  });
});

const MORE = { name: 'more', type: 'esriFieldTypeString' };

function withoutFirst(length: number): FakeLayer['features'] {
  const ids = Array.from({ length: length - 1 }, (_, at) => at + 2);
  return theseFeatures(ids.map((id) => [id, { name: `n${id}` }]));
}

describe('a server that is restarted while it is read', () => {
  const DOWN = { status: 'error', messages: ['No server machine is up.'], code: 500 };
  for (const [name, body] of [
    ['a web page', '<!DOCTYPE html><title>Service unavailable</title>'],
    ['the error of the machine in front of it', JSON.stringify(DOWN)],
  ] as const) {
    it(`and answers with ${name} meanwhile is asked again`, async () => {
      const layer = layerOfNamed(RECORDS, { cap: 10 });
      layer.intercept = ({ number }) => (number % 2 === 0 ? { body } : undefined);
      assert.equal((await lab.land({ address: portal.serve(layer) })).csv, csvOfNamed(RECORDS));
    });
  }

  it('is not taken for one without a table', async () => {
    const layer = layerOfNamed(RECORDS);
    layer.intercept = () => ({ body: JSON.stringify(DOWN) });
    await assert.rejects(lab.land({ address: portal.serve(layer) }), {
      code: 'SOURCE_UNAVAILABLE',
      message: /an error: 500 No server machine is up\.$/,
    });
  });
});
