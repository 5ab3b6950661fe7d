import { SEARCH_ATTRIBUTES } from '../model/run.ts';
import type { TemporalLink } from './connection.ts';

/** `temporal.api.enums.v1.IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD` */
const KEYWORD = 2;

/** Does no harm when repeated. @returns false where the server forbids it (Temporal Cloud has its own way). */
export async function registerSearchAttributes({
  client,
  namespace,
  hasSearchAttributes,
}: TemporalLink): Promise<boolean> {
  if (hasSearchAttributes) return true;
  const names = Object.values(SEARCH_ATTRIBUTES);
  try {
    await client.connection.operatorService.addSearchAttributes({
      namespace,
      searchAttributes: Object.fromEntries(names.map((name) => [name, KEYWORD])),
    });
    return true;
  } catch {
    return false;
  }
}
