import { DATE_FORMATS, TIMESTAMP_FORMATS } from '../../src/model/schema.ts';
import type { Column } from '../../src/model/schema.ts';

/** The type rules of docs/fidelity.md a second time, written for clarity. They read texts instead of bytes. */
export function referenceType(
  values: readonly string[],
): Pick<Column, 'type' | 'format' | 'empty' | 'beyondDouble'> {
  const present = values.filter((value) => value !== '');
  if (present.length === 0) return { type: 'VARCHAR', empty: true };
  if (present.every(isBigint)) {
    const beyond = present.some((value) => Math.abs(Number(value)) > 2 ** 53 || isOneOver(value));
    return beyond ? { type: 'BIGINT', beyondDouble: true } : { type: 'BIGINT' };
  }
  if (present.every(isDouble)) return { type: 'DOUBLE' };
  for (const [type, formats] of [
    ['DATE', DATE_FORMATS],
    ['TIMESTAMP', TIMESTAMP_FORMATS],
  ] as const) {
    const format = formats.find((each) => present.every((value) => isMoment(value, each)));
    if (format !== undefined) return { type, format };
  }
  return { type: 'VARCHAR' };
}

function isOneOver(value: string): boolean {
  return BigInt(value) > 2n ** 53n || BigInt(value) < -(2n ** 53n);
}

function isBigint(value: string): boolean {
  return /^-?(0|[1-9]\d{0,17})$/.test(value) && value !== '-0';
}

function isDouble(value: string): boolean {
  if (!/^-?(0|[1-9]\d*)(\.\d+)?$/.test(value) || /^-0(\.0+)?$/.test(value)) return false;
  if (!value.includes('.') && !isBigint(value)) return false;
  const trimmed = value.includes('.') ? value.replace(/0+$/, '').replace(/\.$/, '') : value;
  return plain(Number(value)) === trimmed;
}

/** Writes the number without an exponent: it moves the point within the shortest digits. */
function plain(value: number): string {
  const [mantissa = '', exponent = '0'] = String(value).split('e');
  if (exponent === '0') return mantissa;
  const sign = mantissa.startsWith('-') ? '-' : '';
  const [whole = '', fraction = ''] = mantissa.replace('-', '').split('.');
  const shift = Number(exponent);
  return shift > 0
    ? sign + whole + fraction.padEnd(shift, '0')
    : `${sign}0.${'0'.repeat(-shift - 1)}${whole}${fraction}`;
}

const PARTS: Record<string, string> = {
  '%Y': '(?<Y>\\d{4})',
  '%m': '(?<m>\\d{1,2})',
  '%d': '(?<d>\\d{1,2})',
  '%H': '(?<H>\\d{1,2})',
  '%I': '(?<I>\\d{1,2})',
  '%M': '(?<M>[0-5]\\d)',
  '%S': '(?<S>[0-5]\\d)',
  '%f': '(\\.\\d{1,6})?',
  '%p': '(AM|PM)',
  '.': '\\.',
};

function isMoment(value: string, format: string): boolean {
  const pattern = format.replaceAll(/%.|\./g, (part) => PARTS[part] ?? part);
  const found = new RegExp(`^${pattern}$`).exec(value)?.groups;
  if (!found) return false;
  const iso = `${found['Y']}-${found['m']?.padStart(2, '0')}-${found['d']?.padStart(2, '0')}`;
  const date = new Date(`${iso}T00:00:00Z`);
  if (Number.isNaN(date.getTime()) || date.toISOString().slice(0, 10) !== iso) return false;
  if (found['Y'] === '0000' || Number(found['H'] ?? 0) > 23) return false;
  const half = Number(found['I'] ?? 1);
  return half >= 1 && half <= 12;
}
