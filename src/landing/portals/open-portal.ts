import { shownAddress } from '../../model/addresses.ts';
import { LonghaulError } from '../../model/errors.ts';
import { allowedHop } from '../http-request.ts';
import { openHttp } from '../http-source.ts';
import type { OpenedSource } from '../source.ts';
import { serviceAt } from './arcgis/table.ts';
import { ckanDataset, ckanResource } from './ckan.ts';
import { dcat } from './dcat.ts';
import { itemAt } from './hub/hub.ts';
import { opendatasoft } from './opendatasoft.ts';
import { listed, NoSuchPortal, type Choice, type Description, type Portal } from './portal.ts';
import { PortalClient, type PortalRequest } from './portal-client.ts';
import { portalAddressOf, type AddressOf, type PortalAddress } from './recognise.ts';
import { socrata } from './socrata.ts';

const PORTALS: { [K in PortalAddress['kind']]: Portal<AddressOf<K>> } = {
  'arcgis-service': serviceAt,
  'arcgis-item': itemAt,
  'hub-slug': itemAt,
  socrata,
  'ckan-dataset': ckanDataset,
  'ckan-resource': ckanResource,
  opendatasoft,
  dcat,
};

/** A catalogue leads to a portal's page, and that page to its file or service. A longer chain may be a loop. */
const MAX_LEADS = 2;

/**
 * Opens the table or file that a portal's address stands for.
 * @param leads the number of addresses before this one in the chain from the source's own address.
 * @throws LonghaulError as `openSource`.
 */
export async function openPortal(
  url: URL,
  request: PortalRequest,
  leads = 0,
): Promise<OpenedSource> {
  const address = portalAddressOf(url);
  if (!address) return await openHttp(url, request);
  const client = new PortalClient(request);
  const follow = async (to: URL): Promise<OpenedSource> => {
    await client.close();
    return await openPortal(...leadTo(to, request, leads));
  };
  try {
    const found = await (PORTALS[address.kind] as Portal<PortalAddress>)(address, client);
    if ('leadsTo' in found) return await follow(found.leadsTo);
    if ('open' in found) return await found.open(follow);
    throw new LonghaulError('ADDRESS_AMBIGUOUS', `${found.what}: ${listed(found.choices)}.`);
  } catch (error) {
    await client.close();
    if (error instanceof NoSuchPortal) return await openHttp(url, request);
    throw request.signal.aborted ? request.signal.reason : error;
  }
}

/** Returns undefined if the address turns out to be that of a file. Otherwise as `openPortal`. */
export async function describePortal(
  url: URL,
  request: PortalRequest,
  leads = 0,
): Promise<Description | Choice[] | undefined> {
  const address = portalAddressOf(url);
  if (!address) return undefined;
  const client = new PortalClient(request);
  try {
    const found = await (PORTALS[address.kind] as Portal<PortalAddress>)(address, client);
    if ('choices' in found) return found.choices;
    const elsewhere =
      'leadsTo' in found
        ? await describePortal(...leadTo(found.leadsTo, request, leads))
        : undefined;
    return elsewhere ?? (await found.describe());
  } catch (error) {
    if (error instanceof NoSuchPortal) return undefined;
    throw request.signal.aborted ? request.signal.reason : error;
  } finally {
    await client.close();
  }
}

function leadTo(to: URL, request: PortalRequest, leads: number): [URL, PortalRequest, number] {
  if (leads === MAX_LEADS) {
    const what = `${request.shown} leads on to ${shownAddress(to.href)}, through more than ${MAX_LEADS} pages of portals.`;
    throw new LonghaulError('SOURCE_REDIRECT_LOOP', what);
  }
  const url = allowedHop(to, request.headersFor, request);
  return [url, { ...request, shown: shownAddress(url.href) }, leads + 1];
}
