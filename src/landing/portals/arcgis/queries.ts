import { fieldOf, JsonNumber, numberOf, type ExactJson } from '../json.ts';
import type { Effort } from '../page-size.ts';
import { jsonOf, MAX_PAGE_BYTES, type PortalClient } from '../portal-client.ts';
import { assertNoError, invalid, unusable } from './answers.ts';
import type { Layer } from './layer.ts';

/** The condition that all records meet. */
export const ALL = '1=1';

/** The EPSG number of the spatial reference in which the worker requests coordinates. */
const WGS_84 = '4326';

export interface Feature {
  id: bigint;
  attributes: ExactJson;
  geometry: ExactJson | undefined;
}

export interface PageRequest {
  where: string;
  order?: 'ASC' | 'DESC';
  /** The largest number of records. Absent if the server decides. */
  records?: number;
  hasGeometry?: boolean;
}

/** Sends queries as forms, because servers limit the length of addresses, and caches keep answers by address. */
export class Queries {
  readonly layer: Layer;
  readonly #client: PortalClient;
  readonly #url: URL;

  constructor(layer: Layer, client: PortalClient) {
    this.layer = layer;
    this.#client = client;
    this.#url = new URL(`${layer.url.pathname}/query`, layer.url);
  }

  async count(where: string): Promise<number> {
    const count = await this.#ask({ where, returnCountOnly: 'true' }, (json) =>
      numberOf(json, 'count'),
    );
    // Servers before 10.1 answer with records instead of a count.
    return count ?? (await this.ids(where)).length;
  }

  /** Returns all object ids, ascending. The server's record limit does not apply to them. */
  async ids(where: string): Promise<BigInt64Array> {
    const form = new URLSearchParams({ where, returnIdsOnly: 'true', f: 'json' });
    const asked = { form, maxBytes: MAX_PAGE_BYTES, isPortal: true };
    return await this.#client.text(this.#url, asked, (answer) => {
      // There may be millions of ids. As JSON objects, each would take hundreds of bytes.
      const list = /"objectIds"\s*:\s*\[([\s\d,-]*)\]/.exec(answer.text)?.[1];
      if (list === undefined) return this.#noIds(jsonOf(this.#url, answer, asked));
      const ids = BigInt64Array.from(this.#idsIn(list)).toSorted();
      const twice = ids.find((id, index) => id === ids[index - 1]);
      if (twice !== undefined) throw invalid(this.#url, `lists the object id ${twice} twice`);
      return ids;
    });
  }

  /** Servers answer null if there is no record. */
  #noIds(json: ExactJson): BigInt64Array {
    assertNoError(this.#url, json);
    if (fieldOf(json, 'objectIds') === null) return new BigInt64Array(0);
    throw unusable(this.#url, 'does not list its object ids');
  }

  /** Returns records in the server's order. `isWanted` throws if the page does not agree with the request. */
  async page(
    { where, order, records, hasGeometry = false }: PageRequest,
    effort?: Effort,
    isWanted: (features: Feature[], isCut: boolean) => void = () => undefined,
  ): Promise<Feature[]> {
    const { objectIdField } = this.layer;
    const form = {
      where,
      // Some servers refuse a list of names.
      outFields: '*',
      returnGeometry: String(hasGeometry),
      ...(hasGeometry && { outSR: WGS_84 }),
      ...(order && { orderByFields: `${objectIdField} ${order}` }),
      ...(records !== undefined && { resultRecordCount: String(records) }),
    };
    const read = (json: ExactJson): Feature[] => {
      const features = this.#featuresOf(json);
      if (hasGeometry && features.length > 0) this.#assertProjected(json);
      isWanted(features, fieldOf(json, 'exceededTransferLimit') === true);
      return features;
    };
    return await this.#ask(form, read, effort);
  }

  /** A server that does not project sends metres, which a reader would take for degrees. */
  #assertProjected(json: ExactJson): void {
    const reference = fieldOf(json, 'spatialReference');
    const sent = numberOf(reference, 'latestWkid') ?? numberOf(reference, 'wkid');
    if (sent === undefined || String(sent) === WGS_84) return;
    const what = `does not project coordinates to WGS 84 (${WGS_84}): it sent those of ${sent}. \`geometry: none\` leaves them out`;
    throw unusable(this.#url, what);
  }

  #featuresOf(json: ExactJson): Feature[] {
    const list = fieldOf(json, 'features');
    if (!Array.isArray(list)) throw invalid(this.#url, 'answered without records');
    return (list as ExactJson[]).map((feature) => {
      const attributes = fieldOf(feature, 'attributes') as ExactJson;
      const id = this.#idOf(fieldOf(attributes, this.layer.objectIdField));
      return { id, attributes, geometry: fieldOf(feature, 'geometry') as ExactJson | undefined };
    });
  }

  *#idsIn(list: string): Generator<bigint> {
    for (const [digits] of list.matchAll(/[^\s,]+/g)) yield this.#idOf(new JsonNumber(digits));
  }

  /** The id may be above 2^53. */
  #idOf(value: unknown): bigint {
    if (value instanceof JsonNumber && /^-?\d{1,19}$/.test(value.digits)) {
      const id = BigInt(value.digits);
      if (BigInt.asIntN(64, id) === id) return id;
    }
    throw invalid(this.#url, `sent a record without an integer in ${this.layer.objectIdField}`);
  }

  async #ask<T>(
    fields: Record<string, string>,
    read: (json: ExactJson) => T,
    effort: Effort = { maxBytes: MAX_PAGE_BYTES },
  ): Promise<T> {
    const form = new URLSearchParams({ ...fields, f: 'json' });
    return await this.#client.json(this.#url, { form, isPortal: true, ...effort }, (json) => {
      assertNoError(this.#url, json);
      return read(json);
    });
  }
}
