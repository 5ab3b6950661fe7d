import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { asJson } from '../../helpers/as-json.ts';
import { failureWith } from '../../helpers/failure-with.ts';
import { originOfFile } from '../../helpers/origin.ts';
import { labOfEachTest, portalLab } from '../../helpers/portals/lab.ts';
import { json, serveSocrata, socrataOf, type FakeSocrata } from '../../helpers/portals/socrata.ts';

const ID = 'jx86-2vch';
const NAMES = ['site', 'counts', 'note'];
const ROWS = [
  ['A, north', '7', 'said "no"'],
  ['B', '-0.50', null],
  [null, null, ''],
  [' C', '12345678901234567890.10', 'two\nlines'],
];
const CSV =
  'site,counts,note\n"A, north",7,"said ""no"""\nB,-0.50,\n,,""\n" C",12345678901234567890.10,"two\nlines"\n';

const origin = originOfFile();
const lab = labOfEachTest();

function served(table: FakeSocrata = socrataOf(NAMES, ROWS)): {
  address: string;
  table: FakeSocrata;
} {
  return { address: serveSocrata(origin, ID, table), table };
}

describe('a table of Socrata', () => {
  it('lands as one CSV file of its records, with what the portal says of them', async () => {
    const { address } = served();
    const { manifest, csv } = await lab.land({ address });
    assert.equal(csv, CSV);
    const service = origin.address(`/resource/${ID}.json`);
    assert.deepEqual(manifest.portal, {
      kind: 'socrata',
      service,
      isCanonical: true,
      records: 4,
      emptyTexts: { note: 1 },
    });
    assert.match(manifest.validator.etag ?? '', /^"socrata-[\da-f]{64}"$/);
    assert.equal(manifest.url, address);
  });

  it('has every record and an end behind a cap below the asked limit', async () => {
    const { address, table } = served();
    table.cap = 1;
    assert.equal((await lab.land({ address })).csv, CSV);
    assert.equal(table.pages, ROWS.length + 1);
  });

  it('keeps nested values as JSON, leaves out computed regions, and takes fields that only records have', async () => {
    const { address, table } = served();
    table.fields = [...NAMES, 'site_city', ':@computed_region_x'];
    table.records = [
      {
        ':id': 'row-1',
        site: { latitude: '1.10', at: [1.1, null] },
        site_city: 'X',
        ':@computed_region_x': '1',
      },
      { ':id': 'row-2', counts: 1e21, note: true },
    ];
    assert.equal(
      (await lab.land({ address })).csv,
      'site,counts,note,site_city\n"{""latitude"":""1.10"",""at"":[1.1,null]}",,,X\n,1e+21,true,\n',
    );
  });

  it('of long records is asked for in shorter pages', async () => {
    const rows = Array.from({ length: 4500 }, (_, row) => [`${row}${'x'.repeat(4000)}`]);
    const { address, table } = served(socrataOf(['a'], rows));
    const limits: unknown[] = [];
    table.beforePage = (_, { query }) => {
      limits.push(new URLSearchParams(query).get('$limit'));
      return undefined;
    };
    const { manifest } = await lab.land({ address });
    assert.equal(manifest.scan.records, rows.length);
    assert.deepEqual(limits.slice(0, 3), ['5000', '2500', '2500']);
  });

  it('of one column has a record for each null too', async () => {
    const { address } = served(socrataOf(['a'], [['1'], [null], ['2']]));
    const { csv, manifest } = await lab.land({ address });
    assert.deepEqual([csv, manifest.scan.records], ['a\n1\n""\n2\n', 3]);
  });

  it('that nobody edited costs no page', async () => {
    const { address, table } = served();
    const first = await lab.land({ address });
    const { pages } = table;
    assert.deepEqual((await lab.land({ address })).manifest, asJson(first.manifest));
    assert.equal(table.pages, pages);
  });

  it('of another kind is refused, and another host with such an address has a file', async () => {
    const { address, table } = served();
    table.view = { ...table.view, viewType: 'href' };
    await failureWith(lab.land({ address }), 'PORTAL_UNUSABLE');
    for (const answer of [{ status: 404 }, { body: '<html>' }, { body: '{}' }, { body: 'a,b' }]) {
      origin.set(`/api/views/${ID}.json`, answer);
      origin.set(new URL(address).pathname, { body: 'a,b\n1,2\n' });
      const other = await portalLab();
      assert.equal((await other.land({ address })).csv, 'a,b\n1,2\n');
      await other.remove();
    }
  });

  it('is described for people, safely', async () => {
    const { address, table } = served();
    table.view = { ...table.view, name: '<b>Pot\u001b[31mholes</b>\n&amp; \u202eroads' };
    const found = await lab.describe({ address });
    assert.ok(found && !Array.isArray(found));
    assert.doesNotMatch(found.title ?? '', /[\u0000-\u001f\u007f-\u009f\u202e]/);
    assert.deepEqual(
      { ...found, title: undefined },
      {
        kind: 'socrata',
        service: origin.address(`/resource/${ID}.json`),
        reads: 'pages',
        title: undefined,
        licence: 'Creative Commons Attribution 3.0 Unported',
        publisher: 'Public Works',
        records: 4,
        changedAt: '2012-06-27T01:32:41.000Z',
        columns: NAMES.map((name) => ({ name, type: 'text', title: `The ${name}` })),
        examples: ROWS.slice(0, 3),
      },
    );
  });
});

describe('pages of Socrata that do not fit together are never published', () => {
  it('a copy of older data, which is asked again later', async () => {
    const { address, table } = served();
    table.cap = 2;
    const stale = json([{ ':id': 'row-old', site: 'old' }], { 'X-SODA2-Data-Out-Of-Date': 'true' });
    table.beforePage = (number) => (number === 2 ? stale : undefined);
    const { details, message } = await failureWith(lab.land({ address }), 'SOURCE_NOT_READY');
    assert.match(message, /out of date/);
    assert.equal(details.retryAfterSeconds, 10);
    assert.equal((await lab.land({ address })).csv, CSV);
  });

  it('an edit between pages starts them again, once, and then it is for the run to wait', async () => {
    const { address, table } = served();
    table.cap = 2;
    table.beforePage = (number) => {
      if (number === 2) {
        table.records = [{ ':id': 'row-new', site: 'new' }, ...table.records];
        table.view = { ...table.view, rowsUpdatedAt: 1_340_760_762 };
      }
      return undefined;
    };
    assert.equal((await lab.land({ address })).csv, CSV.replace('\n', '\nnew,,\n'));
    table.view = { ...table.view, rowsUpdatedAt: 1 };
    table.beforePage = (number) => {
      table.view = { ...table.view, rowsUpdatedAt: number };
      return undefined;
    };
    await failureWith(lab.land({ address }), 'SOURCE_CHANGED');
  });

  it('pages of a portal that is in maintenance when they end', async () => {
    const { address, table } = served();
    table.beforePage = () => {
      origin.set(`/api/views/${ID}.json`, { body: '<html>Back soon</html>' });
      return undefined;
    };
    await failureWith(lab.land({ address }), 'SOURCE_UNAVAILABLE');
  });

  it('a count that the pages do not meet', async () => {
    for (const count of [3, 5]) {
      const { address, table } = served();
      table.count = count;
      const { message } = await failureWith(lab.land({ address }), 'PORTAL_ANSWER_INVALID');
      assert.match(message, new RegExp(`counts ${count} records, and its pages have (?:more|4)`));
    }
  });

  it('records that repeat: a portal that ignores the offset, or the order', async () => {
    const { address, table } = served();
    const [first, ...rest] = table.records;
    table.records = [...rest, first ?? {}, ...rest];
    await failureWith(lab.land({ address }), 'PORTAL_ANSWER_INVALID');
    table.cap = 4;
    await failureWith(lab.land({ address }), 'PORTAL_ANSWER_INVALID');
  });

  it('a column that comes or goes', async () => {
    const { address, table } = served();
    table.beforePage = () => json([{ ':id': 'row-1', other: '1' }]);
    await failureWith(lab.land({ address }), 'SOURCE_CHANGED');
    table.beforePage = () =>
      json([{ ':id': 'row-1' }], { 'x-soda2-fields': '["site","note",":id"]' });
    await failureWith(lab.land({ address }), 'SOURCE_CHANGED');
  });

  it('a text that no CSV file in UTF-8 can hold', async () => {
    const { address, table } = served();
    table.beforePage = () => ({ body: String.raw`[{":id":"row-1","site":"\ud800"}]` });
    await failureWith(lab.land({ address }), 'PORTAL_UNUSABLE');
    table.beforePage = () => ({ body: Buffer.from('[{":id":"row-1","site":"Zürich"}]', 'latin1') });
    const { message } = await failureWith(lab.land({ address }), 'PORTAL_ANSWER_INVALID');
    assert.match(message, /not UTF-8/);
  });

  it('what is no list of records, or no JSON', async () => {
    const { address, table } = served();
    for (const [body, code] of [
      ['{"error":true,"message":"no"}', 'PORTAL_ANSWER_INVALID'],
      ['[1]', 'PORTAL_ANSWER_INVALID'],
      ['<html>', 'PORTAL_ANSWER_INVALID'],
      ['[{"site":', 'PORTAL_ANSWER_INVALID'],
      ['site,count', 'SOURCE_NOT_CSV'],
    ] as const) {
      table.beforePage = () => ({ body });
      await failureWith(lab.land({ address }), code);
    }
  });
});
