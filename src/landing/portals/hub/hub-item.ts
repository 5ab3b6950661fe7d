import { LonghaulError, type ErrorCode } from '../../../model/errors.ts';
import { fieldOf, isoTimeOf, lineOf, numberOf, textOf } from '../json-fields.ts';
import { MAX_METADATA_BYTES, type PortalClient } from '../portal-client.ts';
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

/**
 * An item as its portal describes it.
 * @param portal its address, with `/` at the end.
 * @returns undefined where the portal has no such item.
 * @throws LonghaulError as `PortalClient.json`; SOURCE_FORBIDDEN or SOURCE_UNAVAILABLE of an error in the answer.
 */
export async function itemOf(
  portal: URL,
  id: string,
  client: PortalClient,
): Promise<HubItem | undefined> {
  const address = new URL(`sharing/rest/content/items/${id}`, portal);
  const answer = await client.json(new URL('?f=json', address), MAX_METADATA_BYTES);
  assertNoError(answer, address);
  const type = lineOf(answer, 'type');
  if (type === undefined || textOf(answer, 'id')?.toLowerCase() !== id) return undefined;
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

/** ArcGIS answers errors with the status 200. */
function assertNoError(answer: unknown, { origin, pathname }: URL): void {
  const error = fieldOf(answer, 'error');
  if (error === undefined) return;
  const code = numberOf(error, 'code') ?? 0;
  const reason = lineOf(error, 'message') ?? 'no reason';
  throw new LonghaulError(
    codeOf(code),
    `${origin}${pathname} answered with the error ${code}: ${reason}.`,
  );
}

function codeOf(code: number): ErrorCode {
  if (code === 401 || code === 403 || code === 498 || code === 499) return 'SOURCE_FORBIDDEN';
  return code === 429 || code >= 500 ? 'SOURCE_UNAVAILABLE' : 'SOURCE_NOT_FOUND';
}
