import { shownAddress } from '../../../model/addresses.ts';
import { isRetryable, LonghaulError } from '../../../model/errors.ts';
import { listLayers } from '../arcgis/service.ts';
import { layerAt } from '../arcgis/table.ts';
import { listed, type Choice, type Portal, type Table } from '../portal.ts';
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
