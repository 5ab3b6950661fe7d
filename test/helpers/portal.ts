import { after, before } from 'node:test';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';

/**
 * An ArcGIS server with made-up data on a free loopback port. It misbehaves as a test asks:
 *
 *     const portal = await startArcgis();
 *     const layer = layerOf(featuresOf(3, (id) => ({ OBJECTID: id, name: `n${id}` })));
 *     portal.serve(layer); // http://127.0.0.1:<port>/arcgis/rest/services/s1/FeatureServer/0
 *     layer.intercept = ({ kind, number }) => (kind === 'page' && number % 2 === 0 ? errorAnswer(500) : undefined);
 *     layer.requests; // the requests so far
 *     await portal.close();
 *
 * A test may change the switches of a layer while Longhaul reads it.
 */
export async function startArcgis(): Promise<ArcgisServer> {
  const services = new Map<string, FakeLayer[]>();
  const server = createServer((request, response) => {
    respond(services, request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    serve: (...layers) => {
      const path = `/arcgis/rest/services/s${services.size + 1}/FeatureServer`;
      for (const [index, { metadata }] of layers.entries()) metadata['id'] = index;
      services.set(path, layers);
      return `${url}${path}${layers.length === 1 ? '/0' : ''}`;
    },
    serveAt: (path, layer) => {
      services.set(path, [layer]);
      return url + path;
    },
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

/** Starts one ArcGIS server for all tests of a file. */
export function arcgisOfFile(): Pick<ArcgisServer, 'serve'> {
  let server: ArcgisServer;
  before(async () => {
    server = await startArcgis();
  });
  after(async () => await server.close());
  return { serve: (...layers) => server.serve(...layers) };
}

export interface ArcgisServer {
  url: string;
  /** Serves layers as a new service. @returns the service's address, or the address of its only layer. */
  serve(...layers: FakeLayer[]): string;
  /** Serves a layer under the number in its metadata. @returns the service's address. */
  serveAt(path: string, layer: FakeLayer): string;
  close(): Promise<void>;
}

/** Records of a table by ascending object id, as JSON, because a JavaScript number cannot hold every number. */
export interface Features {
  length: number;
  id: (index: number) => bigint;
  /** Returns `{"attributes":{…},"geometry":{…}}`. */
  json: (index: number) => string;
}

export interface Asked {
  kind: 'service' | 'layer' | 'count' | 'ids' | 'page';
  /** Number among the requests of this kind. 1 is the first. */
  number: number;
  form: URLSearchParams;
}

export interface PortalAnswer {
  status?: number;
  headers?: Record<string, string>;
  body: string;
}

export interface FakeLayer {
  features: Features;
  objectIdField: string;
  /** The layer's description; see `layerOf`. */
  metadata: Record<string, unknown>;
  /** The most records of a page, even if the metadata or the client name more. */
  cap: number;
  /** Parameters that an old or a broken server ignores. */
  ignores: Set<'where' | 'order' | 'records' | 'returnCountOnly' | 'forms'>;
  /** False: no page says that more records follow. */
  saysMore: boolean;
  gzips: boolean;
  /** Called before each answer. It may change the layer or return another answer. */
  intercept: (asked: Asked) => PortalAnswer | Promise<PortalAnswer | undefined> | undefined;
  /** Requests so far. The oldest is first. */
  requests: Asked[];
}

export interface FakeField {
  name: string;
  type: string;
  [more: string]: unknown;
}

const OID: FakeField = { name: 'OBJECTID', type: 'esriFieldTypeOID' };

/** A table as in ArcGIS Online. `metadata` replaces its properties. The value undefined removes a property. */
export function layerOf(
  features: Features,
  fields: FakeField[] = [OID, { name: 'name', type: 'esriFieldTypeString' }],
  { cap = 2000, ...metadata }: { cap?: number } & Record<string, unknown> = {},
): FakeLayer {
  const objectIdField = fields.find(({ type }) => type === OID.type)?.name ?? OID.name;
  return {
    features,
    objectIdField,
    metadata: {
      ...{ currentVersion: 11.2, id: 0, name: 'Accidents', type: 'Table' },
      ...{ objectIdField, fields, maxRecordCount: cap, capabilities: 'Query,Extract' },
      advancedQueryCapabilities: { supportsPagination: true, supportsOrderBy: true },
      editingInfo: { lastEditDate: 1_764_000_000_000, dataLastEditDate: 1_763_000_000_000 },
      ...metadata,
    },
    cap,
    ignores: new Set(),
    saysMore: true,
    gzips: false,
    intercept: () => undefined,
    requests: [],
  };
}

/** Makes records with the ids 1, 2, …. If JSON.stringify would change a number, `attributesOf` can return JSON text. */
export function featuresOf(
  length: number,
  attributesOf: (id: number) => object | string,
  geometryOf?: (id: number) => string,
): Features {
  return {
    length,
    id: (index) => BigInt(index + 1),
    json: (index) => {
      const attributes = attributesOf(index + 1);
      const json = typeof attributes === 'string' ? attributes : JSON.stringify(attributes);
      const geometry = geometryOf ? `,"geometry":${geometryOf(index + 1)}` : '';
      return `{"attributes":${json}${geometry}}`;
    },
  };
}

/** Makes a table with the ids 1, 2, … and the names `n1`, `n2`, …. `csvOfNamed` makes the matching CSV file. */
export function layerOfNamed(length: number, metadata?: Parameters<typeof layerOf>[2]): FakeLayer {
  return layerOf(named(length), undefined, metadata);
}
export function named(length: number, text = 'n'): Features {
  return featuresOf(length, (id) => ({ OBJECTID: id, name: `${text}${id}` }));
}
export function csvOfNamed(length: number, text = 'n'): string {
  const lines = Array.from({ length }, (_, at) => `${at + 1},${text}${at + 1}\n`);
  return `OBJECTID,name\n${lines.join('')}`;
}

/** Makes exactly these records. Each is an id and the other attributes. */
export function theseFeatures(
  records: readonly [id: bigint | number | string, rest: object][],
  objectIdField = OID.name,
): Features {
  return {
    length: records.length,
    id: (index) => BigInt(records[index]?.[0] ?? 0),
    json: (index) => {
      const [id, rest] = records[index] ?? [];
      const others = JSON.stringify(rest).slice(1);
      return `{"attributes":{"${objectIdField}":${id}${others === '}' ? '' : ','}${others}}`;
    },
  };
}

/** An error answer. Its HTTP status is 200, as in ArcGIS. */
export function errorAnswer(
  code: number | undefined,
  message = 'Unable to complete',
): PortalAnswer {
  return { body: JSON.stringify({ error: { code, message, details: [] } }) };
}

async function respond(
  services: Map<string, FakeLayer[]>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { pathname, search } = new URL(request.url ?? '/', 'http://portal');
  const form = new URLSearchParams(request.method === 'POST' ? await text(request) : search);
  const [, path = '', number, query] =
    /^(.*\/FeatureServer)(?:\/(\d+))?(\/query)?$/.exec(pathname) ?? [];
  const layers = services.get(path);
  const layer = layers?.find(({ metadata }) => Number(number ?? metadata['id']) === metadata['id']);
  let answer: PortalAnswer = { status: 404, body: 'no such service' };
  if (layer?.ignores.has('forms') && request.method === 'POST') answer = { status: 405, body: '' };
  else if (layers && layer) {
    const kind = kindOf(form, number, query);
    const earlier = layer.requests.filter((each) => each.kind === kind).length;
    const asked: Asked = { kind, number: earlier + 1, form };
    layer.requests.push(asked);
    answer = (await layer.intercept(asked)) ?? { body: bodyOf(asked, layer, layers) };
  }
  const bytes = Buffer.from(answer.body);
  const headers = { 'content-type': 'application/json;charset=utf-8', ...answer.headers };
  response.writeHead(answer.status ?? 200, {
    ...headers,
    ...(layer?.gzips && { 'content-encoding': 'gzip' }),
  });
  response.end(layer?.gzips ? gzipSync(bytes) : bytes);
}

function kindOf(
  form: URLSearchParams,
  number: string | undefined,
  query: string | undefined,
): Asked['kind'] {
  if (number === undefined) return 'service';
  if (query === undefined) return 'layer';
  if (form.get('returnCountOnly') === 'true') return 'count';
  return form.get('returnIdsOnly') === 'true' ? 'ids' : 'page';
}

function bodyOf({ kind, form }: Asked, layer: FakeLayer, layers: FakeLayer[]): string {
  if (kind === 'layer') return JSON.stringify(layer.metadata);
  if (kind === 'service') {
    const named = layers.map(({ metadata: { id, name } }) => ({ id, name }));
    return JSON.stringify({ currentVersion: 11.2, layers: [], tables: named });
  }
  const { features, ignores } = layer;
  const [from, end] = ignores.has('where')
    ? [0, features.length]
    : rangeOf(features, form.get('where') ?? '');
  if (kind === 'count' && !ignores.has('returnCountOnly')) return `{"count":${end - from}}`;
  if (kind !== 'ids') return pageOf(form, layer, from, end);
  const ids = inServersOrder(from, end, end - from).map((index) => features.id(index));
  const list = ids.length === 0 ? 'null' : `[${ids.join(',')}]`;
  return `{"objectIdFieldName":"${layer.objectIdField}","objectIds":${list}}`;
}

function pageOf(form: URLSearchParams, layer: FakeLayer, from: number, end: number): string {
  const { features, ignores, cap, saysMore } = layer;
  const wanted = ignores.has('records') ? cap : Number(form.get('resultRecordCount') ?? cap);
  const length = Math.min(cap, wanted, end - from);
  const order = ignores.has('order') ? '' : (form.get('orderByFields') ?? '');
  const indexes = order.endsWith(' ASC')
    ? Array.from({ length }, (_, at) => from + at)
    : order.endsWith(' DESC')
      ? Array.from({ length }, (_, at) => end - 1 - at)
      : inServersOrder(from, end, length);
  const rows = indexes.map((index) => withGeometry(features.json(index), form));
  const more = saysMore && length < end - from ? ',"exceededTransferLimit":true' : '';
  return `{"objectIdFieldName":"${layer.objectIdField}","features":[${rows.join(',')}]${more}}`;
}

/** An order that no client asks for: every second record, then the others. */
function inServersOrder(from: number, end: number, length: number): number[] {
  const half = Math.ceil((end - from) / 2);
  return Array.from({ length }, (_, at) =>
    at < half ? from + at * 2 : from + (at - half) * 2 + 1,
  );
}

function withGeometry(json: string, form: URLSearchParams): string {
  return form.get('returnGeometry') === 'false' ? json.replace(/,"geometry":.*$/s, '}') : json;
}

/** Parses `OID > 1 AND OID <= 9` or `1=1`. */
function rangeOf(features: Features, where: string): [from: number, end: number] {
  let [from, end] = [0, features.length];
  for (const [, operator, number = ''] of where.matchAll(/ (>=|>|<=) (-?\d+)/g)) {
    const id = BigInt(number);
    if (operator === '>') from = firstIndex(features, (each) => each > id);
    else if (operator === '>=') from = firstIndex(features, (each) => each >= id);
    else end = firstIndex(features, (each) => each > id);
  }
  return [from, Math.max(from, end)];
}

function firstIndex({ length, id }: Features, isMet: (id: bigint) => boolean): number {
  let [low, high] = [0, length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isMet(id(middle))) high = middle;
    else low = middle + 1;
  }
  return low;
}
