import { openHttp } from '../http-source.ts';
import type { OpenedSource } from '../source.ts';
import type { Choice, Description } from './description.ts';
import { NoSuchPortal } from './no-such-portal.ts';
import { PortalClient, type PortalRequest } from './portal-client.ts';
import type { PortalAddress } from './recognise.ts';

/** One kind of portals. Whatever it asks goes through the client, which it closes with what it opened. */
interface Portal<A extends PortalAddress> {
  /** @throws NoSuchPortal; LonghaulError as `openSource`. */
  open(address: A, client: PortalClient): Promise<OpenedSource>;
  /** For people: of several tables, the addresses. @throws as `open`. */
  describe(address: A, client: PortalClient): Promise<Description | Choice[]>;
}

type Portals = { [K in PortalAddress['kind']]?: Portal<Extract<PortalAddress, { kind: K }>> };

const PORTALS: Portals = {};

/** The table or file that a portal's address stands for. @throws LonghaulError as `openSource`. */
export async function openPortal(
  address: PortalAddress,
  request: PortalRequest,
): Promise<OpenedSource> {
  const client = new PortalClient(request);
  try {
    return await portalOf(address).open(address, client);
  } catch (error) {
    await client.close();
    if (error instanceof NoSuchPortal) return await openHttp(request.headersFor, request);
    throw request.signal.aborted ? request.signal.reason : error;
  }
}

/** Undefined where it is the address of a file after all. @throws LonghaulError as `openSource`. */
export async function describePortal(
  address: PortalAddress,
  request: PortalRequest,
): Promise<Description | Choice[] | undefined> {
  const client = new PortalClient(request);
  try {
    return await portalOf(address).describe(address, client);
  } catch (error) {
    if (error instanceof NoSuchPortal) return undefined;
    throw request.signal.aborted ? request.signal.reason : error;
  } finally {
    await client.close();
  }
}

function portalOf(address: PortalAddress): Portal<PortalAddress> {
  const portal = PORTALS[address.kind];
  if (!portal) throw new NoSuchPortal();
  return portal;
}
