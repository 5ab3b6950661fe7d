import type { OpenedSource } from '../source.ts';
import type { Choice, Description } from './description.ts';
import type { PortalClient } from './portal-client.ts';
import type { PortalAddress } from './recognise.ts';

/** One kind of portals. Whatever it asks goes through the client, which it closes with what it opened. */
export interface Portal<A extends PortalAddress> {
  /** @throws NoSuchPortal; LonghaulError as `openSource`. */
  open(address: A, client: PortalClient, leads: Leads): Promise<OpenedSource>;
  /** For people: of several tables, the addresses. @throws as `open`. */
  describe(
    address: A,
    client: PortalClient,
    leads: Leads,
  ): Promise<Description | Choice[] | undefined>;
}

/** Another address that a portal names: of a file, or of a table of this portal or another one. It is checked as a redirect is. */
export interface Leads {
  /** On a connection of its own. @throws LonghaulError as `openSource`; SOURCE_REDIRECT_LOOP after too many. */
  open(url: URL): Promise<OpenedSource>;
  /** Undefined where it is the address of a file. */
  describe(url: URL): Promise<Description | Choice[] | undefined>;
}
