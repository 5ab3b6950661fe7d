import { LonghaulError } from '../../model/errors.ts';
import { printable } from '../../model/names.ts';
import { header } from '../http-answers.ts';
import type { Response } from '../http-request.ts';
import { fieldOf, isoTimeOf, lineOf, listOf, numberOf, textOf } from './json.ts';
import { byOffset, type Effort } from './page-size.ts';
import { openPaged, type PagedTable, type TableState } from './paged-table.ts';
import { NoSuchPortal, type DescribedColumn, type Portal } from './portal.ts';
import { MAX_PAGE_BYTES, type PortalClient } from './portal-client.ts';
import type { AddressOf } from './recognise.ts';
import { examplesOf, isRecord, RENDERING_VERSION, rowsOf, versionTag } from './records.ts';
import type { JsonRecord } from './records.ts';

type Address = AddressOf<'socrata'>;

export const socrata: Portal<Address> = async (address, client) => {
  const view = await viewOf(address, client);
  const count = await countOf(address, client);
  return {
    open: async () => openPaged(tableOf(address, { view, count }, client), client),
    describe: async () => {
      const { json, columns, examples, rowsUpdatedAtSeconds = NaN } = view;
      const names = columns.map(({ name }) => name);
      return {
        kind: 'socrata',
        service: resourceOf(address).href,
        reads: 'pages',
        title: lineOf(json, 'name'),
        licence: lineOf(fieldOf(json, 'license'), 'name') ?? lineOf(json, 'licenseId'),
        publisher: lineOf(json, 'attribution'),
        records: count,
        changedAt: isoTimeOf(rowsUpdatedAtSeconds * 1000),
        columns,
        examples: examplesOf(rowsOf(examples, names)),
      };
    },
  };
};

function tableOf(
  address: Address,
  { view, count }: { view: View; count: number },
  client: PortalClient,
): PagedTable {
  const shown = resourceOf(address).href;
  const columns = view.columns.map(({ name }) => name);
  const page = async (offset: number, limit: number, effort: Effort): Promise<JsonRecord[]> => {
    const query = { ...EVERY_FIELD, $limit: String(limit), $offset: String(offset) };
    const rows = await ask(address, client, query, effort);
    assertColumns(shown, columns, rows);
    return rows.records;
  };
  return {
    shown,
    columns,
    state: stateOf(view, count),
    next: byOffset(columns, page, newIds()),
    stateNow: async () => {
      const viewNow = await viewOf(address, client);
      return stateOf(viewNow, await countOf(address, client));
    },
    facts: { kind: 'socrata', service: shown },
  };
}

/** A record omits a field that is null, so only the list of fields shows that a column is gone. */
function assertColumns(shown: string, columns: readonly string[], { records, fields }: Rows): void {
  const known = new Set(columns);
  const added = [...(fields ?? []), ...records.flatMap(Object.keys)].find(
    (name) => !name.startsWith(':') && !known.has(name),
  );
  const gone = fields && columns.find((name) => !fields.includes(name));
  if (added === undefined && gone === undefined) return;
  const what = added === undefined ? 'without the column' : 'with another column,';
  const name = printable((added ?? gone ?? '').slice(0, 100));
  throw new LonghaulError('SOURCE_CHANGED', `${shown} answers ${what} ${JSON.stringify(name)}.`);
}

/** Only Socrata knows the order of its ids. So this detects only ids that repeat in a page or the page before. */
function newIds(): (records: readonly JsonRecord[], before: string | null) => string | undefined {
  let known = new Set<string>();
  return (records, before) => {
    if (before !== null) known.add(before);
    const ids = new Set(records.flatMap((record) => textOf(record, ':id') ?? []));
    if (ids.size < records.length || [...ids].some((id) => known.has(id))) return undefined;
    known = ids;
    return [...ids].at(-1);
  };
}

interface View {
  /** The portal's answer, unchanged. */
  json: unknown;
  columns: DescribedColumn[];
  examples: JsonRecord[];
  rowsUpdatedAtSeconds: number | undefined;
}

/** The names of system fields, and of columns that Socrata computes for its maps, begin with this. */
const SYSTEM = ':';

/** The star must come first. `:id` identifies a record, and only its order is the same for all pages. */
const EVERY_FIELD = { $select: '*,:id', $order: ':id' };

const EXAMPLES = 3;

/**
 * Returns the description of a table from `api/views`, with its first records.
 * @throws NoSuchPortal; LonghaulError PORTAL_UNUSABLE if it is a map, a chart, a file or a link.
 */
async function viewOf(address: Address, client: PortalClient): Promise<View> {
  const { page, id } = address;
  const json = await client.metadata(new URL(`/api/views/${id}.json`, page));
  const viewType = textOf(json, 'viewType');
  if (viewType === undefined) throw new NoSuchPortal();
  if (viewType !== 'tabular') {
    const what = `${page.origin}/d/${id} is of the kind ${JSON.stringify(printable(viewType.slice(0, 40)))}, which has no records of a table.`;
    throw new LonghaulError('PORTAL_UNUSABLE', what);
  }
  const query = { ...EVERY_FIELD, $limit: String(EXAMPLES) };
  const { records: examples, fields } = await ask(address, client, query);
  const columns = columnsOf(json, fields);
  const rowsUpdatedAtSeconds = numberOf(json, 'rowsUpdatedAt');
  if (columns.length > 0) return { json, columns, examples, rowsUpdatedAtSeconds };
  throw new LonghaulError('PORTAL_UNUSABLE', `${page.origin}/d/${id} has no columns.`);
}

/**
 * Returns the columns in the publisher's order, and then fields that the description omits, such as parts of an
 * address.
 * @param fields the fields that records have; undefined if the portal does not list them.
 */
function columnsOf(view: unknown, fields: readonly string[] | undefined): DescribedColumn[] {
  const position = (column: unknown): number =>
    numberOf(column, 'position') ?? Number.MAX_SAFE_INTEGER;
  const described = listOf(view, 'columns')
    .toSorted((one, other) => position(one) - position(other))
    .flatMap((column) => {
      const name = textOf(column, 'fieldName');
      const isHidden = listOf(column, 'flags').includes('hidden');
      if (name === undefined || (fields ? !fields.includes(name) : isHidden)) return [];
      const type = textOf(column, 'dataTypeName') ?? '';
      return [{ name, type, title: lineOf(column, 'name') }];
    });
  const names = new Set(described.map(({ name }) => name));
  const others = (fields ?? []).filter((name) => !names.has(name));
  return [...described, ...others.map((name) => ({ name, type: '' }))].filter(
    ({ name }) => !name.startsWith(SYSTEM),
  );
}

/** The state of the records that `api/views` and `count(*)` show at the same time. */
function stateOf({ json, columns, rowsUpdatedAtSeconds }: View, count: number): TableState {
  if (rowsUpdatedAtSeconds === undefined) return { count };
  // A filtered view has its own query, but the change time of the table below it.
  const filter = [textOf(json, 'queryString'), fieldOf(json, 'query')];
  const names = columns.map(({ name, type }) => [name, type]);
  const parts = [rowsUpdatedAtSeconds, names, filter, count, RENDERING_VERSION];
  return { version: versionTag('socrata', parts), count };
}

/** @throws LonghaulError PORTAL_ANSWER_INVALID. */
async function countOf(address: Address, client: PortalClient): Promise<number> {
  const { records } = await ask(address, client, { $select: 'count(*)' });
  const [value] = Object.values(records[0] ?? {});
  if (typeof value === 'string' && /^\d{1,15}$/.test(value)) return Number(value);
  const count = numberOf({ value }, 'value');
  if (count !== undefined) return count;
  const what = `${resourceOf(address).href} answered with no count to $select=count(*).`;
  throw new LonghaulError('PORTAL_ANSWER_INVALID', what);
}

interface Rows {
  records: JsonRecord[];
  /** The fields of the records, because a record omits null fields. Undefined if there are too many for a header. */
  fields: string[] | undefined;
}

/**
 * Requests rows by SoQL.
 * @throws LonghaulError SOURCE_NOT_READY if a replica with older records answers.
 */
async function ask(
  address: Address,
  client: PortalClient,
  query: Readonly<Record<string, string>>,
  effort: Effort = { maxBytes: MAX_PAGE_BYTES },
): Promise<Rows> {
  const url = resourceOf(address);
  const asked = new URL(`${url.href}?${new URLSearchParams(query).toString()}`);
  return await client.json(asked, { isPortal: true, ...effort }, (json, response) => {
    assertNotStale(response, url);
    if (Array.isArray(json) && json.every(isRecord)) {
      return { records: json, fields: fieldsIn(header(response, 'x-soda2-fields')) };
    }
    const what = `${url.href} answered with no list of records.`;
    throw new LonghaulError('PORTAL_ANSWER_INVALID', what);
  });
}

function resourceOf({ page, id }: Address): URL {
  return new URL(`/resource/${id}.json`, page);
}

function fieldsIn(names: string | undefined): string[] | undefined {
  try {
    const fields: unknown = JSON.parse(names ?? 'null');
    const isField = (each: unknown): each is string => typeof each === 'string';
    return Array.isArray(fields) && fields.every(isField) ? fields : undefined;
  } catch {
    return undefined;
  }
}

/** The wait before a retry. A replica needs minutes, or hours after a large update. */
const STALE_SECONDS = 10;

/** If an old replica sent one page and a newer one another, the mixture would not show in the count. */
function assertNotStale(response: Response, url: URL): void {
  if (header(response, 'x-soda2-data-out-of-date')?.trim().toLowerCase() !== 'true') return;
  const what = `${url.href} answered from a copy of the data, and says that the copy is out of date.`;
  throw new LonghaulError('SOURCE_NOT_READY', what, { retryAfterSeconds: STALE_SECONDS });
}
