import { lineOf, listOf, numberOf } from '../json.ts';
import type { Choice, Portal } from '../portal.ts';
import { shownOf, type PortalClient } from '../portal-client.ts';
import type { AddressOf } from '../recognise.ts';
import { metadataOf, unusable } from './answers.ts';
import { layerAt } from './table.ts';

/** Opens a layer of a FeatureServer or MapServer: the one that the address names, or the only one. */
export const serviceAt: Portal<AddressOf<'arcgis-service'>> = async (
  { service, layer },
  client,
) => {
  if (layer !== undefined) return layerAt(layerIn(service, layer), client);
  const choices = await listLayers(service, client);
  const [only, ...others] = choices;
  if (!only) throw unusable(service, 'has no layer or table');
  if (others.length === 0) return layerAt(new URL(only.address), client);
  return { what: `${shownOf(service)} has ${choices.length} layers and tables`, choices };
};

/**
 * Lists the layers and tables of a service that have records.
 * @param service `…/FeatureServer` or `…/MapServer`.
 * @throws LonghaulError as `openSource`.
 */
export async function listLayers(service: URL, client: PortalClient): Promise<Choice[]> {
  const metadata = await metadataOf(service, client);
  const all = [...listOf(metadata, 'layers'), ...listOf(metadata, 'tables')];
  return all.flatMap((each) => {
    const id = numberOf(each, 'id');
    // A group of layers has no records of its own.
    const isGroup = listOf(each, 'subLayerIds').length > 0;
    if (id === undefined || !Number.isSafeInteger(id) || isGroup) return [];
    const title = lineOf(each, 'name') ?? String(id);
    return [{ address: layerIn(service, id).href, title }];
  });
}

function layerIn(service: URL, layer: number): URL {
  return new URL(`${service.pathname.replace(/\/+$/, '')}/${layer}`, service);
}
