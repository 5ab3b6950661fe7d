import { LonghaulError } from './errors.ts';

/** A calendar day, `YYYY-MM-DD`, that exists. */
export type IngestDate = string & { readonly __brand: 'IngestDate' };

const DATE_FORM = /^(\d{4})-(\d{2})-(\d{2})$/;

/** @throws LonghaulError NAME_INVALID for anything but an existing day (`../..`, `2026-02-30`). */
export function parseIngestDate(text: string): IngestDate {
  const match = DATE_FORM.exec(text);
  const day = match ? new Date(`${text}T00:00:00Z`) : undefined;
  if (!day || Number.isNaN(day.getTime()) || day.toISOString().slice(0, 10) !== text) {
    throw new LonghaulError('NAME_INVALID', `${JSON.stringify(text)} is not a date YYYY-MM-DD.`);
  }
  return text as IngestDate;
}

/** Where days begin first, 14 hours before UTC: for a day of a lake, which does not say its datasets' time zones. */
export const FIRST_TIME_ZONE = 'Pacific/Kiritimati';

/** The day that it is at `instant` in an IANA time zone: a scheduled run's nominal time decides, not the clock. */
export function ingestDateAt(instant: Date, timeZone: string): IngestDate {
  const parts = new Intl.DateTimeFormat('en-US', {
    timeZone,
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
  }).formatToParts(instant);
  const part = (type: string): string => parts.find((each) => each.type === type)?.value ?? '';
  return parseIngestDate(`${part('year').padStart(4, '0')}-${part('month')}-${part('day')}`);
}
