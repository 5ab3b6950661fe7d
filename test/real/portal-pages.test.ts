import { after, before, describe, it } from 'node:test';
import { startOrigin, type Origin } from '../helpers/origin.ts';
import {
  assertGoesOn,
  assertSameAfterKills,
  assertSameFromAnyByte,
  type SlowPortal,
} from '../helpers/portals/killed-pages.ts';
import { datastoreOf, serveCkan } from '../helpers/portals/ckan.ts';
import { serveSocrata, socrataOf } from '../helpers/portals/socrata.ts';

/** The CSV is larger than 1 MiB, because Longhaul resumes no smaller landing. */
const RECORDS = 6000;
const NAMES = ['id', 'text', 'note'];
const rows = Array.from({ length: RECORDS }, (_, row) => [
  String(row),
  `${'é, "text" '.repeat(30)}${row}`,
  row % 3 === 0 ? null : row % 3 === 1 ? '' : ' \n',
]);

let origin: Origin;
before(async () => {
  origin = await startOrigin({});
});
after(async () => await origin.close());

function socrata(): SlowPortal {
  const table = socrataOf(NAMES, rows);
  return {
    address: serveSocrata(origin, 'aaaa-0001', table),
    setCap: (records) => {
      table.cap = records;
    },
    onPage: (act) => {
      table.beforePage = () => {
        act?.();
        return undefined;
      };
    },
  };
}

function ckan(): SlowPortal {
  const table = datastoreOf(rows, NAMES);
  return {
    address: serveCkan(origin, table),
    setCap: (records) => {
      table.cap = records;
    },
    onPage: (act) => {
      table.beforePage = () => {
        act?.();
        return undefined;
      };
    },
  };
}

describe('any sizes of pages and any ends of attempts give the same bytes', () => {
  for (const [name, portal] of Object.entries({ Socrata: socrata, 'a CKAN': ckan })) {
    it(`of ${name}, which is not asked again for what arrived`, async () =>
      await assertGoesOn(portal(), RECORDS));
    it(`of ${name}, landed`, async () => await assertSameAfterKills(portal(), RECORDS));
    it(`of ${name}, from any byte`, async () => await assertSameFromAnyByte(portal(), RECORDS));
  }
});
