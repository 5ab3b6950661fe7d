import type { DatasetSpec, SourceSpec } from './dataset.ts';

/** Placeholders of the ingest date in an address: `{date}` is 2026-11-25, `{yyyy}/{mm}/{dd}` its parts. */
export const DATE_PLACEHOLDERS = ['date', 'yyyy', 'mm', 'dd'] as const;

const PLACEHOLDER = /\{(date|yyyy|mm|dd)\}/g;

/** The address has a day's own file: a past day can be loaded later. */
export function isDated({ address }: Pick<SourceSpec, 'address'>): boolean {
  return new RegExp(PLACEHOLDER.source).test(address);
}

export function datedAddress(address: string, ingestDate: string): string {
  const [yyyy = '', mm = '', dd = ''] = ingestDate.split('-');
  const values: Record<string, string> = { date: ingestDate, yyyy, mm, dd };
  return address.replaceAll(PLACEHOLDER, (whole, name: string) => values[name] ?? whole);
}

/** What a text with such placeholders is on any day. */
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

/** The dataset as it is on a day: every address is one that can be read. */
export function datedDataset(dataset: DatasetSpec, ingestDate: string): DatasetSpec {
  if (!dataset.sources.some(isDated)) return dataset;
  const sources = dataset.sources.map((source) => ({
    ...source,
    address: datedAddress(source.address, ingestDate),
  }));
  return { ...dataset, sources };
}

/** Ids of the sources that have today's version only. */
export function undatedSources({ sources }: DatasetSpec): string[] {
  return sources.filter((source) => !isDated(source)).map(({ id }) => id);
}
