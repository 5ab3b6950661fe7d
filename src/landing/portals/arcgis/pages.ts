import { LonghaulError } from '../../../model/errors.ts';
import { invalid, unusable } from './answers.ts';
import { shownOf } from '../portal-client.ts';
import { oneAhead } from '../one-ahead.ts';
import { PageSize } from '../page-size.ts';
import { ALL, type Feature, type PageRequest, type Queries } from './queries.ts';

/** The records of a layer that are read: those up to the highest object id of the beginning. */
export interface Extent {
  /** Undefined where there is no record. */
  top: bigint | undefined;
  /** All their object ids, where the server has no pages in an order. */
  ids: BigInt64Array | undefined;
}

/** What statistics say of the highest id is wrong on many servers, so that the records themselves are asked. */
export async function extentOf(queries: Queries): Promise<Extent> {
  const { hasPages, objectIdField } = queries.layer;
  if (hasPages) {
    const [highest] = await queries.page({ where: ALL, order: 'DESC', records: 1 });
    const top = highest?.id;
    // Some servers ignore the order, so that it would be the top of a part.
    const above = top === undefined ? ALL : `${objectIdField} > ${top}`;
    if ((await queries.count(above)) === 0) return { top, ids: undefined };
  }
  const ids = await queries.ids(ALL);
  return { top: ids.at(-1), ids };
}

/** Where no record can be added above the highest one, unnoticed. */
export function whereUpTo({ objectIdField }: Queries['layer'], top: bigint | undefined): string {
  return top === undefined ? ALL : `${objectIdField} <= ${top}`;
}

/**
 * Pages of records by ascending object id, each id once, from behind `after` on. Offsets are never used: a record that is
 * added or removed would move those behind it.
 * @throws LonghaulError PORTAL_ANSWER_INVALID, PORTAL_UNUSABLE, SOURCE_….
 */
export async function* pagesOf(
  queries: Queries,
  { top, ids }: Extent,
  after: bigint | undefined,
): AsyncGenerator<Feature[], void> {
  if (top === undefined) return;
  const pages = ids ? pagesByIds(queries, ids, after) : pagesByOrder(queries, top, after);
  yield* oneAhead(pages);
}

async function* pagesByOrder(
  queries: Queries,
  top: bigint,
  behind: bigint | undefined,
): AsyncGenerator<Feature[], void> {
  const { layer } = queries;
  const size = new PageSize(layer.maxRecordCount);
  for (let after = behind; after !== top;) {
    const upTo = whereUpTo(layer, top);
    const where = after === undefined ? upTo : `${layer.objectIdField} > ${after} AND ${upTo}`;
    const page = await asked(queries, size, { where, order: 'ASC' }, (features, isCut) => {
      assertWithin(layer.url, features, (id) => (after === undefined || id > after) && id <= top);
      if (!areOrdered(features))
        throw invalid(layer.url, 'sent records in another order than asked');
      if (features.length === 0 && isCut) {
        throw invalid(layer.url, 'sent no record, and says that there are more');
      }
    });
    if (page.length === 0) return;
    yield page;
    after = page.at(-1)?.id;
  }
}

/** By the lowest and the highest id of so many: a list of ids could be longer than servers take. */
async function* pagesByIds(
  queries: Queries,
  ids: BigInt64Array,
  after: bigint | undefined,
): AsyncGenerator<Feature[], void> {
  const { layer } = queries;
  const { objectIdField: name, url } = layer;
  const size = new PageSize(layer.maxRecordCount);
  const found = after === undefined ? 0 : ids.findIndex((id) => id > after);
  for (let at = found === -1 ? ids.length : found; at < ids.length;) {
    let chunk = ids.subarray(at, at);
    const range = (records: number): PageRequest => {
      chunk = ids.subarray(at, at + records);
      return { where: `${name} >= ${chunk[0]} AND ${name} <= ${chunk.at(-1)}` };
    };
    const page = await asked(queries, size, range, (features) => {
      const [first = 0n, last = 0n] = [chunk[0], chunk.at(-1)];
      assertWithin(url, features, (id) => id >= first && id <= last);
      const added = features.find(({ id }) => !isIn(chunk, id));
      if (added) throw addedMeanwhile(url, added.id);
      features.sort((a, b) => (a.id < b.id ? -1 : 1));
      if (!areOrdered(features)) throw invalid(url, 'sent a record twice');
    });
    // The server's cap is lower than it says; or a record was removed, which the count tells at the end.
    if (page.length < chunk.length && size.shrink()) continue;
    at += chunk.length;
    if (page.length > 0) yield page;
  }
}

async function asked(
  queries: Queries,
  size: PageSize,
  request: PageRequest | ((records: number) => PageRequest),
  isWanted: (features: Feature[], isCut: boolean) => void,
): Promise<Feature[]> {
  const { geometry } = queries.layer;
  return await size.ask(async (records, effort) => {
    const wanted = typeof request === 'function' ? request(records) : { ...request, records };
    const page = { ...wanted, hasGeometry: geometry !== 'none' };
    try {
      return await queries.page(page, effort, isWanted);
    } catch (error) {
      if (records > 1 || !(error instanceof LonghaulError)) throw error;
      const what = `${error.message} It was asked for one record, the first where ${wanted.where}.`;
      throw new LonghaulError(error.code, what, error.details, { cause: error });
    }
  });
}

/** Strictly ascending: no id twice. */
function areOrdered(features: Feature[]): boolean {
  return features.every(({ id }, index) => index === 0 || id > (features[index - 1]?.id ?? id));
}

function assertWithin(url: URL, features: Feature[], isWithin: (id: bigint) => boolean): void {
  const other = features.find(({ id }) => !isWithin(id));
  if (!other) return;
  throw unusable(url, `ignores \`where\`: it sent the record ${other.id}, which was not asked for`);
}

function addedMeanwhile(url: URL, id: bigint): LonghaulError {
  const what = `${shownOf(url)} added the record ${id} while its records were being read.`;
  return new LonghaulError('SOURCE_CHANGED', what);
}

function isIn(ids: BigInt64Array, wanted: bigint): boolean {
  let [low, high] = [0, ids.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ids[middle] ?? wanted) < wanted) low = middle + 1;
    else high = middle;
  }
  return ids[low] === wanted;
}
