import { incidentIds } from './ids.ts';
import { incidentAddress, neighborhood, point, slug } from './places.ts';
import { Random } from './random.ts';
import type { FileShape } from './shape.ts';
import { columns, counter, csv, pooled } from './shape.ts';
import { encodeUtf8, later, momentIn, usTimestamp } from './text.ts';

const COLUMNS = columns(`
  INCIDENT_ID, OFFENSE_ID, OFFENSE_CODE, OFFENSE_CODE_EXTENSION, OFFENSE_TYPE_ID,
  OFFENSE_CATEGORY_ID, FIRST_OCCURRENCE_DATE, LAST_OCCURRENCE_DATE, REPORTED_DATE,
  INCIDENT_ADDRESS, GEO_X, GEO_Y, GEO_LON, GEO_LAT, DISTRICT_ID, PRECINCT_ID,
  NEIGHBORHOOD_ID, IS_CRIME, IS_TRAFFIC
`);

const OFFENSES = [
  ['5213', '0', 'weapon-unlawful-discharge-of', 'all-other-crimes'],
  ['2399', '0', 'theft-other', 'larceny'],
  ['2305', '0', 'theft-items-from-vehicle', 'theft-from-motor-vehicle'],
  ['2303', '0', 'theft-shoplift', 'larceny'],
  ['5707', '0', 'criminal-trespassing', 'all-other-crimes'],
  ['5401', '1', 'traffic-accident-hit-and-run', 'traffic-accident'],
] as const;

/** Reported offenses with every field quoted. Since 2026 they have an object id first and a victim count last. */
export function denverCrime(year: number, seed: number): FileShape {
  const random = new Random(seed, `denver-crime/${year}`);
  const serviceExport = year >= 2026;
  const names = serviceExport ? ['OBJECTID', ...COLUMNS, 'VICTIM_COUNT'] : COLUMNS;
  return {
    preamble: encodeUtf8(`${csv(names, 'all')}\r\n`),
    parts: [
      ...(serviceExport ? [counter(1, '"', '",')] : []),
      incidentIds({ year, open: '"', between: '","' }),
      pooled(random, encodeUtf8, offense),
      pooled(random, encodeUtf8, (each) => `${csv(dates(each, year), 'all')},`),
      pooled(random, encodeUtf8, (each) => `${csv(place(each, serviceExport), 'all')}\r\n`),
    ],
    endsWithLineEnd: true,
  };
}

/** The rest of OFFENSE_ID comes first. Its quote is open already. */
function offense(random: Random): string {
  const [code, extension, type, category] = random.pick(OFFENSES);
  return `${code}${extension.padStart(2, '0')}",${csv([code, extension, type, category], 'all')},`;
}

function dates(random: Random, year: number): string[] {
  const first = momentIn(year, random);
  const reported = later(first, random);
  return [
    usTimestamp(first, false),
    random.chance(69, 100) ? '' : usTimestamp(reported, false),
    usTimestamp(reported, false),
  ];
}

function place(random: Random, victims: boolean): string[] {
  const { x, y, longitude, latitude } = point(random, 7);
  const located = random.chance(99, 100);
  const district = 1 + random.below(7);
  const traffic = random.chance(1, 4);
  return [
    incidentAddress(random),
    ...(located ? [String(x), String(y), longitude, latitude] : ['', '', '', '']),
    String(district),
    `${district}${1 + random.below(3)}${1 + random.below(4)}`,
    slug(neighborhood(random)),
    traffic ? '0' : '1',
    traffic ? '1' : '0',
    ...(victims ? ['1'] : []),
  ];
}
