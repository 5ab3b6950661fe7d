import { LonghaulError } from '../../model/errors.ts';
import { printable } from '../../model/names.ts';
import { isoTimeOf, fieldOf, lineOf, textOf } from './json-fields.ts';
import type { Description } from './description.ts';
import { pagesByOffset, type OffsetTable } from './offset-table.ts';
import { openPaged } from './paged-table.ts';
import type { Portal } from './portal.ts';
import type { PortalClient } from './portal-client.ts';
import { examplesOf } from './records.ts';
import {
  ask,
  countOf,
  EVERY_FIELD,
  resourceOf,
  stateOf,
  viewOf,
  type Rows,
  type SocrataAddress,
  type View,
} from './socrata-view.ts';

export const socrata: Portal<SocrataAddress> = {
  open: async (address, client) => {
    const view = await viewOf(address, client);
    const count = await countOf(address, client);
    return openPaged(pagesByOffset(tableOf({ address, view, count }, client)), client.request);
  },
  describe: async (address, client): Promise<Description> => {
    const { json, columns, examples, rowsUpdatedAtSeconds = NaN } = await viewOf(address, client);
    const names = columns.map(({ name }) => name);
    return {
      kind: 'socrata',
      service: resourceOf(address).href,
      reads: 'pages',
      title: lineOf(json, 'name'),
      licence: lineOf(fieldOf(json, 'license'), 'name') ?? lineOf(json, 'licenseId'),
      publisher: lineOf(json, 'attribution'),
      records: await countOf(address, client),
      changedAt: isoTimeOf(rowsUpdatedAtSeconds * 1000),
      columns,
      examples: examplesOf(examples, names),
    };
  },
};

interface Opened {
  address: SocrataAddress;
  view: View;
  count: number;
}

function tableOf({ address, view, count }: Opened, client: PortalClient): OffsetTable {
  const shown = resourceOf(address).href;
  const columns = view.columns.map(({ name }) => name);
  return {
    shown,
    columns,
    state: stateOf(view, count),
    page: async (offset, limit, effort) => {
      const query = { ...EVERY_FIELD, $limit: String(limit), $offset: String(offset) };
      const page = await ask(address, client, query, effort);
      assertColumns(shown, columns, page);
      return page.records;
    },
    follows: newIds(),
    stateNow: async () => {
      const after = await viewOf(address, client);
      return stateOf(after, await countOf(address, client));
    },
    facts: { kind: 'socrata', service: shown },
    close: async () => await client.close(),
  };
}

/** A field that is null is left out of a record, so only the list of fields says that a column is gone. */
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

/** The ids' order is Socrata's own, so that only repeated ones can be told: in a page, and in the one before. */
function newIds(): OffsetTable['follows'] {
  let known = new Set<string>();
  return (before, records) => {
    if (before !== null) known.add(before);
    const ids = new Set(records.flatMap((record) => textOf(record, ':id') ?? []));
    if (ids.size < records.length || [...ids].some((id) => known.has(id))) return undefined;
    known = ids;
    return [...ids].at(-1);
  };
}
