import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { nameInPortalAddress, portalAddressOf } from '../../../src/landing/portals/recognise.ts';

const ITEM = 'db00bd99ea534d8987e0913a191ebe19';
const UUID = '5a1c9c0e-0d4b-4b52-8a3a-0b8f4c2b6a11';
const HUB = 'https://x.hub.arcgis.com';
const SERVICE = 'https://services1.arcgis.com/zdB7/arcgis/rest/services/ODC_311/FeatureServer';

/** The kind of an address and the thing that it names, in one line. */
function seen(address: string): string | undefined {
  const found = portalAddressOf(new URL(address));
  if (!found) return undefined;
  const { kind, ...named } = found;
  const parts = Object.entries(named).filter(([key]) => key !== 'page');
  return [kind, ...parts.map(([key, value]) => `${key}=${String(value)}`)].join(' ');
}

const PAGES: Record<string, readonly string[]> = {
  [`arcgis-service service=${SERVICE}`]: [SERVICE, `${SERVICE}/`, `${SERVICE}?f=json`],
  [`arcgis-service service=${SERVICE} layer=66`]: [
    `${SERVICE}/66`,
    `${SERVICE}/66/`,
    `${SERVICE}/66/query?where=1%3D1&outFields=*`,
  ],
  'arcgis-service service=https://h.gov//other.org/arcgis/rest/services/A/MapServer': [
    'https://h.gov//other.org/arcgis/rest/services/A/MapServer',
  ],
  [`arcgis-item item=${ITEM}`]: [
    `${HUB}/datasets/${ITEM}`,
    `${HUB}/datasets/${ITEM}/explore?location=39.7,-104.9,10`,
    `${HUB}/datasets/${ITEM.toUpperCase()}/about`,
    `${HUB}/maps/${ITEM}/`,
    `https://data.city.gov/documents/${ITEM}`,
    `https://opendata.arcgis.com/datasets/${ITEM}`,
    `https://www.arcgis.com/home/item.html?id=${ITEM}#data`,
    `https://gis.city.gov/portal/home/item.html?id=${ITEM}`,
    `https://www.arcgis.com/sharing/rest/content/items/${ITEM}?f=json`,
  ],
  [`arcgis-item item=${ITEM} layer=325`]: [
    `${HUB}/datasets/${ITEM}_325`,
    `${HUB}/datasets/${ITEM}_325/explore`,
    `https://opendata.arcgis.com/datasets/${ITEM}_325`,
    `https://www.arcgis.com/home/item.html?id=${ITEM}&sublayer=325`,
  ],
  'hub-slug slug=city::traffic-accidents': [
    `${HUB}/datasets/city::traffic-accidents`,
    `${HUB}/datasets/city%3A%3Atraffic-accidents/explore`,
    'https://data.city.gov/maps/city::traffic-accidents/about',
  ],
  'hub-slug slug=traffic-accidents': [`${HUB}/datasets/traffic-accidents/explore`],
  'socrata id=jx86-2vch': [
    'https://data.h.gov/Public-Safety/Bike-Counts/jx86-2vch',
    'https://data.h.gov/Public-Safety/Bike-Counts/jx86-2vch/about_data',
    'https://data.h.gov/d/jx86-2vch',
    'https://data.h.gov/resource/jx86-2vch.json',
    'https://data.h.gov/resource/jx86-2vch.csv',
    'https://data.h.gov/api/views/jx86-2vch.json',
  ],
  'ckan-dataset base=https://h.org/en/ dataset=road-works': [
    'https://h.org/en/dataset/road-works',
    'https://h.org/en/dataset/road-works/',
    'https://h.org/en/api/3/action/package_show?id=road-works',
  ],
  [`ckan-dataset base=https://h.org/ dataset=road-works resource=${UUID}`]: [
    `https://h.org/dataset/road-works/resource/${UUID}`,
  ],
  [`ckan-resource base=https://h.org/ resource=${UUID}`]: [
    `https://h.org/datastore/dump/${UUID}?bom=true`,
    `https://h.org/api/action/datastore_search?resource_id=${UUID}`,
    `https://h.org/api/3/action/resource_show?id=${UUID}`,
  ],
  'opendatasoft id=arbres@paris': [
    'https://h.org/explore/dataset/arbres@paris',
    'https://h.org/explore/dataset/arbres@paris/table/?sort=id',
    'https://h.org/fr/explore/dataset/arbres@paris/information/',
    'https://h.org/api/explore/v2.1/catalog/datasets/arbres@paris',
  ],
  'dcat catalogue=https://h.org/data.json': ['https://h.org/data.json'],
  'dcat catalogue=https://h.org/api/feed/dcat-us/1.1.json id=a/b': [
    'https://h.org/api/feed/dcat-us/1.1.json#a%2Fb',
  ],
};

for (const [expected, addresses] of Object.entries(PAGES)) {
  for (const address of addresses) {
    test(`a portal's page is known by its address: ${address}`, () => {
      assert.equal(seen(address), expected);
    });
  }
}

for (const address of [
  `https://www.arcgis.com/sharing/rest/content/items/${ITEM}/data`,
  `${HUB}/api/download/v1/items/${ITEM}/csv?layers=0`,
  `https://opendata.arcgis.com/datasets/${ITEM}_0.csv`,
  `https://data.city.gov/datasets/traffic-accidents`,
  'https://data.h.gov/api/views/jx86-2vch/rows.csv?accessType=DOWNLOAD',
  'https://data.h.gov/resource/jx86-2vch.csv?$limit=10',
  `https://h.org/dataset/road-works/resource/${UUID}/download/works.csv`,
  'https://h.org/dataset/works.csv',
  'https://h.org/explore/dataset/arbres/download/?format=csv',
  'https://h.org/explore/dataset/arbres/files/ab12/download/',
  'https://h.org/api/explore/v2.1/catalog/datasets/arbres/exports/csv',
  'https://h.org/files/export.csv',
  'file:///tmp/datasets/data.json',
]) {
  test(`the address of a file stays one: ${address}`, () => {
    assert.equal(seen(address), undefined);
  });
}

test("no address whose path ends with a file's name is taken for a portal's page", () => {
  const words = fc.oneof(
    fc.constantFrom(
      ...[
        'datasets',
        'dataset',
        'maps',
        'documents',
        'explore',
        'd',
        'api',
        'views',
        'rest',
        'home',
      ],
      ...[
        'services',
        'FeatureServer',
        'items',
        'sharing',
        'content',
        'feed',
        'resource',
        'download',
      ],
      ...[ITEM, `${ITEM}_3`, UUID, 'jx86-2vch', 'city::trees', 'item.html', 'data.json', '66', ''],
    ),
    fc.stringMatching(/^[\w.~-]{1,12}$/),
  );
  const hosts = fc.constantFrom(
    'x.hub.arcgis.com',
    'www.arcgis.com',
    'data.city.gov',
    '127.0.0.1:8080',
  );
  const query = fc.constantFrom('', `?id=${ITEM}`, '?format=csv', `#${ITEM}`);
  const path = fc.array(words, { maxLength: 7 }).map((each) => each.join('/'));
  fc.assert(
    fc.property(hosts, path, words, query, (host, folder, name, rest) => {
      const address = `https://${host}/${folder}/${name}.csv${rest}`;
      // Socrata's own address of a table has a thousand records by default, so Longhaul reads it page by page.
      fc.pre(!/^\/resource\/[a-z0-9]{4}-[a-z0-9]{4}\.csv$/.test(new URL(address).pathname));
      assert.equal(seen(address), undefined, address);
    }),
    { numRuns: 2000 },
  );
});

for (const [address, name] of [
  ['https://h.org/arcgis/rest/services/Parks/Trees_P/FeatureServer/325', 'Trees_P'],
  [`https://x.hub.arcgis.com/datasets/${ITEM}_325/explore?location=39,-104`, 'item-db00bd99'],
  ['https://x.hub.arcgis.com/datasets/denver::traffic-accidents/about', 'traffic-accidents'],
  ['https://data.h.gov/Public-Safety/Bike-Counts/jx86-2vch/about_data', 'Bike-Counts'],
  ['https://data.h.gov/d/jx86-2vch', 'jx86-2vch'],
  ['https://data.h.gov/resource/jx86-2vch.json', 'jx86-2vch'],
  ['https://data.h.org/en/dataset/road-works', 'road-works'],
  [`https://data.h.org/datastore/dump/${UUID}?bom=true`, 'resource-5a1c9c0e'],
  ['https://h.org/explore/dataset/arbres@paris/table/', 'arbres@paris'],
  ['https://h.org/data.json#trees', 'trees'],
] as const) {
  test(`a page without a name of a file gives a dataset its name: ${address}`, () => {
    const portal = portalAddressOf(new URL(address));
    assert.equal(portal && nameInPortalAddress(portal), name);
  });
}
