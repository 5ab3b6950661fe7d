import { shownAddress } from '../../model/addresses.ts';
import { LonghaulError } from '../../model/errors.ts';
import { allowedHop } from '../http-request.ts';
import { openHttp } from '../http-source.ts';
import type { OpenedSource } from '../source.ts';
import { ckanDataset, ckanResource } from './ckan.ts';
import { dcat } from './dcat.ts';
import type { Choice, Description } from './description.ts';
import { describeItem, openItem } from './hub/open-item.ts';
import { ARCGIS_SERVICE } from './arcgis/service.ts';
import { NoSuchPortal } from './no-such-portal.ts';
import { opendatasoft } from './opendatasoft.ts';
import type { Leads, Portal } from './portal.ts';
import { PortalClient, type PortalRequest } from './portal-client.ts';
import { portalAddressOf, type PortalAddress } from './recognise.ts';
import { socrata } from './socrata.ts';

type Portals = { [K in PortalAddress['kind']]?: Portal<Extract<PortalAddress, { kind: K }>> };

const PORTALS: Portals = {
  'arcgis-service': ARCGIS_SERVICE,
  'arcgis-item': { open: openItem, describe: describeItem },
  'hub-slug': { open: openItem, describe: describeItem },
  socrata,
  'ckan-dataset': ckanDataset,
  'ckan-resource': ckanResource,
  opendatasoft,
  dcat,
};

/** A catalogue leads to a portal's page, and that one to its file or service. What leads further may be a loop. */
const MAX_LEADS = 2;

/** One address on the way from a source's own to its records. */
interface Visit {
  url: URL;
  address: PortalAddress;
  request: PortalRequest;
  /** The addresses before this one. */
  leads: number;
}

/** The table or file that a portal's address stands for. @throws LonghaulError as `openSource`. */
export async function openPortal(
  address: PortalAddress,
  request: PortalRequest,
): Promise<OpenedSource> {
  return await open({ url: request.headersFor, address, request, leads: 0 });
}

/** Undefined where it is the address of a file after all. @throws LonghaulError as `openSource`. */
export async function describePortal(
  address: PortalAddress,
  request: PortalRequest,
): Promise<Description | Choice[] | undefined> {
  return await describe({ url: request.headersFor, address, request, leads: 0 });
}

async function open(visit: Visit): Promise<OpenedSource> {
  const { url, address, request } = visit;
  const client = new PortalClient(request);
  try {
    return await portalOf(address).open(address, client, leadsOf(visit, client));
  } catch (error) {
    await client.close();
    if (error instanceof NoSuchPortal) return await openHttp(url, request);
    throw request.signal.aborted ? request.signal.reason : error;
  }
}

async function describe(visit: Visit): Promise<Description | Choice[] | undefined> {
  const { address, request } = visit;
  const client = new PortalClient(request);
  try {
    return await portalOf(address).describe(address, client, leadsOf(visit, client));
  } catch (error) {
    if (error instanceof NoSuchPortal) return undefined;
    throw request.signal.aborted ? request.signal.reason : error;
  } finally {
    await client.close();
  }
}

function portalOf(address: PortalAddress): Portal<PortalAddress> {
  const portal: Portal<PortalAddress> | undefined = PORTALS[address.kind];
  if (!portal) throw new NoSuchPortal();
  return portal;
}

function leadsOf(visit: Visit, client: PortalClient): Leads {
  return {
    open: async (to) => {
      await client.close();
      const { url, address, request, leads } = leadTo(to, visit);
      return address ? await open({ url, address, request, leads }) : await openHttp(url, request);
    },
    describe: async (to) => {
      const { address, ...next } = leadTo(to, visit);
      return address && (await describe({ address, ...next }));
    },
  };
}

function leadTo(
  to: URL,
  { request, leads }: Visit,
): Omit<Visit, 'address'> & { address: PortalAddress | undefined } {
  if (leads === MAX_LEADS) {
    const what = `${request.shown} leads on to ${shownAddress(to.href)}, through more than ${MAX_LEADS} pages of portals.`;
    throw new LonghaulError('SOURCE_REDIRECT_LOOP', what);
  }
  const url = allowedHop(to, request.headersFor, request);
  const shown = shownAddress(url.href);
  return { url, address: portalAddressOf(url), request: { ...request, shown }, leads: leads + 1 };
}
