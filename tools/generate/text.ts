import type { Random } from './random.ts';

/** Windows-1252 codes of the characters outside Latin-1 that the generator uses. */
const WINDOWS_1252: Record<string, number> = { '’': 0x92, '“': 0x93, '”': 0x94, '–': 0x96 };

export const NBSP = '\u00a0';

export function encodeUtf8(text: string): Buffer {
  return Buffer.from(text, 'utf8');
}

export function encodeWindows1252(text: string): Buffer {
  const bytes = Array.from(text, (character) => {
    const code = WINDOWS_1252[character] ?? character.codePointAt(0) ?? 0;
    if (code > 0xff) throw new Error(`${character} is not in the generator's Windows-1252.`);
    return code;
  });
  return Buffer.from(bytes);
}

export interface Moment {
  year: number;
  month: number;
  day: number;
  /** 0 to 86,399. */
  second: number;
}

/** Any second of a year except in its last days, so that later dates are in the same year. */
export function momentIn(year: number, random: Random): Moment {
  const month = 1 + random.below(12);
  return { year, month, day: 1 + random.below(20), second: random.below(86_400) };
}

/** A moment up to eight days later, in the same month. */
export function later(moment: Moment, random: Random): Moment {
  return { ...moment, day: moment.day + random.below(9), second: random.below(86_400) };
}

/** `1/2/2019` or, padded, `01/02/2019`. */
export function usDate({ year, month, day }: Moment, padded: boolean): string {
  return padded ? `${two(month)}/${two(day)}/${year}` : `${month}/${day}/${year}`;
}

/** `1/2/2019 9:05:07 AM` or, padded, `01/02/2019 09:05:07 AM`. */
export function usTimestamp(moment: Moment, padded: boolean): string {
  const { hour, minute, second } = clock(moment);
  const hour12 = hour % 12 === 0 ? 12 : hour % 12;
  const shown = padded ? two(hour12) : String(hour12);
  return `${usDate(moment, padded)} ${shown}:${two(minute)}:${two(second)} ${hour < 12 ? 'AM' : 'PM'}`;
}

/** `2014-01-07 14:19:59`. */
export function isoTimestamp(moment: Moment): string {
  const { hour, minute, second } = clock(moment);
  return `${moment.year}-${two(moment.month)}-${two(moment.day)} ${two(hour)}:${two(minute)}:${two(second)}`;
}

/** A decimal of whole parts, because floating point may differ between machines: (-104, 7155146, 7) → -104.7155146. */
export function decimal(whole: number, fraction: number, digits: number): string {
  return `${whole}.${String(fraction).padStart(digits, '0')}`;
}

function clock({ second }: Moment): { hour: number; minute: number; second: number } {
  return {
    hour: Math.floor(second / 3600),
    minute: Math.floor(second / 60) % 60,
    second: second % 60,
  };
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}
