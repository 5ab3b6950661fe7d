import { LonghaulError } from '../../model/errors.ts';
import { printable } from '../../model/names.ts';
import { fieldOf, listOf, numberOf, textOf } from './json-fields.ts';
import { NoSuchPortal, stillPortal } from './no-such-portal.ts';
import type { Effort } from './page-size.ts';
import { shownOf, type JsonAnswer, type PortalClient } from './portal-client.ts';
import { isRecord, type JsonRecord } from './records.ts';

/** A CKAN server answers JSON to what it does not have, too. */
const ANSWERS = { statuses: [404] };

/** The actions of one CKAN server. */
export interface Ckan {
  /** Where its pages begin. */
  base: URL;
  client: PortalClient;
}

/**
 * The result of an action that says whether a host is a CKAN at all. Its pages may lie behind a language or a folder
 * that its actions do not.
 * @throws NoSuchPortal; LonghaulError SOURCE_NOT_FOUND.
 */
export async function show(
  { base, client }: Ckan,
  action: 'package_show' | 'resource_show',
  id: string,
): Promise<{ ckan: Ckan; result: unknown }> {
  const bases = [base, new URL('/', base)];
  for (const [index, each] of bases.entries()) {
    const ckan = { base: each, client };
    try {
      const url = actionOf(ckan, action, { id });
      return { ckan, result: resultOf(url, await client.metadata(url, ANSWERS)) };
    } catch (error) {
      const isLast = index === bases.length - 1 || each.href === bases.at(-1)?.href;
      if (isLast || !(error instanceof NoSuchPortal)) throw error;
    }
  }
  throw new NoSuchPortal();
}

export interface DatastorePage {
  fields: { name: string; type: string }[];
  records: JsonRecord[];
  total: number;
}

/**
 * Records of the DataStore in the order of their `_id`. Its links to a next page never end, and are not used.
 * @throws LonghaulError PORTAL_ANSWER_INVALID; PORTAL_UNUSABLE where it estimates the number of records.
 */
export async function datastorePage(
  ckan: Ckan,
  resource: string,
  { offset, limit, maxBytes, tries }: { offset: number; limit: number } & Effort,
): Promise<DatastorePage> {
  const query = {
    resource_id: resource,
    limit: String(limit),
    offset: String(offset),
    sort: '_id',
  };
  const url = actionOf(ckan, 'datastore_search', query);
  const answer = await ckan.client.answer(url, maxBytes, {
    ...ANSWERS,
    isPortal: true,
    ...(tries !== undefined && { tries }),
  });
  const result = await stillPortal(shownOf(url), async () => resultOf(url, answer));
  if (fieldOf(result, 'total_was_estimated') === true) {
    const what = `${shownOf(url)} estimates how many records it has, so that nothing says whether all arrived.`;
    throw new LonghaulError('PORTAL_UNUSABLE', what);
  }
  const fields = listOf(result, 'fields').flatMap((field) => {
    const name = textOf(field, 'id');
    return name === undefined ? [] : [{ name, type: textOf(field, 'type') ?? '' }];
  });
  const records = listOf(result, 'records');
  const total = numberOf(result, 'total');
  if (total !== undefined && fields.length > 0 && records.every(isRecord)) {
    return { fields, records, total };
  }
  throw new LonghaulError(
    'PORTAL_ANSWER_INVALID',
    `${shownOf(url)} answered without fields, records or their total.`,
  );
}

function actionOf({ base }: Ckan, action: string, query: Record<string, string>): URL {
  return new URL(`api/3/action/${action}?${new URLSearchParams(query).toString()}`, base);
}

/**
 * Messages are in the language of the portal, so that only the type of an error says what it is.
 * @throws NoSuchPortal where it is neither a result nor an error of CKAN.
 */
function resultOf(url: URL, { json }: JsonAnswer): unknown {
  const result = fieldOf(json, 'result');
  if (fieldOf(json, 'success') === true && result !== undefined) return result;
  const error = fieldOf(json, 'error');
  const type = textOf(error, '__type');
  if (type === undefined) throw new NoSuchPortal();
  const said = printable((textOf(error, 'message') ?? type).slice(0, 200));
  const code = type === 'Not Found Error' ? 'SOURCE_NOT_FOUND' : 'SOURCE_REFUSED';
  throw new LonghaulError(code, `${shownOf(url)} answered: ${said}.`);
}
