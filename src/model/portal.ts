/** Kinds of portals whose tables are read page by page, or whose file is found by the address of its page. */
export const PORTAL_KINDS = ['arcgis', 'socrata', 'ckan', 'opendatasoft', 'dcat'] as const;
export type PortalKind = (typeof PORTAL_KINDS)[number];

/** What a portal says of a table, and its CSV does not: part of a landing's manifest and of a source's entry. */
export interface PortalTable {
  kind: PortalKind;
  /** The address of the service, as it may be shown. */
  service: string;
  /** Longhaul wrote the CSV itself, from pages, in its one form. */
  isCanonical?: true;
  /** The records that the portal counts. Absent where it counts none. */
  records?: number;
  /** The publisher's column that tells records apart within one landing. It is no key between days: portals reload with new ids. */
  objectIdColumn?: string;
  /** Publisher's column → code → name: values are codes. */
  domains?: Record<string, Record<string, string>>;
  /** Publisher's column → values that are the empty text: Parquet has NULL for them, as for null. */
  emptyTexts?: Record<string, number>;
  /** Publisher's column → values that the portal sent as NaN or Infinity; the CSV has null for them. */
  notNumbers?: Record<string, number>;
  /** The zone in which the publisher says that it keeps dates, as it says so; the CSV has UTC without a zone. */
  dateZone?: string;
}
