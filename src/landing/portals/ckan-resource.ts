import { fieldOf, textOf } from './json-fields.ts';

/** A file or table of a CKAN data set. */
export interface CkanResource {
  id: string;
  name: string | undefined;
  /** As it came: of this portal, of another host, or relative. */
  url: string | undefined;
  isCsv: boolean;
  /** `datastore`: there are records only, and no file. */
  urlType: string | undefined;
  hasRecords: boolean;
  /** The DataStore is a copy of the file, and may have a part of it. */
  hasAllRecords: boolean;
  /** UTC; CKAN writes no zone. */
  modifiedAt: string | undefined;
}

/** Undefined where it is none. */
export function resourceOf(json: unknown): CkanResource | undefined {
  const id = textOf(json, 'id');
  if (id === undefined) return undefined;
  const urlType = textOf(json, 'url_type');
  return {
    id,
    name: textOf(json, 'name'),
    url: textOf(json, 'url'),
    isCsv: urlType === 'datastore' || isCsv(json),
    urlType,
    hasRecords: fieldOf(json, 'datastore_active') === true,
    hasAllRecords: fieldOf(json, 'datastore_contains_all_records_of_source_file') !== false,
    modifiedAt: textOf(json, 'last_modified') ?? textOf(json, 'metadata_modified'),
  };
}

/** Publishers write the format by hand (`CSV`, `.csv`, `text/csv`); the rest decides where they wrote none. */
function isCsv(json: unknown): boolean {
  const format = textOf(json, 'format') ?? textOf(json, 'mimetype');
  if (format !== undefined) return /^(?:text\/|\.)?csv\b/i.test(format.trim());
  return /\.csv(?:[?#]|$)/i.test(textOf(json, 'url') ?? '');
}
