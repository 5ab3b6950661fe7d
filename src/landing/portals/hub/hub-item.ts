import { LonghaulError } from '../../../model/errors.ts';
import { errorIn, failureOf, needsLogin } from '../arcgis/answers.ts';
import { fieldOf, isoTimeOf, lineOf, listOf, numberOf, textOf } from '../json.ts';
import { listed } from '../portal.ts';
import { shownOf, type PortalClient } from '../portal-client.ts';
import { portalAddressOf } from '../recognise.ts';

/** An item of an ArcGIS portal: a service with layers, a file, or something that is no table. */
export interface HubItem {
  id?: string;
  /** In the portal's words: `Feature Service`, `CSV`. */
  type: string;
  service?: URL;
  /** The layer that is meant, where it is not the whole service. */
  layer?: number;
  /** The publisher's own file. */
  file?: URL;
  /** The file that the Hub makes of the layer. */
  exported?: URL;
  title?: string | undefined;
  licence?: string | undefined;
  publisher?: string | undefined;
  /** ISO 8601, UTC. */
  changedAt?: string | undefined;
}

/** What a portal, an index or a catalogue says of an item: that it has none, or shows it to its members only. */
export type Finding = HubItem | 'none' | 'hidden';

/**
 * An item as its portal describes it.
 * @param portal its address, with `/` at the end.
 * @throws LonghaulError as `PortalClient.json`; SOURCE_UNAVAILABLE of an error in the answer that may pass.
 */
export async function itemOf(portal: URL, id: string, client: PortalClient): Promise<Finding> {
  const address = new URL(`sharing/rest/content/items/${id}`, portal);
  const url = new URL('?f=json', address);
  return await client.json(url, {}, (json): Finding => {
    const error = errorIn(json);
    if (error) {
      const { number = 0 } = error;
      if (number === 429 || number >= 500) throw failureOf(url, error);
      return needsLogin(number) ? 'hidden' : 'none';
    }
    const type = lineOf(json, 'type');
    if (type === undefined || textOf(json, 'id')?.toLowerCase() !== id) return 'none';
    return {
      id,
      type,
      ...serviceOf(textOf(json, 'url')),
      ...(type === 'CSV' && { file: new URL(`${address.href}/data`) }),
      title: lineOf(json, 'title'),
      licence: lineOf(json, 'licenseInfo'),
      publisher: lineOf(json, 'accessInformation') ?? lineOf(json, 'owner'),
      changedAt: isoTimeOf(numberOf(json, 'modified')),
    };
  });
}

/** The service that a stranger's address leads to, if it is one with layers. */
export function serviceOf(address: string | undefined): Pick<HubItem, 'service' | 'layer'> {
  if (address === undefined || !URL.canParse(address)) return {};
  const found = portalAddressOf(new URL(address));
  if (found?.kind !== 'arcgis-service') return {};
  const { service, layer } = found;
  return { service, ...(layer !== undefined && { layer }) };
}

/** A Hub lists all of its data sets, with their descriptions in full: the largest have tens of thousands. */
const MAX_FEED_BYTES = 64 * 1024 * 1024;

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
  const text = await client.text(feed, { maxBytes: MAX_FEED_BYTES }, (answer) => answer.text);
  const entries = entriesOf(text, feed).filter((entry) => isWanted(entry, wanted));
  const [first, ...others] = entries;
  if (first === undefined) return 'none';
  const found = described(first);
  if ('slug' in wanted) {
    if (others.length === 0) return found;
    const choices = entries.map((entry) => ({
      address: textOf(entry, 'landingPage') ?? '',
      title: lineOf(entry, 'title') ?? '',
    }));
    const what = `${feed.href} has several data sets of this name: ${listed(choices)}.`;
    throw new LonghaulError('ADDRESS_AMBIGUOUS', what);
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
