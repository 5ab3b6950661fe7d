import type { Random } from './random.ts';
import { decimal } from './text.ts';

const STREETS = [
  'Glencoe St',
  'Jason St',
  '49th Pl',
  'Marion St',
  'Downing St',
  '22nd Ave',
  'Colorado Blvd',
  'Federal Blvd',
  'Zuni St',
  'Speer Blvd',
  'Colfax Ave',
  'Broadway St',
  'Evans Ave',
  'Leetsdale Dr',
] as const;

const NEIGHBORHOODS = [
  'South Park Hill',
  'College View - South Platte',
  'Stapleton',
  'Country Club',
  'Speer',
  'Five Points',
  'Montbello',
  'Cherry Creek',
  'Union Station',
  'Gateway - Green Valley Ranch',
  'Washington Park West',
  'DIA',
] as const;

export function streetAddress(random: Random): string {
  return `${1 + random.below(9900)} ${random.pick(['N', 'S', 'E', 'W'])} ${random.pick(STREETS)}`;
}

/** A place as the police writes it: a block or a corner in upper case, sometimes with a double blank, or empty. */
export function incidentAddress(random: Random): string {
  const street = `${random.pick(['N', 'S', 'E', 'W'])} ${random.pick(STREETS)}`.toUpperCase();
  const kind = random.below(20);
  if (kind < 2) return '';
  if (kind < 3) return `${1 + random.below(9900)}  ${street}`;
  if (kind < 8) return `${100 * (1 + random.below(99))} BLOCK ${street}`;
  if (kind < 13) return `${street} / ${random.pick(STREETS).toUpperCase()}`;
  return `${1 + random.below(9900)} ${street}`;
}

/** @returns the display name (`Five Points`). */
export function neighborhood(random: Random): string {
  return random.pick(NEIGHBORHOODS);
}

/** `five-points`. */
export function slug(name: string): string {
  return name.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-');
}

export interface Point {
  longitude: string;
  latitude: string;
  x: number;
  y: number;
}

/** A place in Denver, in degrees and in feet of the state's grid. */
export function point(random: Random, fractionDigits: number): Point {
  const limit = 10 ** (fractionDigits - 1);
  return {
    longitude: decimal(-104, 6 * limit + random.below(4 * limit), fractionDigits),
    latitude: decimal(39, 6 * limit + random.below(2 * limit), fractionDigits),
    x: 3_110_000 + random.below(120_000),
    y: 1_640_000 + random.below(110_000),
  };
}
