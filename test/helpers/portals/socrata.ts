import type { Answer, Origin, SeenRequest } from '../origin.ts';

/** A table of a Socrata portal. A test may change it while Longhaul reads it. */
export interface FakeSocrata {
  view: Record<string, unknown>;
  /** Records in the order of `:id`. The server sends their values unchanged. */
  records: Record<string, unknown>[];
  /** The most records of an answer, even if the client asks for more. */
  cap: number;
  /** Fields that the header names. If it is undefined, there is no header. */
  fields: string[] | undefined;
  /** Called before page `number` (1 is the first). It may change the table or return another answer. */
  beforePage?: ((number: number, request: SeenRequest) => Answer | undefined) | undefined;
  /** Replaces the result of `count(*)` with a false number. */
  count?: number | undefined;
  /** Number of pages that the client has asked for. */
  pages: number;
}

/** Serves the table on an origin. @returns the address of its page. */
export function serveSocrata(origin: Origin, id: string, table: FakeSocrata): string {
  origin.set(`/api/views/${id}.json`, () => json(table.view));
  origin.set(`/resource/${id}.json`, (_, request) => {
    const query = new URLSearchParams(request.query);
    if (query.get('$select') === 'count(*)') {
      return json([{ count: String(table.count ?? table.records.length) }]);
    }
    if (query.get('$select') !== '*,:id' || query.get('$order') !== ':id') {
      return { status: 400, body: '{"message":"Star selections must come at the start"}' };
    }
    if (!query.has('$offset')) return page(table, { offset: 0, limit: 3 });
    table.pages += 1;
    const other = table.beforePage?.(table.pages, request);
    const [limit, offset] = [Number(query.get('$limit')), Number(query.get('$offset'))];
    return other ?? page(table, { offset, limit });
  });
  return origin.address(`/Public-Works/Potholes/${id}`);
}

export function page(
  { records, cap, fields }: FakeSocrata,
  { offset, limit }: { offset: number; limit: number },
): Answer {
  const rows = records.slice(offset, offset + Math.min(limit, cap));
  const names = fields && JSON.stringify([...fields, ':id']);
  return json(rows, names === undefined ? {} : { 'x-soda2-fields': names });
}

/** Makes a view in the form of `api/views`. All its columns have the type `text`. */
export function viewOf(names: readonly string[]): Record<string, unknown> {
  const columns = names.map((name, index) => ({
    name: `The ${name}`,
    dataTypeName: 'text',
    fieldName: name,
    position: index + 1,
  }));
  return {
    name: 'Potholes',
    attribution: 'Public Works',
    license: { name: 'Creative Commons Attribution 3.0 Unported' },
    viewType: 'tabular',
    rowsUpdatedAt: 1_340_760_761,
    // The portal does not list the columns in their order.
    columns: columns.toReversed(),
  };
}

export function socrataOf(
  names: readonly string[],
  rows: readonly (readonly (string | null)[])[],
): FakeSocrata {
  const records = rows.map((values, row) => {
    const fields = names.flatMap((name, index) =>
      values[index] === null ? [] : [[name, values[index]] as const],
    );
    return Object.fromEntries([...fields, [':id', `row-${row}`]]);
  });
  return { view: viewOf(names), records, cap: 50_000, fields: [...names], pages: 0 };
}

export function json(value: unknown, headers: Record<string, string> = {}): Answer {
  const body = JSON.stringify(value);
  return { body, ranges: false, headers: { 'content-type': 'application/json', ...headers } };
}
