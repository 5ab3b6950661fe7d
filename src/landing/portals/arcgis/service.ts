import { ambiguous } from '../ambiguous.ts';
import type { Choice } from '../description.ts';
import { lineOf, listOf, numberOf } from '../json-fields.ts';
import type { Portal } from '../portal.ts';
import { shownOf, type PortalClient } from '../portal-client.ts';
import type { PortalAddress } from '../recognise.ts';
import { unusable } from './answers.ts';
import { describeLayer, openLayer } from './open.ts';
import { metadataOf } from './queries.ts';

type ServiceAddress = Extract<PortalAddress, { kind: 'arcgis-service' }>;

/** A FeatureServer or MapServer, with the number of a layer, or with one layer or table only. */
export const ARCGIS_SERVICE: Portal<ServiceAddress> = {
  open: async (address, client) => await openLayer(await onlyLayer(address, client), client),
  describe: async ({ service, layer }, client) => {
    if (layer !== undefined) return await describeLayer(layerIn(service, layer), client);
    const choices = await listLayers(service, client);
    const [only] = choices;
    if (choices.length !== 1 || !only) return choices;
    return await describeLayer(new URL(only.address), client);
  },
};

/**
 * The layers and tables of a service that have records.
 * @param service `…/FeatureServer` or `…/MapServer`.
 * @throws LonghaulError as `openSource`.
 */
export async function listLayers(service: URL, client: PortalClient): Promise<Choice[]> {
  const metadata = await metadataOf(service, client);
  const all = [...listOf(metadata, 'layers'), ...listOf(metadata, 'tables')];
  return all.flatMap((each) => {
    const id = numberOf(each, 'id');
    // A group of layers has none of its own.
    const isGroup = listOf(each, 'subLayerIds').length > 0;
    if (id === undefined || !Number.isSafeInteger(id) || isGroup) return [];
    const title = lineOf(each, 'name') ?? String(id);
    return [{ address: layerIn(service, id).href, title }];
  });
}

async function onlyLayer(
  { service, layer }: Pick<ServiceAddress, 'service' | 'layer'>,
  client: PortalClient,
): Promise<URL> {
  if (layer !== undefined) return layerIn(service, layer);
  const choices = await listLayers(service, client);
  const [only, ...others] = choices;
  if (!only) throw unusable(service, 'has no layer or table');
  if (others.length === 0) return new URL(only.address);
  throw ambiguous(`${shownOf(service)} has ${choices.length} layers and tables`, choices);
}

function layerIn(service: URL, layer: number): URL {
  return new URL(`${service.pathname.replace(/\/+$/, '')}/${layer}`, service);
}
