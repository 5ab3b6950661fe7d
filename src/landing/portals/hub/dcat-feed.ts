import { LonghaulError } from '../../../model/errors.ts';
import { fieldOf, lineOf, listOf, textOf } from '../json-fields.ts';
import { shownOf, type PortalClient } from '../portal-client.ts';
import { portalAddressOf } from '../recognise.ts';
import { serviceOf, type Finding, type HubItem } from './hub-item.ts';

/** A Hub lists all of its data sets, with their descriptions in full: the largest have tens of thousands. */
const MAX_FEED_BYTES = 64 * 1024 * 1024;

/** Addresses that a message names. */
const MAX_NAMED = 20;

/** Whom the feed is asked for: an item, one layer of it, or the name in a page's address. */
export type Wanted = { item: string; layer?: number } | { slug: string };

/**
 * What a Hub's catalogue (DCAT-US 1.1) says of an item.
 * @throws LonghaulError as `PortalClient.text`; ADDRESS_AMBIGUOUS; SOURCE_NOT_CSV where it is no catalogue.
 */
export async function itemInFeed(
  page: URL,
  wanted: Wanted,
  client: PortalClient,
): Promise<Finding> {
  const feed = new URL('/api/feed/dcat-us/1.1.json', page);
  const { text } = await client.text(feed, MAX_FEED_BYTES);
  const entries = entriesOf(text, feed).filter((entry) => isWanted(entry, wanted));
  const [first, ...others] = entries;
  if (first === undefined) return 'none';
  const found = described(first);
  if ('slug' in wanted) {
    if (others.length === 0) return found;
    const pages = entries.map((entry) => lineOf(entry, 'landingPage')).slice(0, MAX_NAMED);
    throw new LonghaulError(
      'ADDRESS_AMBIGUOUS',
      `${feed.href} has several data sets of this name: ${pages.join(', ')}.`,
    );
  }
  if (others.length === 0) return { ...found, id: wanted.item };
  // Each layer of an item is an entry: without a layer's number the whole service is meant.
  const { layer: _layer, exported: _exported, ...whole } = found;
  return { ...whole, id: wanted.item };
}

/** Its numbers are nothing that is used, and it may be long: no need to keep their digits. */
function entriesOf(text: string, feed: URL): unknown[] {
  try {
    const catalogue: unknown = JSON.parse(text);
    if (Array.isArray(fieldOf(catalogue, 'dataset'))) return listOf(catalogue, 'dataset');
  } catch {
    // As any other answer that is no catalogue.
  }
  throw new LonghaulError('SOURCE_NOT_CSV', `${shownOf(feed)} answered with what is no catalogue.`);
}

function isWanted(entry: unknown, wanted: Wanted): boolean {
  const landingPage = textOf(entry, 'landingPage');
  if ('slug' in wanted) return landingPage !== undefined && isPageOf(landingPage, wanted.slug);
  const addresses = [
    landingPage,
    textOf(entry, 'identifier'),
    ...listOf(entry, 'distribution').map(addressOf),
  ];
  const named = addresses.filter((each) => each?.toLowerCase().includes(wanted.item));
  if (named.length === 0 || wanted.layer === undefined) return named.length > 0;
  const { layer } = described(entry);
  return layer === undefined || layer === wanted.layer;
}

/** `…/datasets/<slug>`. A Hub's own pages may leave the organisation out. */
function isPageOf(address: string, slug: string): boolean {
  const found = URL.canParse(address) ? portalAddressOf(new URL(address)) : undefined;
  const own = found?.kind === 'hub-slug' ? found.slug : lastOf(address);
  const haveBothOwners = own.includes('::') && slug.includes('::');
  return haveBothOwners ? own === slug : nameIn(own) === nameIn(slug);
}

function lastOf(address: string): string {
  return /\/datasets\/([^/?#]+)/.exec(address)?.[1] ?? '';
}

function nameIn(slug: string): string | undefined {
  return slug.split('::').at(-1);
}

function described(entry: unknown): HubItem {
  const distributions = listOf(entry, 'distribution');
  const services = distributions.map((each) => serviceOf(addressOf(each)));
  const csv = distributions.find((each) =>
    /\bcsv\b/i.test([textOf(each, 'format'), textOf(each, 'mediaType')].join(' ')),
  );
  const address = addressOf(csv);
  const file = address !== undefined && URL.canParse(address) ? new URL(address) : undefined;
  const found = services.find((each) => each.service);
  const id = /[\da-f]{32}/i.exec(
    [textOf(entry, 'identifier'), textOf(entry, 'landingPage')].join(' '),
  );
  return {
    ...(id && { id: id[0].toLowerCase() }),
    type: found ? 'Feature Service' : file ? 'CSV' : 'unknown',
    ...found,
    ...(file && (found ? { exported: file } : { file })),
    title: lineOf(entry, 'title'),
    licence: lineOf(entry, 'license'),
    publisher: lineOf(fieldOf(entry, 'publisher'), 'name'),
    changedAt: textOf(entry, 'modified'),
  };
}

function addressOf(distribution: unknown): string | undefined {
  return textOf(distribution, 'accessURL') ?? textOf(distribution, 'downloadURL');
}
