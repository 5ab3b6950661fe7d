import { shownAddress } from '../../model/addresses.ts';
import { LonghaulError } from '../../model/errors.ts';
import type { PortalTable } from '../../model/manifest.ts';
import { openHttp } from '../http-source.ts';
import type { OpenedSource } from '../source.ts';
import { fieldOf, isoTimeOf, lineOf, listOf, numberOf, textOf } from './json.ts';
import { assertUnchanged, type TableState } from './paged-table.ts';
import { NoSuchPortal, type Description, type Portal } from './portal.ts';
import { MAX_PAGE_BYTES, type PortalClient } from './portal-client.ts';
import type { AddressOf } from './recognise.ts';
import { CANONICAL, examplesOf, isRecord, rowsOf, versionTag } from './records.ts';

type Address = AddressOf<'opendatasoft'>;

/** All settings that change an export's bytes. Settings of the portal or of the host's language then change nothing. */
const EXPORT = 'delimiter=%2C&timezone=UTC&use_labels=false&lang=en&limit=-1';

const EXAMPLES = 3;

/** OpenDataSoft makes a CSV file of all records while it sends it. The file has neither a version nor a length. */
export const opendatasoft: Portal<Address> = async (address, client) => {
  const json = await datasetAt(address, client);
  return {
    open: async () => await openExport(address, stateOf(json, address), client),
    describe: async (): Promise<Description> => {
      const columns = listOf(json, 'fields').flatMap((field) => {
        const name = textOf(field, 'name');
        if (name === undefined) return [];
        return [{ name, type: textOf(field, 'type') ?? '', title: lineOf(field, 'label') }];
      });
      const asked = { maxBytes: MAX_PAGE_BYTES };
      const first = await client.json(partOf(address, `/records?limit=${EXAMPLES}`), asked);
      const names = columns.map(({ name }) => name);
      const records = listOf(first, 'results').filter(isRecord);
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
        examples: examplesOf(rowsOf(records, names)),
      };
    },
  };
};

/** Opens the file with the portal's version of the table. The version must be the same after the last byte. */
async function openExport(
  address: Address,
  state: TableState,
  client: PortalClient,
): Promise<OpenedSource> {
  const file = partOf(address, `/exports/csv?${EXPORT}`);
  // An attempt cannot continue, because the portal makes each answer anew.
  const request = { ...client.request, from: undefined, headBytes: undefined };
  const opened = await openHttp(file, { ...request, shown: shownAddress(file.href) });
  const shown = partOf(address).href;
  let facts: PortalTable | undefined;
  const body = async function* (): AsyncGenerator<Buffer> {
    yield* opened.body;
    const stateNow = async (): Promise<TableState> =>
      stateOf(await datasetAt(address, client), address);
    await assertUnchanged({ shown, state, stateNow });
    facts = { kind: 'opendatasoft', service: shown, records: state.count };
  };
  return {
    ...opened,
    validator: state.version === undefined ? {} : { etag: state.version },
    totalRecords: state.count,
    reading: CANONICAL,
    body: body(),
    portal: () => facts,
    close: async () => {
      await opened.close();
      await client.close();
    },
  };
}

/** @throws NoSuchPortal; LonghaulError PORTAL_UNUSABLE if the data set has files and no records. */
async function datasetAt(address: Address, client: PortalClient): Promise<unknown> {
  const json = await client.metadata(partOf(address));
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
