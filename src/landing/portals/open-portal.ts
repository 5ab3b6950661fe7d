import { shownAddress } from '../../model/addresses.ts';
import { LonghaulError } from '../../model/errors.ts';
import { allowedHop } from '../http-request.ts';
import { openHttp } from '../http-source.ts';
import type { OpenedSource } from '../source.ts';
import { serviceAt } from './arcgis/service.ts';
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

/** Opens the table or file that a portal's address stands for. @throws LonghaulError as `openSource`. */
export async function openPortal(
  address: PortalAddress,
  request: PortalRequest,
): Promise<OpenedSource> {
  return await open({ url: request.headersFor, address, request, leads: 0 });
}

/** Returns undefined if the address turns out to be that of a file. @throws LonghaulError as `openSource`. */
export async function describePortal(
  address: PortalAddress,
  request: PortalRequest,
): Promise<Description | Choice[] | undefined> {
  return await describe({ url: request.headersFor, address, request, leads: 0 });
}

/** One address in the chain from a source's own address to its records. */
interface Visit {
  url: URL;
  /** Undefined for the address of a file. */
  address: PortalAddress | undefined;
  request: PortalRequest;
  /** The number of addresses before this one in the chain. */
  leads: number;
}

async function open(visit: Visit): Promise<OpenedSource> {
  const { url, address, request } = visit;
  if (!address) return await openHttp(url, request);
  const client = new PortalClient(request);
  const follow = async (to: URL): Promise<OpenedSource> => {
    await client.close();
    return await open(leadTo(to, visit));
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

async function describe(visit: Visit): Promise<Description | Choice[] | undefined> {
  const { address, request } = visit;
  if (!address) return undefined;
  const client = new PortalClient(request);
  try {
    const found = await (PORTALS[address.kind] as Portal<PortalAddress>)(address, client);
    if ('choices' in found) return found.choices;
    const elsewhere = 'leadsTo' in found ? await describe(leadTo(found.leadsTo, visit)) : undefined;
    return elsewhere ?? (await found.describe());
  } catch (error) {
    if (error instanceof NoSuchPortal) return undefined;
    throw request.signal.aborted ? request.signal.reason : error;
  } finally {
    await client.close();
  }
}

function leadTo(to: URL, { request, leads }: Visit): Visit {
  if (leads === MAX_LEADS) {
    const what = `${request.shown} leads on to ${shownAddress(to.href)}, through more than ${MAX_LEADS} pages of portals.`;
    throw new LonghaulError('SOURCE_REDIRECT_LOOP', what);
  }
  const url = allowedHop(to, request.headersFor, request);
  const shown = shownAddress(url.href);
  return { url, address: portalAddressOf(url), request: { ...request, shown }, leads: leads + 1 };
}
