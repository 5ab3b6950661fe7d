import { LonghaulError } from '../../../model/errors.ts';
import { errorIn, failureOf, needsLogin } from '../arcgis/answers.ts';
import { fieldOf, isoTimeOf, lineOf, listOf, numberOf, textOf } from '../json.ts';
import { listed } from '../portal.ts';
import { shownOf, type PortalClient } from '../portal-client.ts';
import { portalAddressOf } from '../recognise.ts';

/** An item of an ArcGIS portal: a service with layers, a file, or an item that is neither. */
export interface HubItem {
  id?: string;
  /** The portal's name of the type: `Feature Service`, `CSV`. */
  type: string;
  service?: URL;
  /** The number of the layer. Absent if the item stands for the whole service. */
  layer?: number;
  /** The address of the publisher's own file. */
  file?: URL;
  /** The address of the file that the Hub makes of the layer. */
  exported?: URL;
  title?: string | undefined;
  licence?: string | undefined;
  publisher?: string | undefined;
  /** ISO 8601, UTC. */
  changedAt?: string | undefined;
}

/** An item. `none` means that the portal or catalogue does not have it, `hidden` that it shows it only to members. */
export type Finding = HubItem | 'none' | 'hidden';

/**
 * Asks a portal for an item.
 * @param portal the portal's address, with `/` at the end.
 * @throws LonghaulError as `PortalClient.json`; SOURCE_UNAVAILABLE if the answer holds an error that may pass.
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

/** Returns the service that a publisher's address leads to, if it is a service with layers. */
export function serviceOf(address: string | undefined): Pick<HubItem, 'service' | 'layer'> {
  if (address === undefined || !URL.canParse(address)) return {};
  const found = portalAddressOf(new URL(address));
  if (found?.kind !== 'arcgis-service') return {};
  const { service, layer } = found;
  return { service, ...(layer !== undefined && { layer }) };
}

/** A Hub lists all its data sets with their full descriptions. The largest Hubs have tens of thousands. */
const MAX_FEED_BYTES = 64 * 1024 * 1024;

/** What to find in the feed: an item, one layer of an item, or the name in a page's address. */
export type Wanted = { item: string; layer?: number } | { slug: string };

/**
 * Finds an item in a Hub's catalogue (DCAT-US 1.1).
 * @throws LonghaulError as `PortalClient.text`; ADDRESS_AMBIGUOUS; SOURCE_NOT_CSV if the answer is not a catalogue.
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
  // Each layer of an item has an entry. Without a layer's number, the address stands for the whole service.
  const { layer: _layer, exported: _exported, ...whole } = found;
  return { ...whole, id: wanted.item };
}

/** A catalogue may be long, and none of its numbers is used. So the fast parser, which loses digits, is enough. */
function entriesOf(text: string, feed: URL): unknown[] {
  try {
    const catalogue: unknown = JSON.parse(text);
    if (Array.isArray(fieldOf(catalogue, 'dataset'))) return listOf(catalogue, 'dataset');
  } catch {
    // The error is the same as for any other answer that is not a catalogue.
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

/** Whether the address is `…/datasets/<slug>`. A Hub's own pages may omit the organisation. */
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
