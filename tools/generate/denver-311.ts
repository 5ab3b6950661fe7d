import { neighborhood, point, streetAddress } from './places.ts';
import { Random } from './random.ts';
import type { FileShape, RecordPart } from './shape.ts';
import { columns, counter, csv, pooled } from './shape.ts';
import {
  encodeUtf8,
  encodeWindows1252,
  later,
  momentIn,
  NBSP,
  usDate,
  usTimestamp,
} from './text.ts';

const COLUMNS = columns(`
  Case Summary, Case Status, Case Source, Case Created Date, Case Created dttm,
  Case Closed Date, Case Closed dttm, First Call Resolution, Customer Zip Code,
  Incident Address 1, Incident Address 2, Incident Intersection 1, Incident Intersection 2,
  Incident Zip Code, Longitude, Latitude, Agency, Division, Major Area, Type, Topic,
  Council District, Police District, Neighborhood
`);

/** Differences between the years' files. */
interface Style {
  year: number;
  era: 'to-2018' | 'hub' | 'quoted';
  quoting: 'needed' | 'all';
  encode: (text: string) => Buffer;
  bom: boolean;
  underscores: boolean;
  objectId: 'first' | 'last' | 'none';
}

/** Requests to the city's 311 centre, in the form of each year's file. */
export function denver311(year: number, seed: number): FileShape {
  const style = styleOf(year);
  const random = new Random(seed, `denver-311/${year}`);
  const header = csv(headerOf(style), style.quoting);
  return {
    preamble: style.encode(`${style.bom ? '\uFEFF' : ''}${header}\r\n`),
    parts: [
      ...(style.objectId === 'first' ? [counter(1, '', ',')] : []),
      ...fieldParts(style, random),
      ...(style.objectId === 'last' ? [counter(1, ',', '\r\n')] : []),
    ],
    endsWithLineEnd: true,
  };
}

function styleOf(year: number): Style {
  const era = year <= 2018 ? 'to-2018' : year <= 2023 ? 'hub' : 'quoted';
  return {
    year,
    era,
    quoting: era === 'quoted' ? 'all' : 'needed',
    encode: era === 'hub' ? encodeUtf8 : encodeWindows1252,
    bom: era === 'hub',
    underscores: year === 2020 || year === 2022,
    objectId: year === 2020 ? 'first' : year === 2023 ? 'last' : 'none',
  };
}

function headerOf({ underscores, objectId }: Style): string[] {
  const names = COLUMNS.map((name) => (underscores ? name.replaceAll(' ', '_') : name));
  if (objectId === 'first') return ['OBJECTID', ...names];
  return objectId === 'last' ? [...names, 'ObjectId'] : names;
}

function fieldParts(style: Style, random: Random): RecordPart[] {
  const fields = (values: readonly string[], end: string): string =>
    csv(values, style.quoting) + end;
  const lineEnd = style.objectId === 'last' ? '' : '\r\n';
  return [
    pooled(
      random,
      style.encode,
      (each) => fields(caseFields(each, summary(each), style), ','),
      oddSummaries(style).map((text) => fields(caseFields(random, text, style), ',')),
    ),
    pooled(random, style.encode, (each) => fields(dateFields(each, style), ',')),
    pooled(random, style.encode, (each) => fields(whereFields(each, style), ',')),
    pooled(random, style.encode, (each) => fields(areaFields(each, style), lineEnd)),
  ];
}

function caseFields(random: Random, summaryText: string, { era }: Style): string[] {
  const status = random.pick([
    'Closed - Other',
    'Closed - Answer Provided',
    'Closed - Transfered to External Agency',
    era === 'to-2018' ? 'Closed - Duplicate' : 'Closed - Duplicate Case',
    'Spam',
    'New',
  ]);
  return [summaryText, status, random.pick(['Phone', 'PocketGov', 'Email', 'Walk In'])];
}

function summary(random: Random): string {
  if (random.chance(1, 9)) {
    return random.pick([
      'Request new ballot, emergency ballots,',
      'Recycling Cart- replacement for stolen, or reporting damaged, broken.',
      'Trash, missed pickup, alley behind the house',
    ]);
  }
  const subject = random.pick([
    'Drivers License/State ID',
    'Residential Composting Collection Program',
    'Illegal Parking',
    'Pothole needs repair',
    'Information about occupational privilege tax (OPT).',
    ' Information',
    'Recorded plat/condo map',
    'Graffiti removal; private property',
  ]);
  return random.chance(1, 4) ? `${subject} ${1 + random.below(9999)}` : subject;
}

/** Rare values of each year. The 2015 file has no quoted line breaks, but some text that was garbled twice. */
function oddSummaries({ era }: Style): string[] {
  const padded = `${NBSP}Noise complaint${NBSP} `;
  if (era === 'to-2018') {
    return ['NeighborÆs tree', 'Sign says ôNo Parkingö', 'Hours 8û5', 'Trashápickup', padded];
  }
  return [
    'Caller says:\n- cart is broken\n- and the lid, too',
    'Neighbor’s tree – over the fence',
    'The “blue” cart, marked "A"',
    padded,
    'Line one\n\nline three',
  ];
}

/** 2019 has both styles in one row: the created date is unpadded, the closed date is padded. */
function dateFields(random: Random, { year, era }: Style): string[] {
  const created = momentIn(year, random);
  const createdPadded = era === 'to-2018';
  const head = [usDate(created, createdPadded), usTimestamp(created, createdPadded)];
  if (random.chance(3, 100)) return [...head, '', ''];
  const closed = later(created, random);
  const closedPadded = year <= 2019;
  const endOfDay = { ...closed, second: 86_399 };
  return [
    ...head,
    usDate(closed, closedPadded),
    usTimestamp(era === 'to-2018' ? endOfDay : closed, closedPadded),
  ];
}

function whereFields(random: Random, { era }: Style): string[] {
  const resolved = random.chance(era === 'to-2018' ? 45 : 99, 100) ? 'Y' : 'N';
  if (random.chance(1, 3)) return [resolved, customerZip(random), '', '', '', '', ''];
  const atCorner = random.chance(1, 20);
  return [
    random.chance(1, 40) ? '' : resolved,
    customerZip(random),
    random.chance(1, 1000) ? 'NA' : streetAddress(random),
    random.chance(1, 30) ? `Apt ${1 + random.below(40)}` : '',
    atCorner ? 'E Colfax Ave' : '',
    atCorner ? 'N Broadway' : '',
    `${zip(random)}-${1000 + random.below(9000)}`,
  ];
}

function customerZip(random: Random): string {
  const kind = random.below(100);
  if (kind < 9) return '';
  if (kind < 25) return '99999';
  if (kind < 38) return `${zip(random)}-${1000 + random.below(9000)}`;
  if (kind < 40) {
    return random.pick(['8', '.', 'x', '0', '00000', 'unknown', '99999.', '99999+', '8020O']);
  }
  return zip(random);
}

function zip(random: Random): string {
  return `802${String(1 + random.below(64)).padStart(2, '0')}`;
}

function areaFields(random: Random, style: Style): string[] {
  const [longitude, latitude] = coordinates(random, style);
  const old = style.era === 'to-2018';
  const area = random.chance(2, 3);
  return [
    longitude,
    latitude,
    random.pick([
      'Finance',
      'Public Works',
      '311',
      'Community Planning & Development',
      agency(old),
    ]),
    '',
    '',
    old ? random.pick(['Inquiry', 'Inquiry', 'Complaint', 'Request', 'Inqury', '']) : '',
    '',
    area ? String(1 + random.below(11)) : '',
    area ? String(1 + random.below(6)) : '',
    old && area ? neighborhood(random) : '',
  ];
}

function agency(old: boolean): string {
  return old ? 'Environmental Health' : 'Public Health & Environment';
}

/** Whole numbers until 2018. Later decimals, 0 for unknown places, and sometimes the same number twice. */
function coordinates(random: Random, { era }: Style): [string, string] {
  if (random.chance(1, 4)) return ['', ''];
  if (era === 'to-2018') return random.chance(1, 200) ? ['0', '0'] : ['-105', '40'];
  const { longitude, latitude } = point(random, 8);
  if (random.chance(1, 20)) return [longitude, longitude];
  return random.chance(1, 50) ? ['0', '0'] : [longitude, latitude];
}
