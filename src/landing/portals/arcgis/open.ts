import { shownAddress } from '../../../model/addresses.ts';
import type { PortalTable } from '../../../model/manifest.ts';
import type { OpenedSource } from '../../source.ts';
import { canonicalRecord } from '../canonical-csv.ts';
import type { Description } from '../description.ts';
import { isoTimeOf } from '../json-fields.ts';
import { openPaged, type Page, type PagedTable } from '../paged-table.ts';
import type { PortalClient } from '../portal-client.ts';
import { countersOf, NO_TALLY, type Tally } from '../records.ts';
import { invalid } from './answers.ts';
import { layerOf, type Layer } from './layer.ts';
import { extentOf, pagesOf, whereUpTo } from './pages.ts';
import { ALL, metadataOf, Queries } from './queries.ts';
import { Rendering } from './render.ts';
import { assertUnchanged, versionOf, type Snapshot } from './version.ts';

/** How many records a description shows. */
const EXAMPLES = 5;

/**
 * A layer or table of a FeatureServer or MapServer: its records by object id, as one CSV file.
 * @param url `…/FeatureServer/<number>`, without a query.
 * @throws LonghaulError as `openSource`.
 */
export async function openLayer(url: URL, client: PortalClient): Promise<OpenedSource> {
  const { geometry } = client.request;
  const layer = layerOf(url, await metadataOf(url, client), geometry);
  const queries = new Queries(layer, client);
  const extent = await extentOf(queries);
  const count = await queries.count(whereUpTo(layer, extent.top));
  return openPaged(new LayerTable({ ...extent, count }, queries, client), client.request);
}

/** The same for people. @throws LonghaulError as `openSource`. */
export async function describeLayer(url: URL, client: PortalClient): Promise<Description> {
  const { geometry } = client.request;
  const layer = layerOf(url, await metadataOf(url, client), geometry);
  const queries = new Queries(layer, client);
  const hasGeometry = layer.geometry !== 'none';
  const first = layer.hasPages ? { order: 'ASC' as const, records: EXAMPLES } : {};
  const page = await queries.page({ where: ALL, hasGeometry, ...first });
  const rendering = new Rendering(layer);
  const counts = { emptyTexts: {}, notNumbers: {} };
  const titles = new Map(layer.fields.map((field) => [field.name, field]));
  const { title, publisher } = layer;
  const changedAt = isoTimeOf(layer.editedAtMs);
  return {
    kind: 'arcgis',
    service: shownAddress(url.href),
    reads: 'pages',
    ...(title !== undefined && { title }),
    ...(publisher !== undefined && { publisher }),
    ...(changedAt !== undefined && { changedAt }),
    records: await queries.count(ALL),
    columns: rendering.columns.map((name) => {
      const { type = 'geometry', title: alias } = titles.get(name) ?? {};
      return { name, type, ...(alias !== undefined && alias !== name && { title: alias }) };
    }),
    examples: page.slice(0, EXAMPLES).map((feature) => rendering.fields(feature, counts)),
  };
}

/** Behind which object id it goes on, and what was counted up to it. */
type LayerCursor = Readonly<Tally & { after: string | null; records: number }> &
  Readonly<Record<string, unknown>>;

class LayerTable implements PagedTable<LayerCursor> {
  readonly version: string | undefined;
  readonly records: number;
  readonly header: string;
  readonly start: LayerCursor = { after: null, records: 0, ...NO_TALLY };
  readonly #layer: Layer;
  readonly #rendering: Rendering;
  readonly #snapshot: Snapshot;
  readonly #queries: Queries;
  readonly #client: PortalClient;

  constructor(snapshot: Snapshot, queries: Queries, client: PortalClient) {
    this.#layer = queries.layer;
    this.#snapshot = snapshot;
    this.records = snapshot.count;
    this.#queries = queries;
    this.#client = client;
    this.#rendering = new Rendering(this.#layer);
    this.version = versionOf(this.#layer, snapshot);
    this.header = canonicalRecord(this.#rendering.columns);
  }

  async *pages(from: LayerCursor): AsyncGenerator<Page<LayerCursor>> {
    const after = from.after === null ? undefined : BigInt(from.after);
    let at = from;
    for await (const features of pagesOf(this.#queries, this.#snapshot, after)) {
      const { text, counts } = this.#rendering.text(features, at);
      const records = features.length;
      const last = features.at(-1)?.id;
      at = { after: String(last ?? at.after), records: at.records + records, ...counts };
      yield { text, records, next: at };
    }
    await assertUnchanged({ layer: this.#layer, ...this.#snapshot }, this.#queries, this.#client);
    const { count } = this.#snapshot;
    if (at.records === count) return;
    throw invalid(this.#layer.url, `counts ${count} records, and sent ${at.records}`);
  }

  facts(end: LayerCursor): PortalTable {
    const { url, fields, objectIdField, dateZone } = this.#layer;
    const coded = fields.flatMap(({ name, domain }) => (domain ? [[name, domain] as const] : []));
    const domains: Record<string, Record<string, string>> = Object.fromEntries(coded);
    return {
      kind: 'arcgis',
      service: shownAddress(url.href),
      isCanonical: true,
      records: end.records,
      objectIdColumn: objectIdField,
      ...(coded.length > 0 && { domains }),
      ...countersOf(end),
      ...(dateZone !== undefined && { dateZone }),
    };
  }

  async close(): Promise<void> {
    await this.#client.close();
  }
}
