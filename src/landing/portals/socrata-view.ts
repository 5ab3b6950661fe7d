import { LonghaulError } from '../../model/errors.ts';
import { printable } from '../../model/names.ts';
import { fieldOf, lineOf, listOf, numberOf, textOf } from './json-fields.ts';
import { NoSuchPortal } from './no-such-portal.ts';
import { MAX_METADATA_BYTES, MAX_PAGE_BYTES, type PortalClient } from './portal-client.ts';
import { RENDERING_VERSION } from './canonical-csv.ts';
import type { TableState } from './offset-table.ts';
import { isRecord, type JsonRecord } from './records.ts';
import type { Response } from '../http-request.ts';
import { header } from '../http-answers.ts';
import type { PortalAddress } from './recognise.ts';
import type { Effort } from './page-size.ts';
import { versionTag } from './version-tag.ts';

export type SocrataAddress = Extract<PortalAddress, { kind: 'socrata' }>;

export interface View {
  /** As it came. */
  json: unknown;
  columns: ViewColumn[];
  examples: JsonRecord[];
  rowsUpdatedAtSeconds: number | undefined;
}

export interface ViewColumn {
  name: string;
  type: string;
  title?: string;
}

/** Columns that Socrata computes for its maps, and its system fields, begin so. */
const SYSTEM = ':';

/** The star goes first. Socrata knows each record by `:id`; no other order is the same for every page. */
export const EVERY_FIELD = { $select: '*,:id', $order: ':id' };

const EXAMPLES = 3;

/**
 * What `api/views` says of a table, with its first records.
 * @throws NoSuchPortal; LonghaulError PORTAL_UNUSABLE where it is a map, a chart, a file or a link.
 */
export async function viewOf(address: SocrataAddress, client: PortalClient): Promise<View> {
  const { page, id } = address;
  const { json } = await client.metadata(new URL(`/api/views/${id}.json`, page));
  const viewType = textOf(json, 'viewType');
  if (viewType === undefined) throw new NoSuchPortal();
  if (viewType !== 'tabular') {
    const what = `${page.origin}/d/${id} is of the kind ${JSON.stringify(printable(viewType.slice(0, 40)))}, which has no records of a table.`;
    throw new LonghaulError('PORTAL_UNUSABLE', what);
  }
  const query = { ...EVERY_FIELD, $limit: String(EXAMPLES) };
  const { records, fields } = await ask(address, client, query, { maxBytes: MAX_PAGE_BYTES });
  const columns = columnsOf(json, fields);
  if (columns.length > 0) {
    return {
      json,
      columns,
      examples: records,
      rowsUpdatedAtSeconds: numberOf(json, 'rowsUpdatedAt'),
    };
  }
  throw new LonghaulError('PORTAL_UNUSABLE', `${page.origin}/d/${id} has no columns.`);
}

/**
 * In the publisher's order; then what the description does not name, such as the parts of an address.
 * @param fields that records have; undefined where the portal does not say.
 */
function columnsOf(view: unknown, fields: readonly string[] | undefined): ViewColumn[] {
  const position = (column: unknown): number =>
    numberOf(column, 'position') ?? Number.MAX_SAFE_INTEGER;
  const described = listOf(view, 'columns')
    .toSorted((one, other) => position(one) - position(other))
    .flatMap((column) => {
      const name = textOf(column, 'fieldName');
      const isHidden = listOf(column, 'flags').includes('hidden');
      if (name === undefined || (fields ? !fields.includes(name) : isHidden)) return [];
      const title = lineOf(column, 'name');
      return [
        { name, type: textOf(column, 'dataTypeName') ?? '', ...(title !== undefined && { title }) },
      ];
    });
  const names = new Set(described.map(({ name }) => name));
  const others = (fields ?? []).filter((name) => !names.has(name));
  return [...described, ...others.map((name) => ({ name, type: '' }))].filter(
    ({ name }) => !name.startsWith(SYSTEM),
  );
}

/** Of the records that `api/views` and `count(*)` speak of at the same time. */
export function stateOf({ json, columns, rowsUpdatedAtSeconds }: View, count: number): TableState {
  if (rowsUpdatedAtSeconds === undefined) return { count };
  // A filtered view has its own text, and the time of the table below it.
  const filter = [textOf(json, 'queryString'), fieldOf(json, 'query')];
  const names = columns.map(({ name, type }) => [name, type]);
  const parts = [rowsUpdatedAtSeconds, names, filter, count, RENDERING_VERSION];
  return { version: versionTag('socrata', parts), count };
}

/** @throws LonghaulError PORTAL_ANSWER_INVALID. */
export async function countOf(address: SocrataAddress, client: PortalClient): Promise<number> {
  const { records } = await ask(
    address,
    client,
    { $select: 'count(*)' },
    { maxBytes: MAX_METADATA_BYTES },
  );
  const [value] = Object.values(records[0] ?? {});
  if (typeof value === 'string' && /^\d{1,15}$/.test(value)) return Number(value);
  const count = numberOf({ value }, 'value');
  if (count !== undefined) return count;
  const what = `${resourceOf(address).href} answered with no count to $select=count(*).`;
  throw new LonghaulError('PORTAL_ANSWER_INVALID', what);
}

export interface Rows {
  records: JsonRecord[];
  /** The fields that records have, where a null one is left out; undefined where there are too many for a header. */
  fields: string[] | undefined;
}

/**
 * Rows by SoQL.
 * @throws LonghaulError SOURCE_NOT_READY where a replica answers that has older records.
 */
export async function ask(
  address: SocrataAddress,
  client: PortalClient,
  query: Readonly<Record<string, string>>,
  { maxBytes, tries }: Effort,
): Promise<Rows> {
  const url = resourceOf(address);
  const refusal = (response: Response): LonghaulError | undefined => staleness(response, url);
  const asked = new URL(`${url.href}?${new URLSearchParams(query).toString()}`);
  const { json, response } = await client.answer(asked, maxBytes, {
    refusal,
    isPortal: true,
    ...(tries !== undefined && { tries }),
  });
  if (Array.isArray(json) && json.every(isRecord)) {
    const fields = fieldsIn(header(response, 'x-soda2-fields'));
    return { records: json, fields };
  }
  const what = `${url.href} answered with no list of records.`;
  throw new LonghaulError('PORTAL_ANSWER_INVALID', what);
}

export function resourceOf({ page, id }: SocrataAddress): URL {
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

/** Replicas follow within minutes, or hours after a large update. */
const STALE_SECONDS = 10;

/** A page of an old replica among pages of a newer one would be a mixture that no count shows. */
function staleness(response: Response, url: URL): LonghaulError | undefined {
  if (header(response, 'x-soda2-data-out-of-date')?.trim().toLowerCase() !== 'true')
    return undefined;
  const what = `${url.href} answered from a copy of the data that is out of date, as it says itself.`;
  return new LonghaulError('SOURCE_NOT_READY', what, { retryAfterSeconds: STALE_SECONDS });
}
