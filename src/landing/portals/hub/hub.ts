import { shownAddress } from '../../../model/addresses.ts';
import { isRetryable, LonghaulError, type ErrorCode } from '../../../model/errors.ts';
import { layerAt, listLayers } from '../arcgis/table.ts';
import { fieldOf, listOf, textOf } from '../json.ts';
import { listed, NoSuchPortal, type Choice, type Portal, type Table } from '../portal.ts';
import type { PortalClient } from '../portal-client.ts';
import { isOfArcgisCom, portalAddressOf, type AddressOf } from '../recognise.ts';
import { itemInFeed, itemOf, serviceOf, type Finding, type HubItem } from './hub-item.ts';

type ItemAddress = AddressOf<'arcgis-item'>;
type SlugAddress = AddressOf<'hub-slug'>;
type Address = ItemAddress | SlugAddress;

/** ArcGIS Online has the items of most Hubs, even if another host has their pages. */
const ONLINE = new URL('https://www.arcgis.com/');
/** This host finds the pages of all Hubs by the names in their addresses. */
const HUB = new URL('https://hub.arcgis.com/');

/** Finds the publisher's own file if the item is one, else its layer. Returns several layers as their pages. */
export const itemAt: Portal<Address> = async (address, client) => {
  const item = await (address.kind === 'hub-slug'
    ? findSlug(address, client)
    : findItem(address, client));
  const { type, file, service, title, licence, publisher, changedAt } = item;
  const { shown } = client.request;
  if (file) {
    const what = { kind: 'arcgis', service: shownAddress(file.href), reads: 'file' } as const;
    const describe: Table['describe'] = async () => ({
      ...{ ...what, title, licence, publisher, changedAt },
    });
    return { leadsTo: file, describe };
  }
  if (!service) {
    const what = `${shown} is of the type ${type}, which is neither a layer nor a CSV file.`;
    throw new LonghaulError('PORTAL_UNUSABLE', what);
  }
  const layers = await layersOf(item, service, address, client);
  const [layer, ...others] = layers;
  if (!layer) {
    const what = `${shown}: the service has no layer and no table.`;
    throw new LonghaulError('PORTAL_UNUSABLE', what);
  }
  if (others.length > 0) {
    const choices = layers.map((each) => ({ address: each.address, title: each.title }));
    return { what: `${shown} has ${layers.length} layers and tables`, choices };
  }
  const table = layerAt(new URL(layer.layer), client);
  return {
    open: orExport(table, exportOf(item, layer, address)),
    describe: async () => {
      const found = await table.describe();
      return {
        ...found,
        title: title ?? found.title,
        licence,
        publisher: publisher ?? found.publisher,
        // The layer's date is the better one: the item's date also changes with its description.
        changedAt: found.changedAt ?? changedAt,
      };
    },
  };
};

/** The address of a layer's page, and of the layer. */
interface Layer extends Choice {
  layer: string;
}

/** Returns the named layer, or all if none is named. @throws LonghaulError SOURCE_NOT_FOUND if the service lacks it. */
async function layersOf(
  item: HubItem,
  service: URL,
  address: Address,
  client: PortalClient,
): Promise<Layer[]> {
  const all = (await listLayers(service, client)).map((each) => ({
    title: each.title,
    layer: each.address,
    address: pageOf(item, address, each),
  }));
  if (item.layer === undefined) return all;
  const named = all.filter((each) => layerNumberOf(each.layer) === item.layer);
  if (named.length > 0) return named;
  const what = `${client.request.shown}: the service has no layer ${item.layer}; it has ${listed(all)}.`;
  throw new LonghaulError('SOURCE_NOT_FOUND', what);
}

/** The result does not have the query of the page's address, which may hold a secret. */
function pageOf({ id }: HubItem, { page }: Address, layer: Choice): string {
  const number = layerNumberOf(layer.address);
  if (id === undefined || number === undefined) return layer.address;
  const portal = portalOf(page);
  const isHub = !/\/home\/item\.html$|\/sharing\/rest\//i.test(page.pathname);
  return isHub
    ? `${portal.href}datasets/${id}_${number}`
    : `${portal.href}home/item.html?id=${id}&sublayer=${number}`;
}

function layerNumberOf(layer: string): number | undefined {
  return serviceOf(layer).layer;
}

/** The Hub makes the file on request, and answers 202 until the file is ready. */
function exportOf({ id, exported }: HubItem, { layer }: Layer, { page }: Address): URL | undefined {
  if (exported ?? id === undefined) return exported;
  const hub = isOfArcgisCom(page) && !/\.hub\.arcgis\.com$/i.test(page.hostname) ? HUB : page;
  return new URL(`/api/download/v1/items/${id}/csv?layers=${layerNumberOf(layer) ?? 0}`, hub);
}

/**
 * The file that a Hub makes of a layer is the last choice. It may be days old, and has neither a version nor a count.
 * @throws LonghaulError PORTAL_UNUSABLE of the layer if the Hub makes no file either.
 */
function orExport(table: Table, file: URL | undefined): Table['open'] {
  return async (follow) => {
    try {
      return await table.open(follow);
    } catch (why) {
      if (!(why instanceof LonghaulError) || why.code !== 'PORTAL_UNUSABLE' || !file) throw why;
      return await follow(file).catch((error: unknown) => {
        throw error instanceof LonghaulError && !isRetryable(error.code) ? why : error;
      });
    }
  };
}

/**
 * Finds the item of a page: in ArcGIS Online, in the page's own portal (ArcGIS Enterprise), or in the Hub's catalogue.
 * @throws NoSuchPortal; LonghaulError as `openSource`.
 */
async function findItem(address: ItemAddress, client: PortalClient): Promise<HubItem> {
  const { page, item, layer } = address;
  const online: Way = async () => await itemOf(ONLINE, item, client);
  const own: Way = async () => await itemOf(portalOf(page), item, client);
  const feed: Way = async () => await itemInFeed(page, { item, layer }, client);
  const ways: Ways = isOfArcgisCom(page) ? { online, feed } : { own, feed, online };
  const found = await firstOf(ways, { page, what: `${client.request.shown}: the item ${item}` });
  return { ...found, layer: layer ?? found.layer };
}

/** Finds the item of a page by the name in its address. @throws as `findItem`. */
async function findSlug(address: SlugAddress, client: PortalClient): Promise<HubItem> {
  const { page, slug } = address;
  const index: Way = async () => await inIndex(address, client);
  const feed: Way = async () => await itemInFeed(page, { slug }, client);
  const search: Way = async () => await inSearch(address, client);
  // Without the organisation, another publisher's data set may have the name. Then only the Hub's own catalogue counts.
  const ofHub: Ways = isOfArcgisCom(page) ? { index, feed, search } : { index, feed };
  const ways: Ways = slug.includes('::') ? ofHub : { feed };
  return await firstOf(ways, { page, what: `${client.request.shown}: the data set ${slug}` });
}

/** Returns the address of a page's portal: `https://host/`, or `https://host/portal/` for ArcGIS Enterprise. */
function portalOf(page: URL): URL {
  const prefix = /^(.*\/)(?:home\/item\.html|sharing\/rest\/)/i.exec(page.pathname)?.[1] ?? '/';
  const portal = new URL(page.origin);
  portal.pathname = prefix;
  return portal;
}

type Way = () => Promise<Finding>;

/** The ways to find an item, in the order in which the client tries them. */
type Ways = { readonly [name in 'own' | 'online' | 'feed' | 'index' | 'search']?: Way };

/** The errors of a host that is no portal, does not have the item, or does not show it. */
const LEADS_NOWHERE: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'SOURCE_NOT_FOUND',
  'SOURCE_FORBIDDEN',
  'SOURCE_REFUSED',
  'SOURCE_REDIRECT_LOOP',
  'SOURCE_IS_HTML',
  'SOURCE_NOT_CSV',
  'ANSWER_TOO_LONG',
  'PORTAL_ANSWER_INVALID',
]);

/** Returns the first item that a way finds. An error that may pass is thrown only if no later way finds the item. */
async function firstOf(ways: Ways, { page, what }: { page: URL; what: string }): Promise<HubItem> {
  const answers = new Set<'none' | 'hidden'>(isOfArcgisCom(page) ? ['none'] : []);
  let passing: LonghaulError | undefined;
  for (const [name, way] of Object.entries(ways) as [keyof Ways, Way][]) {
    try {
      const found = await way();
      if (typeof found !== 'string') return found;
      if (name !== 'online' || found === 'hidden') answers.add(found);
    } catch (error) {
      if (error instanceof NoSuchPortal) continue;
      if (!(error instanceof LonghaulError)) throw error;
      if (LEADS_NOWHERE.has(error.code)) continue;
      if (!isRetryable(error.code)) throw error;
      passing ??= error;
    }
  }
  if (passing) throw passing;
  if (answers.size === 0) throw new NoSuchPortal();
  throw answers.has('hidden')
    ? new LonghaulError('SOURCE_FORBIDDEN', `${what} is shown to members of its portal only.`)
    : new LonghaulError('SOURCE_NOT_FOUND', `${what} is not known to its portal.`);
}

/** Asks the Hub's index of pages. */
async function inIndex(address: SlugAddress, client: PortalClient): Promise<Finding> {
  const { page, slug } = address;
  const url = new URL('/api/v3/datasets', isOfArcgisCom(page) ? HUB : page);
  const query = { 'filter[slug]': slug, 'fields[datasets]': 'slug' };
  url.search = new URLSearchParams(query).toString();
  const [first] = listOf(await client.json(url), 'data');
  // A server that does not know the filter answers with any data set.
  if (textOf(fieldOf(first, 'attributes'), 'slug') !== slug) return 'none';
  return await itemWithId(address, textOf(first, 'id'), client);
}

/** Asks ArcGIS Online's search. Newer items have the name of their page as a keyword. */
async function inSearch(address: SlugAddress, client: PortalClient): Promise<Finding> {
  const keyword = `slug|${address.slug.replace('::', '|')}`;
  if (keyword.includes('"')) return 'none';
  const url = new URL('/sharing/rest/search', ONLINE);
  const query = { f: 'json', filter: `typekeywords:"${keyword}"` };
  url.search = new URLSearchParams(query).toString();
  const [first] = listOf(await client.json(url), 'results');
  if (!listOf(first, 'typeKeywords').includes(keyword)) return 'none';
  return await itemWithId(address, textOf(first, 'id'), client);
}

async function itemWithId(
  { page }: SlugAddress,
  id: string | undefined,
  client: PortalClient,
): Promise<Finding> {
  const found = portalAddressOf(new URL(`/datasets/${encodeURIComponent(id ?? '')}`, page));
  return found?.kind === 'arcgis-item' ? await findItem({ ...found, page }, client) : 'none';
}
