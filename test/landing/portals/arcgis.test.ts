import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { LandProgress } from '../../../src/landing/land.ts';
import type { Geometry } from '../../../src/model/dataset.ts';
import { asJson } from '../../helpers/as-json.ts';
import {
  arcgisOfFile,
  csvOfNamed,
  featuresOf,
  layerOf,
  layerOfNamed,
  named,
  theseFeatures,
  type FakeField,
  type FakeLayer,
} from '../../helpers/portal.ts';
import { labOfEachTest, portalLab } from '../../helpers/portals/lab.ts';

const field = (name: string, type: string, more: object = {}): FakeField => ({
  name,
  type: `esriFieldType${type}`,
  ...more,
});

const portal = arcgisOfFile();
const lab = labOfEachTest();

/** Lands the layer in a lake of its own. */
async function landed(layer: FakeLayer, geometry?: Geometry) {
  const room = await portalLab();
  const progress: LandProgress[] = [];
  const onProgress = (each: LandProgress): unknown => progress.push(each);
  try {
    const { manifest, csv } = await room.land({
      ...{ address: portal.serve(layer), onProgress },
      ...(geometry && { geometry }),
    });
    return { progress, manifest: asJson(manifest), csv };
  } finally {
    await room.remove();
  }
}

describe('a table of ArcGIS', () => {
  it('is one CSV file of all its records, by object id, whatever the pages', async () => {
    for (const cap of [1, 7, 25, 24, 26, 2000]) {
      const layer = layerOfNamed(25, { cap });
      const { manifest, csv, progress } = await landed(layer);
      assert.equal(csv, csvOfNamed(25));
      const { records, totalRecords } = progress.at(-1) ?? {};
      assert.deepEqual([records, totalRecords], [25, 25]);
      assert.equal(manifest.scan.records, 25);
      assert.deepEqual(manifest.portal, {
        kind: 'arcgis',
        service: manifest.url,
        isCanonical: true,
        records: 25,
        objectIdColumn: 'OBJECTID',
      });
      assert.match(manifest.validator.etag ?? '', /^"arcgis-[\da-f]{64}"$/);
    }
  });

  it('keeps what JSON says of each value, and counts what a CSV has no sign of', async () => {
    const fields = [
      field('id', 'Double'),
      field('when', 'Date'),
      field('kind', 'SmallInteger', {
        domain: { type: 'codedValue', codedValues: [{ name: 'Fall', code: 1 }] },
      }),
      field('note', 'String', { domain: { type: 'range', range: [1, 2] } }),
      field('SHAPE.fid', 'OID'),
      field('Shape', 'Geometry'),
    ];
    const rows = [
      '{"id":12345678901234567890.50,"when":1451606400000,"kind":1,"note":null,"SHAPE.fid":1}',
      '{"id":1e-7,"when":-1,"kind":null,"note":"","SHAPE.fid":2}',
      '{"id":NaN,"when":931107456000000,"kind":2,"note":" pad","SHAPE.fid":3}',
      '{"id":-Infinity,"when":null,"kind":0,"note":"a \\"b\\",\\nc","SHAPE.fid":4}',
    ];
    const layer = layerOf(
      featuresOf(4, (id) => rows[id - 1] ?? ''),
      fields,
      {
        objectIdField: undefined,
        dateFieldsTimeReference: { timeZone: 'Mountain Standard Time' },
      },
    );
    const { manifest, csv } = await landed(layer);
    assert.equal(
      csv,
      [
        'id,when,kind,note,SHAPE.fid',
        '12345678901234567890.50,2016-01-01T00:00:00,1,,1',
        '1e-7,1969-12-31T23:59:59.999,,"",2',
        ',931107456000000,2," pad",3',
        ',,0,"a ""b"",\nc",4',
        '',
      ].join('\n'),
    );
    const { portal: table } = manifest;
    assert.equal(table?.objectIdColumn, 'SHAPE.fid');
    assert.deepEqual(table.domains, { kind: { 1: 'Fall' } });
    assert.deepEqual(table.emptyTexts, { note: 1 });
    assert.deepEqual(table.notNumbers, { id: 2 });
    assert.equal(table.dateZone, 'Mountain Standard Time');
  });

  it('counts the empty texts of a field that has the name of what every object has', async () => {
    const fields = [field('OBJECTID', 'OID'), field('constructor', 'String')];
    const layer = layerOf(
      featuresOf(2, (id) => ({ OBJECTID: id, constructor: '' })),
      fields,
    );
    const { manifest } = await landed(layer);
    assert.deepEqual(manifest.portal?.emptyTexts, { constructor: 2 });
  });

  it('is read to its end where ids are sparse, negative, or beyond 2^53', async () => {
    const ids = ['-5', '3', '9007199254740993', '9007199254740994', '9223372036854775807'];
    const layer = layerOf(theseFeatures(ids.map((id) => [id, { name: 'n' }])), undefined, {
      cap: 1,
    });
    const { csv } = await landed(layer);
    assert.equal(csv, `OBJECTID,name\n${ids.map((id) => `${id},n\n`).join('')}`);
  });

  it('without records is its header', async () => {
    const { csv } = await landed(layerOfNamed(0));
    assert.equal(csv, 'OBJECTID,name\n');
  });

  it('is asked for with its version alone while it has not changed', async () => {
    const layer = layerOfNamed(25);
    const address = portal.serve(layer);
    const first = await lab.probe({ address });
    assert.deepEqual(
      layer.requests.map(({ kind }) => kind),
      ['layer', 'page', 'count', 'count'],
    );
    assert.deepEqual(await lab.probe({ address }), first);
    layer.features = named(26);
    assert.notDeepEqual(await lab.probe({ address }), first);
  });

  it('whose pages would be too long is read in shorter ones', async () => {
    const long = 'x'.repeat(20_000);
    const layer = layerOf(
      featuresOf(1500, (id) => ({ OBJECTID: id, name: long })),
      undefined,
      { cap: 1000 },
    );
    assert.equal((await landed(layer)).manifest.scan.records, 1500);
  });

  it('comes compressed where the server compresses', async () => {
    const layer = layerOfNamed(25);
    layer.gzips = true;
    assert.equal((await landed(layer)).csv, csvOfNamed(25));
  });
});

describe('the geometry of a layer', () => {
  const points = layerOf(
    featuresOf(
      3,
      (id) => ({ OBJECTID: id, X: id }),
      (id) =>
        id === 1 ? '{"x":-104.98765432101234,"y":39.70}' : id === 2 ? 'null' : '{"x":"NaN"}',
    ),
    [field('OBJECTID', 'OID'), field('X', 'Integer')],
    { geometryType: 'esriGeometryPoint', type: 'Feature Layer' },
  );

  it('of points is two columns, or well-known text, or nothing', async () => {
    assert.equal(
      (await landed(points)).csv,
      'OBJECTID,X,x_1,y\n1,1,-104.98765432101234,39.70\n2,2,,\n3,3,,\n',
    );
    assert.equal(
      (await landed(points, 'wkt')).csv,
      'OBJECTID,X,wkt\n1,1,POINT (-104.98765432101234 39.70)\n2,2,\n3,3,\n',
    );
    assert.equal((await landed(points, 'none')).csv, 'OBJECTID,X\n1,1\n2,2\n3,3\n');
  });

  it('is refused where the server does not project it', async () => {
    const metres = { ...points, features: theseFeatures([[3, { X: 1 }]]) };
    metres.intercept = ({ kind, form }) => (kind === 'page' ? { body: metresOf(form) } : undefined);
    await assert.rejects(landed(metres), { code: 'PORTAL_UNUSABLE', message: /those of 3857/ });
    assert.equal((await landed(metres, 'none')).csv, 'OBJECTID,X\n3,1\n');
  });

  const shapes: [string, string, string, string][] = [
    [
      'lines',
      'Polyline',
      '{"paths":[[[0,0],[1,1.50]],[[2,2],[3,3]]]}',
      'MULTILINESTRING ((0 0, 1 1.50), (2 2, 3 3))',
    ],
    ['a line', 'Polyline', '{"paths":[[[0,0,7],[1,1,7]]]}', 'LINESTRING (0 0, 1 1)'],
    ['several points', 'Multipoint', '{"points":[[0,0],[1,1]]}', 'MULTIPOINT ((0 0), (1 1))'],
    ['no shape', 'Polygon', '{"rings":[]}', 'POLYGON EMPTY'],
    [
      'a polygon with a hole, and another one',
      'Polygon',
      '{"rings":[[[2,2],[4,2],[4,4],[2,4],[2,2]],[[0,0],[0,9],[9,9],[9,0],[0,0]],[[20,0],[20,1],[21,1],[20,0]]]}',
      'MULTIPOLYGON (((0 0, 0 9, 9 9, 9 0, 0 0), (2 2, 4 2, 4 4, 2 4, 2 2)), ((20 0, 20 1, 21 1, 20 0)))',
    ],
  ];
  for (const [name, type, geometry, wkt] of shapes) {
    it(`of ${name} is well-known text where it is asked for`, async () => {
      const layer = layerOf(
        featuresOf(
          1,
          (id) => ({ OBJECTID: id }),
          () => geometry,
        ),
        [field('OBJECTID', 'OID')],
        { geometryType: `esriGeometry${type}` },
      );
      const value = /[,]/.test(wkt) ? `"${wkt}"` : wkt;
      assert.equal((await landed(layer, 'wkt')).csv, `OBJECTID,wkt\n1,${value}\n`);
      assert.equal((await landed(layer)).csv, 'OBJECTID\n1\n');
      await assert.rejects(landed(layer, 'xy'), { code: 'PORTAL_UNUSABLE' });
    });
  }
});

function metresOf(form: URLSearchParams): string {
  const geometry =
    form.get('returnGeometry') === 'true' ? ',"geometry":{"x":-11686000.5,"y":4828000}' : '';
  const reference = '"spatialReference":{"wkid":102100,"latestWkid":3857}';
  return `{${reference},"features":[{"attributes":{"OBJECTID":3,"X":1}${geometry}}]}`;
}

describe('the address of a service', () => {
  it('with one table is that table', async () => {
    const address = portal.serve(layerOfNamed(3)).replace(/\/0$/, '');
    assert.equal((await lab.land({ address })).csv, csvOfNamed(3));
    const described = await lab.describe({ address });
    assert.deepEqual(asJson(described), {
      kind: 'arcgis',
      service: `${address}/0`,
      reads: 'pages',
      title: 'Accidents',
      records: 3,
      changedAt: '2025-11-13T02:13:20.000Z',
      columns: [
        { name: 'OBJECTID', type: 'esriFieldTypeOID' },
        { name: 'name', type: 'esriFieldTypeString' },
      ],
      examples: [
        ['1', 'n1'],
        ['2', 'n2'],
        ['3', 'n3'],
      ],
    });
  });

  it('with several tables names the address of each', async () => {
    const address = portal.serve(layerOfNamed(3), layerOfNamed(4));
    await assert.rejects(lab.probe({ address }), {
      code: 'ADDRESS_AMBIGUOUS',
      message: new RegExp(`${address}/0 .*${address}/1 `),
    });
    assert.deepEqual(await lab.describe({ address }), [
      { address: `${address}/0`, title: 'Accidents' },
      { address: `${address}/1`, title: 'Accidents' },
    ]);
  });
});
