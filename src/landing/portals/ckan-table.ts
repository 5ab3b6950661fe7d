import { isDeepStrictEqual } from 'node:util';
import { LonghaulError } from '../../model/errors.ts';
import { RENDERING_VERSION } from './canonical-csv.ts';
import { datastorePage, type Ckan, type DatastorePage } from './ckan-api.ts';
import type { CkanResource } from './ckan-resource.ts';
import { numberOf } from './json-fields.ts';
import type { OffsetTable, TableState } from './offset-table.ts';
import { MAX_PAGE_BYTES } from './portal-client.ts';
import type { JsonRecord } from './records.ts';
import { versionTag } from './version-tag.ts';

/** CKAN's own number of a record. */
export const ID = '_id';

/**
 * The records that a CKAN's DataStore has of a resource.
 * @param resourceNow what the portal says of the resource once its pages were read.
 * @throws LonghaulError as `datastorePage`.
 */
export async function datastoreTable(
  ckan: Ckan,
  resource: CkanResource,
  resourceNow: () => Promise<CkanResource>,
): Promise<OffsetTable> {
  const one = { offset: 0, limit: 1, maxBytes: MAX_PAGE_BYTES };
  const first = await datastorePage(ckan, resource.id, one);
  const service = dumpOf(ckan, resource).href;
  return {
    shown: service,
    columns: first.fields.map(({ name }) => name),
    state: stateOf(resource, first),
    page: async (offset, limit, effort) => {
      const { fields, records } = await datastorePage(ckan, resource.id, {
        offset,
        limit,
        ...effort,
      });
      if (isDeepStrictEqual(fields, first.fields)) return records;
      const what = `${service} has other columns than at the start of the reading.`;
      throw new LonghaulError('SOURCE_CHANGED', what);
    },
    follows,
    stateNow: async () => stateOf(await resourceNow(), await datastorePage(ckan, resource.id, one)),
    facts: { kind: 'ckan', service, objectIdColumn: ID },
    close: async () => await ckan.client.close(),
  };
}

export function dumpOf({ base }: Ckan, { id }: CkanResource): URL {
  return new URL(`datastore/dump/${id}`, base);
}

function stateOf({ modifiedAt }: CkanResource, { fields, total }: DatastorePage): TableState {
  if (modifiedAt === undefined) return { count: total };
  const parts = [
    modifiedAt,
    fields.map(({ name, type }) => [name, type]),
    total,
    RENDERING_VERSION,
  ];
  return { version: versionTag('ckan', parts), count: total };
}

/** Ascending, so that no record is there twice. */
function follows(before: string | null, records: readonly JsonRecord[]): string | undefined {
  let last = before === null ? -Infinity : Number(before);
  for (const record of records) {
    const id = numberOf(record, ID);
    if (id === undefined || id <= last) return undefined;
    last = id;
  }
  return String(last);
}
