import { shownAddress } from '../../model/addresses.ts';
import { LonghaulError } from '../../model/errors.ts';
import type { PortalTable } from '../../model/manifest.ts';
import { openHttp } from '../http-source.ts';
import type { OpenedSource } from '../source.ts';
import { CANONICAL } from './canonical-csv.ts';
import type { Description } from './description.ts';
import { fieldOf, isoTimeOf, lineOf, listOf, numberOf, textOf } from './json-fields.ts';
import { NoSuchPortal, stillPortal } from './no-such-portal.ts';
import type { TableState } from './offset-table.ts';
import type { Portal } from './portal.ts';
import { MAX_PAGE_BYTES, type PortalClient } from './portal-client.ts';
import type { PortalAddress } from './recognise.ts';
import { examplesOf, isRecord } from './records.ts';
import { versionTag } from './version-tag.ts';

type Address = Extract<PortalAddress, { kind: 'opendatasoft' }>;

/** Whatever changes the bytes of an export, so that no setting of the portal or of the host's language does. */
const EXPORT = 'delimiter=%2C&timezone=UTC&use_labels=false&lang=en&limit=-1';

const EXAMPLES = 3;

/** OpenDataSoft makes a CSV file of all records while it sends it; it says neither its version nor its length. */
export const opendatasoft: Portal<Address> = {
  open: async (address, client) => {
    const before = stateOf(await datasetAt(address, client), address);
    const file = partOf(address, `/exports/csv?${EXPORT}`);
    // There is nothing to go on with: each answer is made anew.
    const request = { ...client.request, from: undefined, headBytes: undefined };
    const opened = await openHttp(file, { ...request, shown: shownAddress(file.href) });
    return checked(opened, {
      facts: { kind: 'opendatasoft', service: partOf(address).href, records: before.count },
      before,
      now: async () => stateOf(await datasetAt(address, client), address),
      close: async () => await client.close(),
    });
  },
  describe: async (address, client): Promise<Description> => {
    const json = await datasetAt(address, client);
    const columns = listOf(json, 'fields').flatMap((field) => {
      const [name, title] = [textOf(field, 'name'), lineOf(field, 'label')];
      const type = textOf(field, 'type') ?? '';
      return name === undefined ? [] : [{ name, type, ...(title !== undefined && { title }) }];
    });
    const names = columns.map(({ name }) => name);
    const first = await client.json(partOf(address, `/records?limit=${EXAMPLES}`), MAX_PAGE_BYTES);
    return {
      kind: 'opendatasoft',
      service: partOf(address).href,
      reads: 'file',
      title: lineOf(metasOf(json), 'title'),
      licence: lineOf(metasOf(json), 'license'),
      publisher: lineOf(metasOf(json), 'publisher'),
      records: stateOf(json, address).count,
      changedAt: isoTimeOf(Date.parse(textOf(metasOf(json), 'data_processed') ?? '')),
      columns,
      examples: examplesOf(listOf(first, 'results').filter(isRecord), names),
    };
  },
};

interface Check {
  facts: PortalTable;
  before: TableState;
  now: () => Promise<TableState>;
  close: () => Promise<void>;
}

/** The file, with the portal's own version of it. At its end that must be the same still. */
function checked(opened: OpenedSource, { facts, before, now, close }: Check): OpenedSource {
  let ended: PortalTable | undefined;
  const body = async function* (): AsyncGenerator<Buffer> {
    yield* opened.body;
    const after = await stillPortal(facts.service, now);
    if (after.version !== before.version || after.count !== before.count) {
      const what = `The publisher edited ${facts.service} while it was being read: ${before.count} records, then ${after.count}.`;
      throw new LonghaulError('SOURCE_CHANGED', what);
    }
    ended = facts;
  };
  return {
    ...opened,
    validator: before.version === undefined ? {} : { etag: before.version },
    totalRecords: before.count,
    reading: CANONICAL,
    body: body(),
    portal: () => ended,
    close: async () => {
      await opened.close();
      await close();
    },
  };
}

/** @throws NoSuchPortal; LonghaulError PORTAL_UNUSABLE where it has files and no records. */
async function datasetAt(address: Address, client: PortalClient): Promise<unknown> {
  const { json } = await client.metadata(partOf(address));
  if (textOf(json, 'dataset_id') === undefined) throw new NoSuchPortal();
  if (fieldOf(json, 'has_records') !== false) return json;
  throw new LonghaulError('PORTAL_UNUSABLE', `${partOf(address).href} has no records.`);
}

function stateOf(json: unknown, address: Address): TableState {
  const metas = metasOf(json);
  const count = numberOf(metas, 'records_count');
  if (count === undefined) {
    const what = `${partOf(address).href} does not say how many records it has.`;
    throw new LonghaulError('PORTAL_UNUSABLE', what);
  }
  const processed = textOf(metas, 'data_processed');
  if (processed === undefined) return { count };
  const fields = listOf(json, 'fields').map((field) => [
    fieldOf(field, 'name'),
    fieldOf(field, 'type'),
  ]);
  return { version: versionTag('opendatasoft', [processed, fields, count, EXPORT]), count };
}

function metasOf(json: unknown): unknown {
  return fieldOf(fieldOf(json, 'metas'), 'default');
}

function partOf({ page, id }: Address, rest = ''): URL {
  return new URL(`/api/explore/v2.1/catalog/datasets/${id}${rest}`, page);
}
