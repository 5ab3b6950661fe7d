import { LonghaulError } from '../../model/errors.ts';
import { printable } from '../../model/names.ts';
import type { PortalKind } from '../../model/manifest.ts';
import type { OpenedSource } from '../source.ts';
import type { PortalClient } from './portal-client.ts';

/**
 * One kind of portals: what an address leads to. Whatever it asks goes through the client.
 * @throws NoSuchPortal; LonghaulError as `openSource`.
 */
export type Portal<Address> = (address: Address, client: PortalClient) => Promise<Found>;

export type Found = Table | Lead | Several;

/** Records that the portal itself gives. */
export interface Table {
  /** @param follow opens another address, as that of a lead. The client is closed with what is opened. */
  open(follow: (url: URL) => Promise<OpenedSource>): Promise<OpenedSource>;
  describe(): Promise<Description>;
}

/** Another address: of a file, or of a table of this portal or another one. It is checked as a redirect is. */
export interface Lead {
  leadsTo: URL;
  /** Where it is the address of a file. */
  describe(): Promise<Description>;
}

/** None of them is meant more than the others. */
export interface Several {
  /** For a message: `… has 3 CSV resources`. */
  what: string;
  choices: Choice[];
}

/** What a portal says of one of its tables, for people: a stranger's text, to be printed with care. */
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
  /** In the portal's own words. */
  type: string;
  title?: string;
}

/** Where an address leads to several tables: the address of each. */
export interface Choice {
  address: string;
  title: string;
}

/** Of a catalogue of thousands, a message names so many; the command that describes an address lists all. */
const MAX_NAMED = 20;

/** For a message: the first addresses, each with its title. */
export function listed(choices: readonly Choice[]): string {
  const named = choices.slice(0, MAX_NAMED).map(({ address, title }) => {
    return `${printable(address)} (${printable(title.slice(0, 100))})`;
  });
  const others = choices.length - named.length;
  return `${named.join(', ')}${others > 0 ? `, and ${others} others` : ''}`;
}

/** Publishers write the format by hand (`CSV`, `.csv`, `text/csv`); the address decides where they wrote none. */
export function isCsv(format: string | undefined, address = ''): boolean {
  if (format !== undefined) return /^(?:text\/|\.)?csv\b/i.test(format.trim());
  return /\.csv(?:[?#]|$)/i.test(address);
}

/** An address has the form of a portal's, and its host is no such portal: it is the address of a file. */
export class NoSuchPortal extends Error {}

/** Short enough for a restart, long enough not to ask often in a night of maintenance. */
const MAINTENANCE_SECONDS = 60;

/**
 * Asks a host that has answered as a portal before: a page of its maintenance does not make it another host.
 * @throws LonghaulError SOURCE_UNAVAILABLE where it does not answer so now.
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
