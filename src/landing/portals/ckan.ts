import { isDeepStrictEqual } from 'node:util';
import { LonghaulError } from '../../model/errors.ts';
import { printable } from '../../model/names.ts';
import type { OpenedSource } from '../source.ts';
import { fieldOf, isoTimeOf, lineOf, listOf, numberOf, textOf, type ExactJson } from './json.ts';
import { byOffset, type Effort } from './page-size.ts';
import { openPaged, type TableState } from './paged-table.ts';
import { isCsv, NoSuchPortal, stillPortal, type Description, type Found } from './portal.ts';
import type { Portal } from './portal.ts';
import { MAX_PAGE_BYTES, shownOf, type PortalClient } from './portal-client.ts';
import type { AddressOf } from './recognise.ts';
import { examplesOf, isRecord, RENDERING_VERSION, rowsOf, versionTag } from './records.ts';
import type { JsonRecord } from './records.ts';

/** The actions of one CKAN server. */
interface Ckan {
  /** The address under which the server's pages are. */
  base: URL;
  client: PortalClient;
}

const EXAMPLES = 3;
const ONE = { offset: 0, limit: 1 };

/** The column with CKAN's own number of a record. */
const ID = '_id';

/** Reads the page of a data set or of one of its resources. */
export const ckanDataset: Portal<AddressOf<'ckan-dataset'>> = async (
  { base, dataset, resource },
  client,
) => {
  const { ckan, result } = await show({ base, client }, 'package_show', dataset);
  const resources = listOf(result, 'resources').flatMap((each) => resourceOf(each) ?? []);
  const wanted = resources.filter((each) =>
    resource === undefined ? each.isCsv : each.id === resource.toLowerCase(),
  );
  const [only, ...others] = wanted;
  const { shown } = client.request;
  if (!only) {
    throw resource === undefined
      ? new LonghaulError('PORTAL_UNUSABLE', `${shown} has no CSV resource.`)
      : new LonghaulError(
          'SOURCE_NOT_FOUND',
          `${shown}: the data set has no resource ${resource} (any more).`,
        );
  }
  if (others.length === 0) return found(ckan, only, { dataset: async () => result });
  return {
    what: `${shown} has ${wanted.length} CSV resources`,
    choices: wanted.map(({ id, name = id }) => ({
      address: new URL(`dataset/${encodeURIComponent(dataset)}/resource/${id}`, ckan.base).href,
      title: lineOf({ name }, 'name') ?? id,
    })),
  };
};

/** Reads the address of a resource's records or of its description. */
export const ckanResource: Portal<AddressOf<'ckan-resource'>> = async (
  { base, resource: id },
  client,
) => {
  const { ckan, result } = await show({ base, client }, 'resource_show', id);
  const resource = resourceOf(result);
  if (!resource) {
    const what = `${client.request.shown} answered with no resource.`;
    throw new LonghaulError('PORTAL_ANSWER_INVALID', what);
  }
  const packageId = textOf(result, 'package_id');
  const dataset = async (): Promise<unknown> =>
    packageId === undefined ? result : (await show(ckan, 'package_show', packageId)).result;
  return found(ckan, resource, { dataset, asRecords: resource.hasRecords });
};

/** A file or table of a CKAN data set. */
interface Resource {
  id: string;
  name: string | undefined;
  /** The address from the portal's answer: on this portal, on another host, or relative. */
  url: string | undefined;
  isCsv: boolean;
  /** The resource has only records, and no file. */
  hasNoFile: boolean;
  hasRecords: boolean;
  /** Whether the DataStore holds all records of the file. It is a copy, and may hold only some. */
  hasAllRecords: boolean;
  /** The time in UTC. CKAN writes no zone. */
  modifiedAt: string | undefined;
}

/** Returns undefined if the JSON is not a resource. */
function resourceOf(json: unknown): Resource | undefined {
  const id = textOf(json, 'id');
  if (id === undefined) return undefined;
  const url = textOf(json, 'url');
  const hasNoFile = textOf(json, 'url_type') === 'datastore';
  return {
    id,
    name: textOf(json, 'name'),
    url,
    isCsv: hasNoFile || isCsv(textOf(json, 'format') ?? textOf(json, 'mimetype'), url),
    hasNoFile,
    hasRecords: fieldOf(json, 'datastore_active') === true,
    hasAllRecords: fieldOf(json, 'datastore_contains_all_records_of_source_file') !== false,
    modifiedAt: textOf(json, 'last_modified') ?? textOf(json, 'metadata_modified'),
  };
}

interface Asked {
  /** Asks the portal for the data set's description. */
  dataset: () => Promise<unknown>;
  /** The address asks for the DataStore's records, although there may be a file. */
  asRecords?: boolean;
}

/** The DataStore is a copy and may be older than the file. So the file comes first if there is one. */
function found(ckan: Ckan, resource: Resource, { dataset, asRecords = false }: Asked): Found {
  const isPages = resource.hasNoFile || asRecords;
  const target = isPages ? dumpOf(ckan, resource) : fileOf(ckan, resource);
  const describe = async (): Promise<Description> => {
    const json = await dataset();
    const names = [lineOf(json, 'title'), lineOf(resource, 'name')].flatMap((each) => each ?? []);
    return {
      kind: 'ckan',
      service: target.href,
      reads: isPages ? 'pages' : 'file',
      title: names.join(': '),
      licence: lineOf(json, 'license_title') ?? lineOf(json, 'license_id'),
      publisher: lineOf(fieldOf(json, 'organization'), 'title') ?? lineOf(json, 'author'),
      changedAt: isoTimeOf(Date.parse(`${resource.modifiedAt ?? ''}Z`)),
      ...(resource.hasRecords &&
        resource.hasAllRecords &&
        (await recordsOf(ckan, resource, isPages))),
    };
  };
  return isPages
    ? { open: async () => await openRecords(ckan, resource), describe }
    : { leadsTo: target, describe };
}

/** Opens the records of a resource in CKAN's DataStore. @throws LonghaulError as `datastorePage`. */
async function openRecords(ckan: Ckan, resource: Resource): Promise<OpenedSource> {
  const service = dumpOf(ckan, resource).href;
  if (!resource.hasNoFile && !resource.hasAllRecords) {
    const what = `${service} has a part of the file only, as the portal says.`;
    const hint = `Use the address of the file: ${fileOf(ckan, resource).href}`;
    throw new LonghaulError('PORTAL_UNUSABLE', what, { hint });
  }
  const first = await datastorePage(ckan, resource, ONE);
  const columns = first.fields.map(({ name }) => name);
  const page = async (offset: number, limit: number, effort: Effort): Promise<JsonRecord[]> => {
    const { fields, records } = await datastorePage(ckan, resource, { offset, limit }, effort);
    if (isDeepStrictEqual(fields, first.fields)) return records;
    const what = `${service} has other columns than at the start of the reading.`;
    throw new LonghaulError('SOURCE_CHANGED', what);
  };
  const stateNow = async (): Promise<TableState> => {
    const { result } = await show(ckan, 'resource_show', resource.id);
    return stateOf(resourceOf(result) ?? resource, await datastorePage(ckan, resource, ONE));
  };
  const table = {
    ...{ shown: service, columns, state: stateOf(resource, first), stateNow },
    next: byOffset(columns, page, lastOf),
    facts: { kind: 'ckan' as const, service, objectIdColumn: ID },
  };
  return openPaged(table, ckan.client);
}

async function recordsOf(
  ckan: Ckan,
  resource: Resource,
  isPages: boolean,
): Promise<Pick<Description, 'records' | 'columns' | 'examples'>> {
  const first = { offset: 0, limit: EXAMPLES };
  const { fields, records, total } = await datastorePage(ckan, resource, first);
  // A file does not have the numbers that the DataStore gives its records.
  const columns = isPages ? fields : fields.filter(({ name }) => name !== ID);
  const names = columns.map(({ name }) => name);
  return { records: total, columns, examples: examplesOf(rowsOf(records, names)) };
}

/** @throws LonghaulError PORTAL_UNUSABLE. */
function fileOf({ base }: Ckan, { id, url = '' }: Resource): URL {
  if (url !== '' && URL.canParse(url, base.href)) return new URL(url, base);
  const what = `The resource ${id} of ${base.href} has no address of a file.`;
  throw new LonghaulError('PORTAL_UNUSABLE', what);
}

function dumpOf({ base }: Ckan, { id }: Resource): URL {
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
async function datastorePage(
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

/** A CKAN server also answers 404 with JSON. */
const ANSWERS = { statuses: [404] };

/**
 * Returns the result of an action that shows whether a host is a CKAN server. The pages' addresses may have a prefix, a
 * language or a folder, that the actions' addresses do not have.
 * @throws NoSuchPortal; LonghaulError SOURCE_NOT_FOUND.
 */
async function show(
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
