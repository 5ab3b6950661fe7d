import type { PortalKind } from '../../model/manifest.ts';

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

/** Where an address leads to several tables: the addresses of each. */
export interface Choice {
  address: string;
  title: string;
}
