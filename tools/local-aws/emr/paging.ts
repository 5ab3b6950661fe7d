import { invalidRequest } from './api-error.ts';

/** As EMR's lists have it, and EMR Serverless's at most. */
const PAGE_SIZE = 50;

/**
 * One page of a list. The marker is the id of the last one of the page before, so that what is added at the front
 * meanwhile moves nothing.
 * @throws ApiError InvalidRequestException where the marker is none of this list's.
 */
export function pageOf<Item extends { id: string }>(
  items: readonly Item[],
  marker: string | undefined,
  size = PAGE_SIZE,
): { page: Item[]; marker: string | undefined } {
  const start = marker === undefined ? 0 : items.findIndex(({ id }) => id === marker) + 1;
  if (marker !== undefined && start === 0) throw invalidRequest(`Marker '${marker}' is not valid.`);
  const page = items.slice(start, start + size);
  const hasMore = start + size < items.length;
  return { page, marker: hasMore ? page.at(-1)?.id : undefined };
}
