import type { Answer, Origin } from '../origin.ts';
import { json } from './socrata.ts';

export const RESOURCE = '5de110e5-6ef9-4282-9866-9201a0014dea';

/** A CKAN server with one data set. A test may change it while Longhaul reads it. */
export interface FakeCkan {
  /** Resources of the data set and the other fields of `package_show`. */
  dataset: { title: string; resources: Record<string, unknown>[] } & Record<string, unknown>;
  /** Records of the DataStore, with `_id`. */
  records: Record<string, unknown>[];
  fields: { id: string; type: string }[];
  /** The most records of an answer, even if the client asks for more. */
  cap: number;
  /** Replaces `total` with a false number. */
  total?: number | undefined;
  isEstimated?: boolean | undefined;
  /** Called before page `number` (1 is the first). It may change the data or return another answer. */
  beforePage?: ((number: number) => Answer | undefined) | undefined;
  pages: number;
}

export function datastoreOf(rows: readonly (readonly unknown[])[], names: string[]): FakeCkan {
  return {
    dataset: {
      title: 'Road works',
      license_title: 'Creative Commons Attribution',
      organization: { title: 'Public Works' },
      resources: [resourceOf({ id: RESOURCE, url_type: 'datastore', datastore_active: true })],
    },
    records: rows.map((values, row) =>
      Object.fromEntries([
        ['_id', row + 1],
        ...names.map((name, index) => [name, values[index]] as const),
      ]),
    ),
    fields: [{ id: '_id', type: 'int' }, ...names.map((id) => ({ id, type: 'text' }))],
    cap: 32_000,
    pages: 0,
  };
}

/** A resource in which empty fields have the nulls and empty texts of CKAN. */
export function resourceOf(known: Record<string, unknown>): Record<string, unknown> {
  return {
    name: 'table',
    format: '',
    url: '',
    url_type: null,
    mimetype: null,
    hash: '',
    size: null,
    last_modified: null,
    metadata_modified: '2020-12-12T12:03:16.115821',
    datastore_active: false,
    ...known,
  };
}

/** Serves the actions of CKAN on an origin. @returns the address of the data set's page. */
export function serveCkan(origin: Origin, ckan: FakeCkan, prefix = ''): string {
  const action = (name: string): string => `${prefix}/api/3/action/${name}`;
  origin.set(action('package_show'), (_, { query }) =>
    new URLSearchParams(query).get('id') === 'road-works' ? success(ckan.dataset) : notFound(),
  );
  origin.set(action('resource_show'), (_, { query }) => {
    const id = new URLSearchParams(query).get('id');
    const found = ckan.dataset.resources.find((each) => each['id'] === id);
    return found ? success(found) : notFound();
  });
  origin.set(action('datastore_search'), (_, { query }) => {
    const asked = new URLSearchParams(query);
    const [limit, offset] = [Number(asked.get('limit')), Number(asked.get('offset'))];
    if (asked.get('sort') !== '_id') return { status: 409, body: '{}' };
    // A request with limit 1 only looks at the table. It is not a page.
    if (limit > 1) {
      ckan.pages += 1;
      const other = ckan.beforePage?.(ckan.pages);
      if (other) return other;
    }
    return success(searched(ckan, offset, limit));
  });
  return origin.address(`${prefix}/dataset/road-works`);
}

/** Answers a page. Its link to a next page is there even after the last record. */
function searched(
  { records, fields, cap, total, isEstimated }: FakeCkan,
  offset: number,
  limit: number,
) {
  const used = Math.min(limit, cap);
  return {
    include_total: true,
    resource_id: RESOURCE,
    fields,
    records: records.slice(offset, offset + used),
    limit: used,
    total: total ?? records.length,
    total_was_estimated: isEstimated ?? false,
    _links: { next: `/api/3/action/datastore_search?offset=${offset + used}` },
  };
}

function success(result: unknown): Answer {
  return json({ help: 'http://h/help_show?name=x', success: true, result });
}

/** An error in the portal's language. */
export function notFound(): Answer {
  const error = { message: 'Não encontrado', __type: 'Not Found Error' };
  return { status: 404, body: JSON.stringify({ success: false, error }) };
}
