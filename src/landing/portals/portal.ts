import { LonghaulError } from '../../model/errors.ts';
import { printable } from '../../model/names.ts';
import type { PortalKind } from '../../model/manifest.ts';
import type { OpenedSource } from '../source.ts';
import type { PortalClient } from './portal-client.ts';

/**
 * Finds what an address leads to, for one kind of portal. All its requests go through the client.
 * @throws NoSuchPortal; LonghaulError as `openSource`.
 */
export type Portal<Address> = (address: Address, client: PortalClient) => Promise<Found>;

export type Found = Table | Lead | Several;

/** A table whose records the portal itself sends. */
export interface Table {
  /** @param follow opens another address as for a lead. The opened source closes the client. */
  open(follow: (url: URL) => Promise<OpenedSource>): Promise<OpenedSource>;
  describe(): Promise<Description>;
}

/** The address of a file or of a portal's table. The worker checks it as it checks a redirect. */
export interface Lead {
  leadsTo: URL;
  /** Used if `leadsTo` is the address of a file. */
  describe(): Promise<Description>;
}

/** Several tables, of which the address does not select one. */
export interface Several {
  /** The start of a message: `… has 3 CSV resources`. */
  what: string;
  choices: Choice[];
}

/** What a portal says about one of its tables, for the user. The text is untrusted, so commands print it with care. */
export interface Description {
  kind: PortalKind;
  /** The address of the service or of the file. */
  service: string;
  /** Whether a run reads a file, or pages. */
  reads: 'file' | 'pages';
  title?: string;
  licence?: string;
  publisher?: string;
  records?: number;
  /** ISO 8601, UTC. */
  changedAt?: string;
  columns?: DescribedColumn[];
  /** The first records, in the order of the columns. */
  examples?: (string | null)[][];
}

export interface DescribedColumn {
  name: string;
  /** The portal's own name of the type. */
  type: string;
  title?: string;
}

/** One of several tables that an address leads to. */
export interface Choice {
  address: string;
  title: string;
}

/** A message names at most this many tables. The command that describes an address lists all of them. */
const MAX_NAMED = 20;

/** Returns the first addresses with their titles, for a message. */
export function listed(choices: readonly Choice[]): string {
  const named = choices.slice(0, MAX_NAMED).map(({ address, title }) => {
    return `${printable(address)} (${printable(title.slice(0, 100))})`;
  });
  const others = choices.length - named.length;
  return `${named.join(', ')}${others > 0 ? `, and ${others} others` : ''}`;
}

/** Publishers write the format by hand (`CSV`, `.csv`, `text/csv`). If there is none, the address decides. */
export function isCsv(format: string | undefined, address = ''): boolean {
  if (format !== undefined) return /^(?:text\/|\.)?csv\b/i.test(format.trim());
  return /\.csv(?:[?#]|$)/i.test(address);
}

/** The address has the form of a portal's, but the host is no such portal. So it is the address of a file. */
export class NoSuchPortal extends Error {}

/** A portal's restart takes about a minute. A shorter wait would cause many requests in a night of maintenance. */
const MAINTENANCE_SECONDS = 60;

/**
 * Asks a host that has answered as a portal before. A maintenance page does not mean that the host is no portal.
 * @throws LonghaulError SOURCE_UNAVAILABLE if the host does not answer as a portal now.
 */
export async function stillPortal<T>(shown: string, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof NoSuchPortal)) throw error;
    const what = `${shown} has answered as a portal before, and does not now.`;
    throw new LonghaulError('SOURCE_UNAVAILABLE', what, { retryAfterSeconds: MAINTENANCE_SECONDS });
  }
}
