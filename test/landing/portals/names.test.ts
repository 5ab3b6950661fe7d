import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nameInPortalAddress, portalAddressOf } from '../../../src/landing/portals/recognise.ts';

const ITEM = 'db00bd99ea534d8987e0913a191ebe19';
const UUID = '5a1c9c0e-0d4b-4b52-8a3a-0b8f4c2b6a11';

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
