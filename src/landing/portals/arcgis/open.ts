import { LonghaulError } from '../../../model/errors.ts';
import type { OpenedSource } from '../../source.ts';
import type { Choice, Description } from '../description.ts';
import type { PortalClient } from '../portal-client.ts';

/**
 * A layer or table of a FeatureServer or MapServer.
 * @param layer `…/FeatureServer/<number>`, without a query.
 * @throws LonghaulError as `openSource`.
 */
export async function openLayer(layer: URL, client: PortalClient): Promise<OpenedSource> {
  await client.close();
  throw new LonghaulError('PORTAL_UNUSABLE', `${layer.href} cannot be read yet.`);
}

/** The same for people. @throws LonghaulError as `openSource`. */
export async function describeLayer(layer: URL, client: PortalClient): Promise<Description> {
  await client.close();
  throw new LonghaulError('PORTAL_UNUSABLE', `${layer.href} cannot be read yet.`);
}

/**
 * The layers and tables of a service.
 * @param service `…/FeatureServer` or `…/MapServer`.
 * @throws LonghaulError as `openSource`.
 */
export async function listLayers(service: URL, client: PortalClient): Promise<Choice[]> {
  await client.close();
  throw new LonghaulError('PORTAL_UNUSABLE', `${service.href} cannot be read yet.`);
}
