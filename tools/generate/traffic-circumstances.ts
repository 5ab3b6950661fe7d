import { point } from './places.ts';
import type { Random } from './random.ts';
import type { RecordPart } from './shape.ts';

type MakePart = (make: (random: Random) => readonly string[], end: string) => RecordPart;

const HARMFUL_EVENTS = [
  'Front to Rear',
  'Front to Side',
  'Parked Motor Vehicle',
  'Pedestrian',
] as const;
const DIRECTIONS = ['North', 'South', 'East', 'West'] as const;
const VEHICLES = ['Passenger Car/Van', 'SUV', 'Pickup Truck/Utility Van', 'Bicycle'] as const;
const MOVEMENTS = ['Going Straight', 'Making Left Turn', 'Slowing', 'Stopped in Traffic'] as const;
const ACTIONS = ['Careless Driving', 'Following Too Closely', 'Improper Backing', 'Other'] as const;
const FACTORS = [
  'No Apparent',
  'Aggressive Driving',
  'DUI, DWAI, DUID',
  'Driver Inexperience',
] as const;

/** The details of an accident in files of 45 columns and more: event and road, two vehicles, injured persons. */
export function circumstances(from: MakePart, year: number, withPoint: boolean): RecordPart[] {
  const vehicle = (random: Random): string[] => vehicleFields(random, year);
  return [
    from((random) => roadFields(random, year), ','),
    from(vehicle, ','),
    from(vehicle, ','),
    from((random) => injuryFields(random, year, withPoint), '\r\n'),
  ];
}

function roadFields(random: Random, year: number): string[] {
  return [
    text(random.pick(HARMFUL_EVENTS), year),
    absent(random, year),
    absent(random, year),
    text(random.pick(['On Roadway', 'Ran off right side', 'Intersection Related']), year),
    text(random.pick(['At Intersection', 'Driveway Access Related', 'Non-Intersection']), year),
    text(random.pick(['Straight On-Level', 'Curve On-Grade']), year),
    text(random.pick(['Dry', 'Wet', 'Snowy', 'Icy']), year),
    text(random.pick(['Daylight', 'Dark-Lighted', 'Dawn or Dusk']), year),
  ];
}

function vehicleFields(random: Random, year: number): string[] {
  return [
    text(random.pick(VEHICLES), year),
    text(random.pick(DIRECTIONS), year),
    text(random.pick(MOVEMENTS), year),
    random.chance(1, 300)
      ? random.pick(['0', '00', ' 00', '021', '--', 'Na'])
      : text(random.pick(ACTIONS), year),
    text(random.pick(FACTORS), year),
    absent(random, year),
  ];
}

function injuryFields(random: Random, year: number, withPoint: boolean): string[] {
  const injured = random.chance(1, 30);
  const { longitude, latitude } = point(random, 8);
  return [
    injured ? '1' : '0',
    random.chance(1, 200) ? '1' : '0',
    absent(random, year),
    absent(random, year),
    injured ? text('Passenger Car/Van', year) : absent(random, year),
    absent(random, year),
    ...(withPoint ? [longitude, latitude] : []),
  ];
}

/** Upper case before 2021, title case from 2021 on. */
function text(value: string, year: number): string {
  return year < 2021 ? value.toUpperCase() : value;
}

/** Before 2021, an absent value is empty or blanks. From 2021 on, it is always empty. */
function absent(random: Random, year: number): string {
  return year < 2021 ? random.pick(['', ' ', '  ']) : '';
}
