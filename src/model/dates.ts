import { LonghaulError } from './errors.ts';
import type { DatasetSpec, SourceSpec } from './dataset.ts';
import type { RunMode } from './run.ts';

/** An existing calendar day, `YYYY-MM-DD`. */
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

/** Days begin here first, 14 hours before UTC. It serves checks that do not know the dataset's time zone. */
export const FIRST_TIME_ZONE = 'Pacific/Kiritimati';

/** The day at `instant` in an IANA time zone. For a scheduled run, `instant` is its nominal time, not its start. */
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

/** Placeholders of the ingest date in an address: `{date}` is 2026-11-25, `{yyyy}/{mm}/{dd}` its parts. */
export const DATE_PLACEHOLDERS = ['date', 'yyyy', 'mm', 'dd'] as const;

const PLACEHOLDER = /\{(date|yyyy|mm|dd)\}/g;

/** True if the address names another file each day, so that a run can load a past day later. */
export function isDated({ address }: Pick<SourceSpec, 'address'>): boolean {
  return new RegExp(PLACEHOLDER.source).test(address);
}

export function datedAddress(address: string, ingestDate: string): string {
  const [yyyy = '', mm = '', dd = ''] = ingestDate.split('-');
  const values: Record<string, string> = { date: ingestDate, yyyy, mm, dd };
  return address.replaceAll(PLACEHOLDER, (whole, name: string) => values[name] ?? whole);
}

/** Matches a text with date placeholders as it is on any day. */
export function datedPattern(template: string): RegExp {
  const literal = (text: string): string => text.replaceAll(/[$()*+.?[\\\]^{|}]/g, '\\$&');
  const pieces = template.split(PLACEHOLDER);
  const source = pieces.map((piece, index) => (index % 2 ? DIGITS[piece] : literal(piece)));
  return new RegExp(`^${source.join('')}$`, 's');
}

const DIGITS: Record<string, string> = {
  date: String.raw`\d{4}-\d{2}-\d{2}`,
  yyyy: String.raw`\d{4}`,
  mm: String.raw`\d{2}`,
  dd: String.raw`\d{2}`,
};

/** The dataset on one day: its addresses have no date placeholders left. */
export function datedDataset(dataset: DatasetSpec, ingestDate: string): DatasetSpec {
  if (!dataset.sources.some(isDated)) return dataset;
  const sources = dataset.sources.map((source) => ({
    ...source,
    address: datedAddress(source.address, ingestDate),
  }));
  return { ...dataset, sources };
}

/** Ids of the sources that have only today's version. */
export function undatedSources({ sources }: DatasetSpec): string[] {
  return sources.filter((source) => !isDated(source)).map(({ id }) => id);
}

/**
 * If a run starts later than this after its day, or after its nominal time and the catch-up, its day is past. A shorter
 * delay comes from jitter, a busy server, or a command just before midnight.
 */
const TOO_OLD_SLACK_MS = 3_600_000;
/** The clocks of a command, of Temporal and of a worker should not differ by more. */
const CLOCK_SKEW_MS = 5 * 60_000;

/** True if a scheduled run starts too late to use a source that has only today's version. */
export function isTooOld(nominal: Date, startedAt: Date, catchupMs: number): boolean {
  return startedAt.getTime() - nominal.getTime() > catchupMs + TOO_OLD_SLACK_MS;
}

/** True if the day was over when the run started. */
export function isPastDay(
  { timeZone }: Pick<DatasetSpec, 'timeZone'>,
  ingestDate: string,
  startedAt: Date,
): boolean {
  return ingestDate < ingestDateAt(new Date(startedAt.getTime() - TOO_OLD_SLACK_MS), timeZone);
}

/** @throws LonghaulError BACKFILL_REFUSED if the run would store today's version under a past day without `asIf`. */
export function assertVersionOfDay(
  run: { dataset: DatasetSpec; ingestDate: string; mode: RunMode; asIf?: boolean },
  startedAt: Date,
): void {
  const { dataset, ingestDate, mode, asIf } = run;
  // A conversion reads the files that a run landed for that day, and sends no request to the publisher.
  if (asIf || mode === 'convert' || !isPastDay(dataset, ingestDate, startedAt)) return;
  assertHasPastDays(dataset, ingestDate);
}

/** @throws LonghaulError DATE_IN_FUTURE for a day that has not begun in the dataset's time zone. */
export function assertDayHasCome(
  { timeZone }: Pick<DatasetSpec, 'timeZone'>,
  ingestDate: string,
  now: Date,
): void {
  if (ingestDate <= ingestDateAt(new Date(now.getTime() + CLOCK_SKEW_MS), timeZone)) return;
  const today = ingestDateAt(now, timeZone);
  throw new LonghaulError(
    'DATE_IN_FUTURE',
    `${ingestDate} is still to come: in ${timeZone} it is ${today}.`,
  );
}

/** @throws LonghaulError BACKFILL_REFUSED unless every source has an address for each day. */
export function assertHasPastDays(dataset: DatasetSpec, ingestDate: string): void {
  const undated = undatedSources(dataset);
  if (undated.length === 0) return;
  const which =
    undated.length === 1 ? `source ${undated[0]} has` : `sources ${undated.join(', ')} have`;
  throw new LonghaulError(
    'BACKFILL_REFUSED',
    `Of ${dataset.name}, the ${which} today's version only: it would be stored as what was there on ${ingestDate}.`,
  );
}
