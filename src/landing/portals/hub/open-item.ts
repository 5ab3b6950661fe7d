import { shownAddress } from '../../../model/addresses.ts';
import { isRetryable, LonghaulError } from '../../../model/errors.ts';
import type { OpenedSource } from '../../source.ts';
import { ambiguous, listed } from '../ambiguous.ts';
import { describeLayer, openLayer } from '../arcgis/open.ts';
import { listLayers } from '../arcgis/service.ts';
import type { Choice, Description } from '../description.ts';
import type { Leads } from '../portal.ts';
import type { PortalClient } from '../portal-client.ts';
import { isOfArcgisCom } from '../recognise.ts';
import {
  findItem,
  findSlug,
  HUB,
  portalOf,
  type ItemAddress,
  type SlugAddress,
} from './find-item.ts';
import { serviceOf, type HubItem } from './hub-item.ts';

type Address = ItemAddress | SlugAddress;

/**
 * The publisher's own file where the item is one, else the layer's pages. The file that a Hub makes of a layer comes last:
 * it may be days old, and says neither its version nor its count.
 * @throws NoSuchPortal; LonghaulError as `openSource`.
 */
export async function openItem(
  address: Address,
  client: PortalClient,
  leads: Leads,
): Promise<OpenedSource> {
  const item = await itemAt(address, client);
  if (item.file) return await leads.open(item.file);
  const layers = await layersOf(item, address, client);
  const [layer] = layers;
  if (layer === undefined || layers.length > 1) throw notOne(layers, client);
  try {
    return await openLayer(new URL(layer.layer), client);
  } catch (error) {
    if (!(error instanceof LonghaulError) || error.code !== 'PORTAL_UNUSABLE') throw error;
    return await openExport(exportOf(item, layer, address), leads, error);
  }
}

/** The same for people: of several layers, their pages. @throws as `openItem`. */
export async function describeItem(
  address: Address,
  client: PortalClient,
): Promise<Description | Choice[]> {
  const item = await itemAt(address, client);
  const { title, licence, publisher, changedAt } = item;
  const known = {
    ...(title !== undefined && { title }),
    ...(licence !== undefined && { licence }),
    ...(publisher !== undefined && { publisher }),
  };
  const changed = changedAt === undefined ? {} : { changedAt };
  if (item.file) {
    const service = shownAddress(item.file.href);
    return { kind: 'arcgis', service, reads: 'file', ...changed, ...known };
  }
  const layers = await layersOf(item, address, client);
  const [layer] = layers;
  if (layer === undefined || layers.length > 1)
    return layers.map((each) => ({ address: each.address, title: each.title }));
  // The layer knows better when its records changed: the item's day is that of its text, too.
  return { ...changed, ...(await describeLayer(new URL(layer.layer), client)), ...known };
}

async function itemAt(address: Address, client: PortalClient): Promise<HubItem> {
  const item = await (address.kind === 'hub-slug'
    ? findSlug(address, client)
    : findItem(address, client));
  if (item.file ?? item.service) return item;
  const what = `${client.request.shown} is of the type ${item.type}, which is neither a layer nor a CSV file.`;
  throw new LonghaulError('PORTAL_UNUSABLE', what);
}

/** A layer: the address of its page, and of itself. */
interface Layer extends Choice {
  layer: string;
}

/** The one that the address or the item names, or all of them. @throws LonghaulError SOURCE_NOT_FOUND where it names another. */
async function layersOf(item: HubItem, address: Address, client: PortalClient): Promise<Layer[]> {
  const { service, layer: wanted } = item;
  if (!service) return [];
  const all = (await listLayers(service, client)).map((each) => ({
    title: each.title,
    layer: each.address,
    address: pageOf(item, address, each),
  }));
  if (wanted === undefined) return all;
  const named = all.filter((each) => layerNumberOf(each.layer) === wanted);
  if (named.length > 0) return named;
  const what = `${client.request.shown}: the service has no layer ${wanted}; it has ${listed(all)}.`;
  throw new LonghaulError('SOURCE_NOT_FOUND', what);
}

function notOne(layers: readonly Layer[], { request: { shown } }: PortalClient): LonghaulError {
  return layers.length === 0
    ? new LonghaulError('PORTAL_UNUSABLE', `${shown}: the service has no layer and no table.`)
    : ambiguous(`${shown} has ${layers.length} layers and tables`, layers);
}

/** Without the query of the page's address, which may hold a secret. */
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

/** The Hub makes it when it is asked for, and answers 202 until it is there. */
function exportOf({ id, exported }: HubItem, { layer }: Layer, { page }: Address): URL | undefined {
  if (exported ?? id === undefined) return exported;
  const hub = isOfArcgisCom(page) && !/\.hub\.arcgis\.com$/i.test(page.hostname) ? HUB : page;
  return new URL(`/api/download/v1/items/${id}/csv?layers=${layerNumberOf(layer) ?? 0}`, hub);
}

/** @throws LonghaulError `why`, where the Hub makes no file either. */
async function openExport(
  file: URL | undefined,
  leads: Leads,
  why: LonghaulError,
): Promise<OpenedSource> {
  if (!file) throw why;
  try {
    return await leads.open(file);
  } catch (error) {
    throw error instanceof LonghaulError && !isRetryable(error.code) ? why : error;
  }
}
