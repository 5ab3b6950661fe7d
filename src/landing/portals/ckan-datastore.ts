import { isDeepStrictEqual } from 'node:util';
import { LonghaulError } from '../../model/errors.ts';
import { printable } from '../../model/names.ts';
import { fieldOf, listOf, numberOf, textOf, type ExactJson } from './json.ts';
import { byOffset, type Effort } from './page-size.ts';
import type { PagedTable, TableState } from './paged-table.ts';
import { NoSuchPortal, stillPortal } from './portal.ts';
import { MAX_PAGE_BYTES, shownOf, type PortalClient } from './portal-client.ts';
import { isRecord, RENDERING_VERSION, versionTag, type JsonRecord } from './records.ts';

/** The actions of one CKAN server. */
export interface Ckan {
  /** The address under which the server's pages are. */
  base: URL;
  client: PortalClient;
}

/** A CKAN server also answers 404 with JSON. */
const ANSWERS = { statuses: [404] };

/**
 * Returns the result of an action that shows whether a host is a CKAN server. The pages' addresses may have a prefix, a
 * language or a folder, that the actions' addresses do not have.
 * @throws NoSuchPortal; LonghaulError SOURCE_NOT_FOUND.
 */
export async function show(
  { base, client }: Ckan,
  action: 'package_show' | 'resource_show',
  id: string,
): Promise<{ ckan: Ckan; result: unknown }> {
  const root = new URL('/', base);
  try {
    const url = actionOf({ base, client }, action, { id });
    return { ckan: { base, client }, result: resultOf(url, await client.metadata(url, ANSWERS)) };
  } catch (error) {
    if (base.href === root.href || !(error instanceof NoSuchPortal)) throw error;
    return await show({ base: root, client }, action, id);
  }
}

/** The column with CKAN's own number of a record. */
export const ID = '_id';

/** A resource whose records are in the DataStore. */
export interface Resource {
  id: string;
  /** The time in UTC. CKAN writes no zone. */
  modifiedAt: string | undefined;
}

const ONE = { offset: 0, limit: 1 };

/**
 * Returns the records of a resource in CKAN's DataStore.
 * @param resourceNow asks the portal for the resource after the pages were read.
 * @throws LonghaulError as `datastorePage`.
 */
export async function datastoreTable(
  ckan: Ckan,
  resource: Resource,
  resourceNow: () => Promise<Resource>,
): Promise<PagedTable> {
  const first = await datastorePage(ckan, resource, ONE);
  const columns = first.fields.map(({ name }) => name);
  const service = dumpOf(ckan, resource).href;
  const page = async (offset: number, limit: number, effort: Effort): Promise<JsonRecord[]> => {
    const { fields, records } = await datastorePage(ckan, resource, { offset, limit }, effort);
    if (isDeepStrictEqual(fields, first.fields)) return records;
    const what = `${service} has other columns than at the start of the reading.`;
    throw new LonghaulError('SOURCE_CHANGED', what);
  };
  return {
    shown: service,
    columns,
    state: stateOf(resource, first),
    next: byOffset(columns, page, lastOf),
    stateNow: async () => stateOf(await resourceNow(), await datastorePage(ckan, resource, ONE)),
    facts: { kind: 'ckan', service, objectIdColumn: ID },
  };
}

export function dumpOf({ base }: Ckan, { id }: Resource): URL {
  return new URL(`datastore/dump/${id}`, base);
}

function stateOf({ modifiedAt }: Resource, { fields, total }: DatastorePage): TableState {
  if (modifiedAt === undefined) return { count: total };
  const columns = fields.map(({ name, type }) => [name, type]);
  const parts = [modifiedAt, columns, total, RENDERING_VERSION];
  return { version: versionTag('ckan', parts), count: total };
}

/** Returns the last id, or undefined if the ids do not ascend. Ascending ids show that no record is there twice. */
function lastOf(records: readonly JsonRecord[], before: string | null): string | undefined {
  let last = before === null ? -Infinity : Number(before);
  for (const record of records) {
    const id = numberOf(record, ID);
    if (id === undefined || id <= last) return undefined;
    last = id;
  }
  return String(last);
}

interface DatastorePage {
  fields: { name: string; type: string }[];
  records: JsonRecord[];
  total: number;
}

/**
 * Requests DataStore records in the order of their `_id`. The links to a next page never end, so they are not used.
 * @throws LonghaulError PORTAL_ANSWER_INVALID; PORTAL_UNUSABLE if the DataStore estimates the number of records.
 */
export async function datastorePage(
  ckan: Ckan,
  { id }: Resource,
  { offset, limit }: { offset: number; limit: number },
  effort: Effort = { maxBytes: MAX_PAGE_BYTES },
): Promise<DatastorePage> {
  const range = { limit: String(limit), offset: String(offset) };
  const url = actionOf(ckan, 'datastore_search', { resource_id: id, ...range, sort: ID });
  const answer = await ckan.client.json(url, { ...ANSWERS, isPortal: true, ...effort });
  const result = await stillPortal(shownOf(url), async () => resultOf(url, answer));
  if (fieldOf(result, 'total_was_estimated') === true) {
    const what = `${shownOf(url)} estimates how many records it has, so that nothing says whether all arrived.`;
    throw new LonghaulError('PORTAL_UNUSABLE', what);
  }
  const fields = listOf(result, 'fields').flatMap((field) => {
    const name = textOf(field, 'id');
    return name === undefined ? [] : [{ name, type: textOf(field, 'type') ?? '' }];
  });
  const records = listOf(result, 'records');
  const total = numberOf(result, 'total');
  if (total !== undefined && fields.length > 0 && records.every(isRecord)) {
    return { fields, records, total };
  }
  const what = `${shownOf(url)} answered without fields, records or their total.`;
  throw new LonghaulError('PORTAL_ANSWER_INVALID', what);
}

function actionOf({ base }: Ckan, action: string, query: Record<string, string>): URL {
  return new URL(`api/3/action/${action}?${new URLSearchParams(query).toString()}`, base);
}

/**
 * Messages are in the portal's language, so only the type of an error shows what happened.
 * @throws NoSuchPortal if the answer is neither a result nor an error of CKAN.
 */
function resultOf(url: URL, json: ExactJson): unknown {
  const result = fieldOf(json, 'result');
  if (fieldOf(json, 'success') === true && result !== undefined) return result;
  const error = fieldOf(json, 'error');
  const type = textOf(error, '__type');
  if (type === undefined) throw new NoSuchPortal();
  const said = printable((textOf(error, 'message') ?? type).slice(0, 200));
  const code = type === 'Not Found Error' ? 'SOURCE_NOT_FOUND' : 'SOURCE_REFUSED';
  throw new LonghaulError(code, `${shownOf(url)} answered: ${said}.`);
}
