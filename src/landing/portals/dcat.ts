import { LonghaulError } from '../../model/errors.ts';
import { printable } from '../../model/names.ts';
import { fieldOf, isoTimeOf, lineOf, listOf, textOf } from './json.ts';
import { isCsv, type Choice, type Portal, type Several } from './portal.ts';
import { shownOf, type PortalClient } from './portal-client.ts';
import { portalAddressOf, type AddressOf } from './recognise.ts';

type Address = AddressOf<'dcat'>;

/** A catalogue describes all data sets of a portal in full. The largest have tens of thousands of data sets. */
const MAX_CATALOGUE_BYTES = 64 * 1024 * 1024;

/** A catalogue of DCAT-US (Project Open Data). It holds no data, but addresses of data. */
export const dcat: Portal<Address> = async (address, client) => {
  const entries = await entriesOf(address, client);
  const [entry, ...others] = wantedOf(entries, address);
  if (!entry || others.length > 0) return unclear(entries, address);
  const target = targetOf(entry, address);
  if ('choices' in target) return target;
  const { json, title } = entry;
  return {
    leadsTo: target,
    describe: async () => ({
      kind: 'dcat',
      service: target.href,
      reads: 'file',
      title,
      licence: lineOf(json, 'license'),
      publisher: lineOf(fieldOf(json, 'publisher'), 'name'),
      changedAt: isoTimeOf(Date.parse(textOf(json, 'modified') ?? '')),
    }),
  };
};

interface Entry {
  json: unknown;
  identifier: string | undefined;
  title: string;
  /** The title in the form for an address: `bike-counts-2024`. */
  slug: string;
}

async function entriesOf({ catalogue }: Address, client: PortalClient): Promise<Entry[]> {
  const json = await client.metadata(catalogue, { maxBytes: MAX_CATALOGUE_BYTES });
  const entries = listOf(json, 'dataset').map((each): Entry => {
    const title = lineOf(each, 'title') ?? '';
    return { json: each, identifier: textOf(each, 'identifier'), title, slug: slugOf(title) };
  });
  if (entries.length > 0) return entries;
  const what = `${shownOf(catalogue)} is no catalogue of DCAT-US: it has no list "dataset".`;
  throw new LonghaulError('PORTAL_UNUSABLE', what);
}

function slugOf(title: string): string {
  const plain = title.normalize('NFKD').replaceAll(/\p{M}/gu, '').toLowerCase();
  return plain.replaceAll(/[^\p{L}\p{N}]+/gu, '-').replaceAll(/^-|-$/g, '');
}

/** Selects by the identifier, else by the title. A catalogue of a single data set needs neither. */
function wantedOf(entries: readonly Entry[], { id }: Address): Entry[] {
  if (id === undefined) return entries.length === 1 ? [...entries] : [];
  const identified = entries.filter(({ identifier }) => identifier === id);
  return identified.length > 0 ? identified : entries.filter(({ slug }) => slug === id);
}

function unclear(entries: readonly Entry[], { catalogue, id }: Address): Several {
  const asked =
    id === undefined
      ? ''
      : ` and ${JSON.stringify(printable(id.slice(0, 100)))} is not one of them`;
  const times = new Map<string, number>();
  for (const { slug } of entries) times.set(slug, (times.get(slug) ?? 0) + 1);
  const choices = entries.map(({ slug, identifier = slug, title }): Choice => {
    const name = slug !== '' && times.get(slug) === 1 ? slug : identifier;
    return { address: `${catalogue.href}#${encodeURIComponent(name)}`, title };
  });
  return { what: `${shownOf(catalogue)} has ${entries.length} data sets${asked}`, choices };
}

/**
 * Returns the entry's CSV file, else the portal page or service that it names. @throws LonghaulError PORTAL_UNUSABLE.
 */
function targetOf({ json, title }: Entry, { catalogue }: Address): URL | Several {
  const distributions = listOf(json, 'distribution');
  const at = (each: unknown, name: string): URL[] => {
    const text = textOf(each, name) ?? '';
    return text !== '' && URL.canParse(text, catalogue.href) ? [new URL(text, catalogue)] : [];
  };
  const csv = distributions.filter((each) =>
    isCsv(textOf(each, 'mediaType') ?? textOf(each, 'format'), textOf(each, 'downloadURL')),
  );
  const files = distinct(csv.flatMap((each) => at(each, 'downloadURL')));
  const pages = [...distributions, json]
    .flatMap((each) => [
      ...at(each, 'accessURL'),
      ...at(each, 'downloadURL'),
      ...at(each, 'landingPage'),
    ])
    .filter((url) => portalAddressOf(url) && url.href !== catalogue.href);
  const others = distinct(csv.flatMap((each) => at(each, 'accessURL')));
  const found = files.length > 0 ? files : pages.length > 0 ? pages.slice(0, 1) : others;
  const [first, ...further] = found;
  const name = `The data set ${JSON.stringify(title)} of ${shownOf(catalogue)}`;
  if (!first) {
    const what = `${name} has neither a CSV file nor a table of a portal that Longhaul reads.`;
    throw new LonghaulError('PORTAL_UNUSABLE', what);
  }
  if (further.length === 0) return first;
  const choices = found.map(({ href }) => ({ address: href, title }));
  return { what: `${name} has several CSV files`, choices };
}

function distinct(urls: readonly URL[]): URL[] {
  return [...new Map(urls.map((url) => [url.href, url])).values()];
}
