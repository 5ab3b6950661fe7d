import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { failureWith } from '../../helpers/failure-with.ts';
import { originOfFile } from '../../helpers/origin.ts';
import { datastoreOf, RESOURCE, resourceOf, serveCkan } from '../../helpers/portals/ckan.ts';
import { labOfEachTest } from '../../helpers/portals/lab.ts';
import { json, serveSocrata, socrataOf } from '../../helpers/portals/socrata.ts';

const FILE = 'a,b\n1,2\n';

const origin = originOfFile({ '/works.csv': { body: FILE, etag: '"1"' } });
const lab = labOfEachTest();

type Entry = Record<string, unknown>;

function entryOf(title: string, ...distribution: Entry[]): Entry {
  return {
    title,
    identifier: `https://h.org/id?x=${title}`,
    license: 'https://creativecommons.org/licenses/by/4.0/',
    publisher: { name: 'Public Works' },
    modified: '2026-11-01',
    distribution,
  };
}

const csvAt = (downloadURL: string): Entry => ({ mediaType: 'text/csv', downloadURL });

function serve(...dataset: Entry[]): string {
  origin.set('/data.json', json({ dataset }));
  return origin.address('/data.json');
}

describe('an entry of a DCAT catalogue', () => {
  it('leads to its CSV file, by its title or its identifier', async () => {
    const address = serve(
      entryOf('Bike Counts: Été 2026', csvAt('/works.csv'), {
        mediaType: 'application/zip',
        downloadURL: '/a.zip',
      }),
      entryOf('Trees', csvAt('/trees.csv')),
    );
    for (const id of [
      'bike-counts-ete-2026',
      encodeURIComponent('https://h.org/id?x=Bike Counts: Été 2026'),
    ]) {
      const { csv, manifest } = await lab.land({ address: `${address}#${id}` });
      assert.equal(csv, FILE);
      assert.equal(manifest.validator.etag, '"1"');
    }
    assert.deepEqual(await lab.describe({ address: `${address}#bike-counts-ete-2026` }), {
      kind: 'dcat',
      service: origin.address('/works.csv'),
      reads: 'file',
      title: 'Bike Counts: Été 2026',
      licence: 'https://creativecommons.org/licenses/by/4.0/',
      publisher: 'Public Works',
      changedAt: '2026-11-01T00:00:00.000Z',
    });
  });

  it('of the only data set needs no name', async () => {
    assert.equal(
      (await lab.land({ address: serve(entryOf('Works', csvAt('/works.csv'))) })).csv,
      FILE,
    );
  });

  it("without a CSV file leads to the portal's table, through the page of a data set", async () => {
    const table = serveSocrata(origin, 'aaaa-0001', socrataOf(['a'], [['1']]));
    const ckan = datastoreOf([], ['a']);
    ckan.dataset.resources = [resourceOf({ id: RESOURCE, format: 'CSV', url: table })];
    const page = serveCkan(origin, ckan);
    for (const accessURL of [table, page]) {
      const address = serve(
        entryOf('Works', { format: 'HTML', accessURL: '/about' }, { accessURL }),
      );
      assert.equal((await lab.land({ address })).csv, 'a\n1\n');
      const found = await lab.describe({ address });
      assert.ok(found && !Array.isArray(found));
      assert.equal(found.kind, 'socrata');
    }
  });

  it('leads through two portals at most', async () => {
    const ckan = datastoreOf([], ['a']);
    const page = serveCkan(origin, ckan);
    ckan.dataset.resources = [resourceOf({ id: RESOURCE, format: 'CSV', url: page })];
    const { message } = await failureWith(
      lab.land({ address: serve(entryOf('Works', { accessURL: page })) }),
      'SOURCE_REDIRECT_LOOP',
    );
    assert.match(message, /more than 2 pages/);
  });

  it('that is not named is asked for, with the addresses of twenty', async () => {
    const titles = Array.from({ length: 30 }, (_, index) => `T\u001b[31m${index} \u202e<i>x</i>`);
    const address = serve(...titles.map((title) => entryOf(title, csvAt('/works.csv'))));
    for (const asked of [address, `${address}#no%0Asuch`]) {
      const { message } = await failureWith(lab.land({ address: asked }), 'ADDRESS_AMBIGUOUS');
      assert.equal(message.split('data.json#').length - 1, 20);
      assert.match(message, /and 10 others/);
      assert.doesNotMatch(message, /[\u0000-\u001f\u202e]/);
    }
    const choices = await lab.describe({ address });
    assert.ok(Array.isArray(choices));
    assert.equal(choices.length, titles.length);
    for (const choice of choices.slice(0, 3)) assert.equal((await lab.land(choice)).csv, FILE);
  });

  it('of the same title as another is named by its identifier', async () => {
    const twin = { ...entryOf('Works', csvAt('/other.csv')), identifier: 'twin' };
    const address = serve(entryOf('Works', csvAt('/works.csv')), twin);
    const choices = await lab.describe({ address: `${address}#works` });
    assert.ok(Array.isArray(choices) && choices[0]);
    assert.equal((await lab.land(choices[0])).csv, FILE);
  });

  it('with several CSV files, or none, is refused', async () => {
    const several = serve(entryOf('Works', csvAt('/a.csv'), csvAt('/b.csv'), csvAt('/a.csv')));
    const { message } = await failureWith(lab.land({ address: several }), 'ADDRESS_AMBIGUOUS');
    assert.ok(
      message.includes(origin.address('/a.csv')) && message.includes(origin.address('/b.csv')),
    );
    const none = serve(entryOf('Works', { format: 'PDF', downloadURL: '/a.pdf' }));
    await failureWith(lab.land({ address: none }), 'PORTAL_UNUSABLE');
  });
});

describe('what is no DCAT catalogue', () => {
  it('is refused as what it is', async () => {
    const address = origin.address('/data.json');
    for (const [answer, code] of [
      [{ body: '[{"a":1}]' }, 'PORTAL_UNUSABLE'],
      [{ body: '{"dataset":{}}' }, 'PORTAL_UNUSABLE'],
      [{ body: '<html>' }, 'SOURCE_IS_HTML'],
      [{ status: 404 }, 'SOURCE_NOT_FOUND'],
      [
        { status: 403, body: '<html>', headers: { 'cf-mitigated': 'challenge' } },
        'SOURCE_FORBIDDEN',
      ],
    ] as const) {
      origin.set('/data.json', answer);
      await failureWith(lab.land({ address }), code);
    }
  });
});
