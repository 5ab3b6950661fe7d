import { SEARCH_ATTRIBUTE_TYPES } from '../model/run.ts';
import type { TemporalLink } from './temporal-link.ts';

/** Does no harm when repeated. @returns false where the server forbids it (Temporal Cloud has its own way). */
export async function registerSearchAttributes({
  client,
  namespace,
  hasSearchAttributes,
}: TemporalLink): Promise<boolean> {
  if (hasSearchAttributes) return true;
  try {
    await client.connection.operatorService.addSearchAttributes({
      namespace,
      searchAttributes: SEARCH_ATTRIBUTE_TYPES,
    });
    return true;
  } catch {
    return false;
  }
}
