import { incidentIds } from './ids.ts';
import { incidentAddress, neighborhood, point, slug } from './places.ts';
import { Random } from './random.ts';
import type { FileShape, RecordPart } from './shape.ts';
import { counter, csv, pooled } from './shape.ts';
import { isoTimestamp, encodeUtf8, later, momentIn } from './text.ts';
import type { AccidentColumns } from './traffic-columns.ts';
import { accidentColumns } from './traffic-columns.ts';
import { circumstances } from './traffic-circumstances.ts';

const OFFENSES = [
  ['5441', '0', 'traffic-accident', 'TRAF - ACCIDENT'],
  ['5401', '0', 'traffic-accident-hit-and-run', 'TRAF - HIT & RUN'],
  ['5420', '0', 'traffic-accident-dui-duid', 'TRAF - ACCIDENT - DUI/DUID'],
  ['5441', '1', 'traffic-accident', 'TRAF - ACCIDENT - SBI'],
] as const;

/** Blanks fill the offense of the later files up to this width. */
const OFFENSE_WIDTH = 30;

/** Traffic accidents. The files of later years have more columns: 17, 19, 45, 48, then 47. */
export function denverTrafficAccidents(year: number, seed: number): FileShape {
  const set = accidentColumns(year);
  const random = new Random(seed, `denver-traffic-accidents/${year}`);
  const from = (make: (random: Random) => readonly string[], end: string): RecordPart =>
    pooled(random, encodeUtf8, (each) => csv(make(each), 'needed') + end);
  const old = set.count <= 19;
  return {
    preamble: encodeUtf8(`${set.names.join(',')}\r\n`),
    parts: [
      ...leadingParts(set, random),
      incidentIds({ year, open: '', between: set.count === 17 ? '.0,' : ',' }),
      pooled(random, encodeUtf8, (each) => `${offense(each, old)},`),
      from((each) => dates(each, year), ','),
      from((each) => place(each, year, set), old ? '\r\n' : ','),
      ...(old ? [] : circumstances(from, year, set.count >= 47)),
    ],
    // The 2014 file was saved by a spreadsheet once, so its last record has no line end.
    endsWithLineEnd: set.count !== 17,
  };
}

function leadingParts({ count }: AccidentColumns, random: Random): RecordPart[] {
  if (count <= 19) return [];
  if (count !== 48) return [counter(1, '', ',')];
  const shape = (each: Random): string =>
    `<geoprocessing describe geometry object object at 0x${each.next().toString(16).padStart(16, '0')}>,`;
  return [pooled(random, encodeUtf8, shape), counter(1, '', ',')];
}

/** The rest of OFFENSE_ID, then the offense's own columns. */
function offense(random: Random, old: boolean): string {
  const [code, extension, type, title] = random.pick(OFFENSES);
  const own = old ? [code, extension, type, 'traffic-accident'] : [code, extension, pad(title)];
  return `${code}${extension.padStart(2, '0')},${csv(own, 'needed')}`;
}

function pad(title: string): string {
  return title.padEnd(OFFENSE_WIDTH, ' ');
}

function dates(random: Random, year: number): string[] {
  const first = momentIn(year, random);
  const reported = later(first, random);
  const last = random.chance(9, 10) ? '' : isoTimestamp(reported);
  return [fraction(random, isoTimestamp(first), year), last, isoTimestamp(reported)];
}

/** Since 2023, some timestamps have microseconds. Most have none. */
function fraction(random: Random, timestamp: string, year: number): string {
  return year >= 2023 && random.chance(1, 5) ? `${timestamp}.000001` : timestamp;
}

function place(random: Random, year: number, { count }: AccidentColumns): string[] {
  const { x, y, longitude, latitude } = point(random, 7);
  const district = 1 + random.below(7);
  const junk = random.chance(1, 200);
  const feet = count === 17 ? '.0' : '';
  const located = random.chance(97, 100);
  const name = neighborhood(random);
  return [
    incidentAddress(random),
    ...(located ? [`${x}${feet}`, `${y}${feet}`, longitude, latitude] : ['', '', '', '']),
    junk && count > 17 ? random.pick(['UI', 'G ', 'J ', 'U', '10']) : String(district),
    `${district}${1 + random.below(3)}${1 + random.below(4)}`,
    year <= 2018 ? slug(name) : name,
    ...(count > 17 ? [flag(random, 40), flag(random, 50)] : []),
  ];
}

function flag(random: Random, oneIn: number): string {
  return random.chance(1, oneIn) ? '1' : '0';
}
