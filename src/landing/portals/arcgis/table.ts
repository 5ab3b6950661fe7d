import { shownAddress } from '../../../model/addresses.ts';
import { LonghaulError } from '../../../model/errors.ts';
import type { PortalTable } from '../../../model/manifest.ts';
import { isoTimeOf, lineOf, listOf, numberOf } from '../json.ts';
import { PageSize } from '../page-size.ts';
import { openPaged, type PagedTable, type TableState } from '../paged-table.ts';
import type { Choice, Description, Portal, Table } from '../portal.ts';
import { shownOf, type PortalClient } from '../portal-client.ts';
import type { AddressOf } from '../recognise.ts';
import { examplesOf, RENDERING_VERSION, versionTag } from '../records.ts';
import { invalid, metadataOf, unusable } from './answers.ts';
import { layerOf, type Layer } from './layer.ts';
import { ALL, Queries, type Feature, type PageRequest } from './queries.ts';
import { columnsOf, rowReader } from './render.ts';

/** The number of records that a description shows. */
const EXAMPLES = 5;

/** Opens a layer of a FeatureServer or MapServer: the one that the address names, or the only one. */
export const serviceAt: Portal<AddressOf<'arcgis-service'>> = async (
  { service, layer },
  client,
) => {
  if (layer !== undefined) return layerAt(layerIn(service, layer), client);
  const choices = await listLayers(service, client);
  const [only, ...others] = choices;
  if (!only) throw unusable(service, 'has no layer or table');
  if (others.length === 0) return layerAt(new URL(only.address), client);
  return { what: `${shownOf(service)} has ${choices.length} layers and tables`, choices };
};

/**
 * Lists the layers and tables of a service that have records.
 * @param service `…/FeatureServer` or `…/MapServer`.
 * @throws LonghaulError as `openSource`.
 */
export async function listLayers(service: URL, client: PortalClient): Promise<Choice[]> {
  const metadata = await metadataOf(service, client);
  const all = [...listOf(metadata, 'layers'), ...listOf(metadata, 'tables')];
  return all.flatMap((each) => {
    const id = numberOf(each, 'id');
    // A group of layers has no records of its own.
    const isGroup = listOf(each, 'subLayerIds').length > 0;
    if (id === undefined || !Number.isSafeInteger(id) || isGroup) return [];
    const title = lineOf(each, 'name') ?? String(id);
    return [{ address: layerIn(service, id).href, title }];
  });
}

function layerIn(service: URL, layer: number): URL {
  return new URL(`${service.pathname.replace(/\/+$/, '')}/${layer}`, service);
}

/**
 * Reads a layer or table of a FeatureServer or MapServer by object id, as one CSV file.
 * @param url `…/FeatureServer/<number>`, without a query.
 */
export function layerAt(url: URL, client: PortalClient): Table {
  const find = async (): Promise<Layer> =>
    layerOf(url, await metadataOf(url, client), client.request.geometry);
  return {
    open: async () => {
      const queries = new Queries(await find(), client);
      return openPaged(await tableOf(queries, client), client);
    },
    describe: async () => await describe(new Queries(await find(), client)),
  };
}

async function describe(queries: Queries): Promise<Description> {
  const { layer } = queries;
  const hasGeometry = layer.geometry !== 'none';
  const first = layer.hasPages ? { order: 'ASC' as const, records: EXAMPLES } : {};
  const page = await queries.page({ where: ALL, hasGeometry, ...first });
  const fields = new Map(layer.fields.map((field) => [field.name, field]));
  return {
    kind: 'arcgis',
    service: shownAddress(layer.url.href),
    reads: 'pages',
    title: layer.title,
    publisher: layer.publisher,
    changedAt: isoTimeOf(layer.editedAtMs),
    records: await queries.count(ALL),
    columns: columnsOf(layer).map((name) => {
      const { type = 'geometry', title } = fields.get(name) ?? {};
      return { name, type, ...(title !== name && { title }) };
    }),
    examples: examplesOf(page.slice(0, EXAMPLES).map(rowReader(layer))),
  };
}

/** The records of a layer to read: those up to the highest object id at the start. */
interface Extent {
  /** Undefined if there is no record. */
  top: bigint | undefined;
  /** All object ids, if the server cannot send pages in an order. */
  ids: BigInt64Array | undefined;
}

/** Many servers give a wrong highest id in statistics, so the worker asks for the records themselves. */
async function extentOf(queries: Queries): Promise<Extent> {
  const { hasPages, objectIdField } = queries.layer;
  if (hasPages) {
    const [highest] = await queries.page({ where: ALL, order: 'DESC', records: 1 });
    const top = highest?.id;
    // Some servers ignore the order. Then records above this id exist, and the count is not 0.
    const above = top === undefined ? ALL : `${objectIdField} > ${top}`;
    if ((await queries.count(above)) === 0) return { top, ids: undefined };
  }
  const ids = await queries.ids(ALL);
  return { top: ids.at(-1), ids };
}

/**
 * Returns the records in pages by ascending object id, each id once. Offsets are not used, because a record that is
 * added or removed would move the records after it.
 */
async function tableOf(queries: Queries, client: PortalClient): Promise<PagedTable> {
  const { layer } = queries;
  const { url, geometry, maxRecordCount } = layer;
  const { top, ids } = await extentOf(queries);
  const size = new PageSize(maxRecordCount);
  const rowOf = rowReader(layer);
  return {
    shown: shownOf(url),
    columns: columnsOf(layer),
    state: stateOf(layer, await queries.count(whereUpTo(layer, top)), top),
    next: async ({ after: digits }) => {
      const after = digits === null ? undefined : BigInt(digits);
      if (after === top || top === undefined) return undefined;
      const page = ids
        ? await pageByIds(queries, size, { ids, after })
        : await pageInOrder(queries, size, { top, after });
      return page && { rows: page.features.map(rowOf), after: String(page.last) };
    },
    stateNow: async () => {
      const now = layerOf(url, await metadataOf(url, client, true), geometry);
      return stateOf(now, await queries.count(whereUpTo(layer, top)), top);
    },
    facts: factsOf(layer),
  };
}

/** Only the layer's edit time changes with each edit. So there is no version without it. */
function stateOf(layer: Layer, count: number, top: bigint | undefined): TableState {
  const { edits, geometry, objectIdField } = layer;
  const named = layer.fields.map(({ name, type }) => [name, type]);
  const fields = JSON.stringify([objectIdField, ...named]);
  if (edits === undefined) return { count, fields };
  const parts = [edits, count, String(top), fields, geometry, RENDERING_VERSION];
  return { version: versionTag('arcgis', parts), count, fields };
}

function factsOf({ url, fields, objectIdField, dateZone }: Layer): PortalTable {
  const coded = fields.flatMap(({ name, domain }) => (domain ? [[name, domain] as const] : []));
  const domains: Record<string, Record<string, string>> = Object.fromEntries(coded);
  return {
    kind: 'arcgis',
    service: shownAddress(url.href),
    objectIdColumn: objectIdField,
    ...(coded.length > 0 && { domains }),
    ...(dateZone !== undefined && { dateZone }),
  };
}

/** The condition limits the records to those up to the top, so that a new record above it changes no count. */
function whereUpTo({ objectIdField }: Layer, top: bigint | undefined): string {
  return top === undefined ? ALL : `${objectIdField} <= ${top}`;
}

interface LayerPage {
  features: Feature[];
  /** The object id up to which the worker has read all records. */
  last: bigint;
}

async function pageInOrder(
  queries: Queries,
  size: PageSize,
  { top, after }: { top: bigint; after: bigint | undefined },
): Promise<LayerPage | undefined> {
  const { layer } = queries;
  const upTo = whereUpTo(layer, top);
  const where = after === undefined ? upTo : `${layer.objectIdField} > ${after} AND ${upTo}`;
  const request = (records: number): PageRequest => ({ where, order: 'ASC', records });
  const features = await ask(queries, size, request, (page, isCut) => {
    assertWithin(layer.url, page, (id) => (after === undefined || id > after) && id <= top);
    if (!areOrdered(page)) throw invalid(layer.url, 'sent records in another order than asked');
    if (page.length === 0 && isCut) {
      throw invalid(layer.url, 'sent no record, and says that there are more');
    }
  });
  const last = features.at(-1)?.id;
  return last === undefined ? undefined : { features, last };
}

/** Requests a page by its lowest and highest id. A list of ids could be longer than servers accept. */
async function pageByIds(
  queries: Queries,
  size: PageSize,
  { ids, after }: { ids: BigInt64Array; after: bigint | undefined },
): Promise<LayerPage> {
  const { objectIdField: name, url } = queries.layer;
  const at = after === undefined ? 0 : indexIn(ids, after + 1n);
  for (;;) {
    let [chunk, first, last] = [ids, 0n, 0n];
    const range = (records: number): PageRequest => {
      chunk = ids.subarray(at, at + records);
      [first = 0n, last = 0n] = [chunk[0], chunk.at(-1)];
      return { where: `${name} >= ${first} AND ${name} <= ${last}` };
    };
    const features = await ask(queries, size, range, (page) => {
      assertWithin(url, page, (id) => id >= first && id <= last);
      const added = page.find(({ id }) => chunk[indexIn(chunk, id)] !== id);
      if (added) {
        const what = `${shownOf(url)} added the record ${added.id} while its records were being read.`;
        throw new LonghaulError('SOURCE_CHANGED', what);
      }
      page.sort((a, b) => (a.id < b.id ? -1 : 1));
      if (!areOrdered(page)) throw invalid(url, 'sent a record twice');
    });
    // The server sends fewer records than it says, or a record was removed, which the count shows at the end.
    if (features.length === chunk.length || !size.shrink()) return { features, last };
  }
}

async function ask(
  queries: Queries,
  size: PageSize,
  request: (records: number) => PageRequest,
  isWanted: (features: Feature[], isCut: boolean) => void,
): Promise<Feature[]> {
  const hasGeometry = queries.layer.geometry !== 'none';
  return await size.ask(async (records, effort) => {
    const wanted = request(records);
    try {
      return await queries.page({ ...wanted, hasGeometry }, effort, isWanted);
    } catch (error) {
      if (records > 1 || !(error instanceof LonghaulError)) throw error;
      const what = `${error.message} It was asked for one record, the first where ${wanted.where}.`;
      throw new LonghaulError(error.code, what, error.details, { cause: error });
    }
  });
}

/** Whether the ids ascend strictly, so that none is there twice. */
function areOrdered(features: Feature[]): boolean {
  return features.every(({ id }, index) => index === 0 || id > (features[index - 1]?.id ?? id));
}

function assertWithin(url: URL, features: Feature[], isWithin: (id: bigint) => boolean): void {
  const other = features.find(({ id }) => !isWithin(id));
  if (!other) return;
  throw unusable(url, `ignores \`where\`: it sent the record ${other.id}, which was not asked for`);
}

/** Returns the index of the first id that is not less than the wanted one. */
function indexIn(ids: BigInt64Array, wanted: bigint): number {
  let [low, high] = [0, ids.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ids[middle] ?? wanted) < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}
