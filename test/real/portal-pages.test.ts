import { describe, it } from 'node:test';
import { originOfFile } from '../helpers/origin.ts';
import {
  assertGoesOn,
  assertSameAfterKills,
  assertSameFromAnyByte,
  type SlowPortal,
} from '../helpers/portals/killed-pages.ts';
import { datastoreOf, serveCkan, type FakeCkan } from '../helpers/portals/ckan.ts';
import { serveSocrata, socrataOf, type FakeSocrata } from '../helpers/portals/socrata.ts';

/** The CSV is larger than 1 MiB, because Longhaul resumes no smaller landing. */
const RECORDS = 6000;
const NAMES = ['id', 'text', 'note'];
const rows = Array.from({ length: RECORDS }, (_, row) => [
  String(row),
  `${'é, "text" '.repeat(30)}${row}`,
  row % 3 === 0 ? null : row % 3 === 1 ? '' : ' \n',
]);

const origin = originOfFile();

function slow(address: string, table: FakeSocrata | FakeCkan): SlowPortal {
  return {
    address,
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

function socrata(): SlowPortal {
  const table = socrataOf(NAMES, rows);
  return slow(serveSocrata(origin, 'aaaa-0001', table), table);
}

function ckan(): SlowPortal {
  const table = datastoreOf(rows, NAMES);
  return slow(serveCkan(origin, table), table);
}

describe('any sizes of pages and any ends of attempts give the same bytes', () => {
  for (const [name, portal] of Object.entries({ Socrata: socrata, 'a CKAN': ckan })) {
    it(`of ${name}, which is not asked again for what arrived`, async () =>
      await assertGoesOn(portal(), RECORDS));
    it(`of ${name}, landed`, async () => await assertSameAfterKills(portal(), RECORDS));
    it(`of ${name}, from any byte`, async () => await assertSameFromAnyByte(portal(), RECORDS));
  }
});
