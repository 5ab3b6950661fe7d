import { LonghaulError } from '../../../model/errors.ts';
import { fieldOf, isoTimeOf, lineOf, numberOf, textOf } from '../json-fields.ts';
import { MAX_METADATA_BYTES, shownOf, type PortalClient } from '../portal-client.ts';
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
 * @throws LonghaulError as `PortalClient.read`; SOURCE_UNAVAILABLE of an error in the answer that may pass.
 */
export async function itemOf(portal: URL, id: string, client: PortalClient): Promise<Finding> {
  const address = new URL(`sharing/rest/content/items/${id}`, portal);
  const url = new URL('?f=json', address);
  const answer = await client.read(url, MAX_METADATA_BYTES, {}, ({ json }) => {
    assertNotPassing(json, url);
    return json;
  });
  const error = fieldOf(answer, 'error');
  if (error !== undefined) return HIDDEN.has(numberOf(error, 'code') ?? 0) ? 'hidden' : 'none';
  const type = lineOf(answer, 'type');
  if (type === undefined || textOf(answer, 'id')?.toLowerCase() !== id) return 'none';
  return {
    id,
    type,
    ...serviceOf(textOf(answer, 'url')),
    ...(type === 'CSV' && { file: new URL(`${address.href}/data`) }),
    title: lineOf(answer, 'title'),
    licence: lineOf(answer, 'licenseInfo'),
    publisher: lineOf(answer, 'accessInformation') ?? lineOf(answer, 'owner'),
    changedAt: isoTimeOf(numberOf(answer, 'modified')),
  };
}

/** The service that a stranger's address leads to, if it is one with layers. */
export function serviceOf(address: string | undefined): Pick<HubItem, 'service' | 'layer'> {
  if (address === undefined || !URL.canParse(address)) return {};
  const found = portalAddressOf(new URL(address));
  if (found?.kind !== 'arcgis-service') return {};
  const { service, layer } = found;
  return { service, ...(layer !== undefined && { layer }) };
}

/** ArcGIS's codes of what a login is missing for. */
const HIDDEN: ReadonlySet<number> = new Set([401, 403, 498, 499]);

/** ArcGIS answers errors with the status 200. */
function assertNotPassing(answer: unknown, url: URL): void {
  const error = fieldOf(answer, 'error');
  const code = numberOf(error, 'code') ?? 0;
  if (code !== 429 && code < 500) return;
  const reason = lineOf(error, 'message') ?? 'no reason';
  const what = `${shownOf(url)} answered with the error ${code}: ${reason}.`;
  throw new LonghaulError('SOURCE_UNAVAILABLE', what);
}
