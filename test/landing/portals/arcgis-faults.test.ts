import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ErrorCode } from '../../../src/model/errors.ts';
import {
  arcgisOfFile,
  csvOfNamed,
  errorAnswer,
  layerOfNamed,
  type FakeLayer,
  type PortalAnswer,
} from '../../helpers/portal.ts';
import { labOfEachTest } from '../../helpers/portals/lab.ts';

const portal = arcgisOfFile();
const lab = labOfEachTest();

const RECORDS = 25;

async function textOf(layer: FakeLayer): Promise<string> {
  return (await lab.land({ address: portal.serve(layer) })).csv;
}

/** Asserts that the landing is refused and leaves no file. */
async function assertRefused(layer: FakeLayer, code: ErrorCode, message: RegExp): Promise<void> {
  await assert.rejects(lab.land({ address: portal.serve(layer) }), { code, message });
  assert.deepEqual(await lab.files(), []);
}

describe('all records arrive from a server', () => {
  const faults: [string, (layer: FakeLayer) => void][] = [
    ['whose pages are shorter than it says', (layer) => void (layer.cap = 3)],
    ['whose pages are of any length', (layer) => shortPages(layer)],
    ['that never says that there is more', (layer) => void (layer.saysMore = false)],
    ['that takes no forms', (layer) => void layer.ignores.add('forms')],
    ['that ignores the order', (layer) => void layer.ignores.add('order')],
    [
      'that ignores the order, and has shorter pages than it says',
      (layer) => {
        layer.ignores.add('order');
        layer.cap = 2;
      },
    ],
    [
      'of a version without pages, counts, and a limit in its description',
      (layer) => {
        layer.cap = 4;
        layer.ignores = new Set(['order', 'records', 'returnCountOnly']);
        Object.assign(layer.metadata, {
          currentVersion: 10.01,
          objectIdField: undefined,
          maxRecordCount: undefined,
          advancedQueryCapabilities: undefined,
          editingInfo: undefined,
        });
      },
    ],
    [
      'that fails every second time, with the status 200',
      (layer) => {
        layer.intercept = ({ number }) => (number % 2 === 1 ? errorAnswer(400) : undefined);
      },
    ],
    [
      'that fails every second time, with the status 500',
      (layer) => {
        layer.intercept = ({ number }) => (number % 2 === 1 ? UNAVAILABLE : undefined);
      },
    ],
    [
      'that asks to wait',
      (layer) => onThirdPage(layer, { status: 429, headers: { 'retry-after': '1' }, body: '' }),
    ],
    [
      'that says once that there is more, and sends none',
      (layer) => onThirdPage(layer, NOTHING_AND_MORE),
    ],
    [
      'that breaks off within an answer',
      (layer) => onThirdPage(layer, { body: '{"features":[{"attr' }),
    ],
    [
      'that fails for long pages',
      (layer) => {
        layer.intercept = ({ kind, form }) =>
          kind === 'page' && Number(form.get('resultRecordCount')) > 3
            ? errorAnswer(500)
            : undefined;
      },
    ],
  ];
  for (const [name, change] of faults) {
    it(name, async () => {
      const layer = layerOfNamed(RECORDS, { cap: 10 });
      change(layer);
      assert.equal(await textOf(layer), csvOfNamed(RECORDS));
    });
  }
});

const UNAVAILABLE: PortalAnswer = { status: 500, body: 'busy' };
const NOTHING_AND_MORE: PortalAnswer = { body: '{"features":[],"exceededTransferLimit":true}' };

function onThirdPage(layer: FakeLayer, answer: PortalAnswer): void {
  layer.intercept = ({ kind, number }) => (kind === 'page' && number === 3 ? answer : undefined);
}

function shortPages(layer: FakeLayer): void {
  layer.intercept = ({ number }) => {
    layer.cap = [3, 1, 5, 2][number % 4] ?? 1;
    return undefined;
  };
}

describe('an error in an answer of the status 200 is', () => {
  const errors: [number | undefined, string, ErrorCode][] = [
    [499, 'Token Required', 'SOURCE_FORBIDDEN'],
    [498, 'Invalid token.', 'SOURCE_FORBIDDEN'],
    [403, 'You do not have permissions to access this resource.', 'SOURCE_FORBIDDEN'],
    [undefined, 'You do not have permissions to access this resource.', 'SOURCE_FORBIDDEN'],
    [400, 'Invalid URL', 'SOURCE_NOT_FOUND'],
    [404, 'Service demo/FeatureServer not found', 'SOURCE_NOT_FOUND'],
  ];
  for (const [number, message, code] of errors) {
    it(`${code} for ${number ?? 'no number'}, ${message}`, async () => {
      const layer = layerOfNamed(RECORDS);
      layer.intercept = () => errorAnswer(number, message);
      await assertRefused(layer, code, new RegExp(message));
    });
  }

  it('SOURCE_UNAVAILABLE for any other', async () => {
    const layer = layerOfNamed(RECORDS);
    layer.intercept = () => errorAnswer(400, 'Unable to complete operation.');
    await assertRefused(layer, 'SOURCE_UNAVAILABLE', /400 Unable to complete operation/);
  });
});

describe('a landing is refused where', () => {
  const refusals: [string, ErrorCode, RegExp, (layer: FakeLayer) => void][] = [
    [
      '`where` is ignored',
      'PORTAL_UNUSABLE',
      /ignores `where`/,
      (l) => void l.ignores.add('where'),
    ],
    [
      'a server always says that there is more, and sends none',
      'PORTAL_ANSWER_INVALID',
      /no record, and says that there are more/,
      (layer) => answerPages(layer, NOTHING_AND_MORE),
    ],
    [
      'a record comes twice',
      'PORTAL_ANSWER_INVALID',
      /another order/,
      (layer) => answerPages(layer, rows([1, 2, 2])),
    ],
    [
      'an object id is no integer',
      'PORTAL_ANSWER_INVALID',
      /without an integer in OBJECTID/,
      (layer) => answerPages(layer, rows(['"1"'])),
    ],
    [
      'a page has no list of records',
      'PORTAL_ANSWER_INVALID',
      /without records/,
      (layer) => answerPages(layer, { body: '{"features":null}' }),
    ],
    [
      'a record has no value for a field, not even null',
      'PORTAL_ANSWER_INVALID',
      /record 1 with no field name/,
      (layer) => answerPages(layer, rows([1], '')),
    ],
    [
      'a record has a field that the table does not have',
      'PORTAL_ANSWER_INVALID',
      /record 1 with the unknown field more/,
      (layer) => answerPages(layer, rows([1], ',"name":"n","more":1')),
    ],
    [
      'a value is neither text nor number',
      'PORTAL_ANSWER_INVALID',
      /neither text nor number in name/,
      (layer) => answerPages(layer, rows([1], ',"name":{}')),
    ],
    [
      'fewer records come than the server counts',
      'PORTAL_ANSWER_INVALID',
      /counts 26 records, and its pages have 25/,
      (layer) => {
        layer.intercept = ({ kind, form }) =>
          kind === 'count' && form.get('where') === 'OBJECTID <= 25'
            ? { body: '{"count":26}' }
            : undefined;
      },
    ],
    [
      'a page is one of the web',
      'SOURCE_IS_HTML',
      /web page/,
      (layer) => answerPages(layer, CHALLENGE),
    ],
    [
      'the table has no object ids',
      'PORTAL_UNUSABLE',
      /no field of object ids/,
      (layer) => {
        Object.assign(layer.metadata, { objectIdField: undefined, fields: [NAME] });
      },
    ],
    [
      'a field is of an unknown type',
      'PORTAL_UNUSABLE',
      /esriFieldTypeBlob/,
      (layer) => {
        const blob = { name: 'photo', type: 'esriFieldTypeBlob' };
        layer.metadata['fields'] = [...(layer.metadata['fields'] as object[]), blob];
      },
    ],
    [
      'the table allows no queries',
      'PORTAL_UNUSABLE',
      /does not allow queries/,
      (layer) => void (layer.metadata['capabilities'] = 'Map,Data'),
    ],
    [
      'it is a group of layers',
      'PORTAL_UNUSABLE',
      /is Group Layer/,
      (layer) => void Object.assign(layer.metadata, { type: 'Group Layer', fields: null }),
    ],
  ];
  for (const [name, code, message, change] of refusals) {
    it(name, async () => {
      const layer = layerOfNamed(RECORDS, { cap: 10 });
      change(layer);
      await assertRefused(layer, code, message);
    });
  }

  it('a page is a challenge to prove a browser', async () => {
    const layer = layerOfNamed(RECORDS);
    answerPages(layer, { ...CHALLENGE, status: 403 });
    await assert.rejects(lab.land({ address: portal.serve(layer) }), {
      code: 'SOURCE_FORBIDDEN',
      message: /a challenge to prove a browser/,
    });
  });

  it('one record cannot be had, and the message says which', async () => {
    const layer = layerOfNamed(RECORDS, { cap: 10 });
    layer.intercept = ({ kind, form }) =>
      kind === 'page' && hasRecord13(form) ? errorAnswer(500) : undefined;
    const attempt = lab.land({ address: portal.serve(layer) });
    await assert.rejects(attempt, {
      code: 'SOURCE_UNAVAILABLE',
      message: /one record, the first where OBJECTID > 12 AND OBJECTID <= 25/,
    });
  });
});

const NAME = { name: 'name', type: 'esriFieldTypeString' };
const CHALLENGE: PortalAnswer = {
  headers: { 'cf-mitigated': 'challenge' },
  body: '<!DOCTYPE html><title>Just a moment...</title>',
};

/** Gives this answer to all requests for pages but the one that looks for the highest id. */
function answerPages(layer: FakeLayer, answer: PortalAnswer): void {
  layer.intercept = ({ kind, form }) => (kind === 'page' && !isOfTop(form) ? answer : undefined);
}

function isOfTop(form: URLSearchParams): boolean {
  return form.get('orderByFields')?.endsWith('DESC') ?? false;
}

function rows(ids: (number | string)[], others = ',"name":"n"'): PortalAnswer {
  const features = ids.map((id) => `{"attributes":{"OBJECTID":${id}${others}}}`);
  return { body: `{"features":[${features.join(',')}]}` };
}

function hasRecord13(form: URLSearchParams): boolean {
  const after = Number(/> (\d+)/.exec(form.get('where') ?? '')?.[1] ?? 0);
  return !isOfTop(form) && after < 13 && after + Number(form.get('resultRecordCount')) >= 13;
}
