import { invalidRequest } from './api-error.ts';

/** As EMR's lists have it. */
const PAGE_SIZE = 50;

/**
 * One page of a list. The marker names the last one of the page before, so that what is added at the front meanwhile
 * moves nothing.
 * @throws ApiError InvalidRequestException where the marker is none of this list's.
 */
export function pageOf<Item>(
  items: readonly Item[],
  idOf: (item: Item) => string,
  marker: string | undefined,
  pageSize = PAGE_SIZE,
): { page: Item[]; marker: string | undefined } {
  const start =
    marker === undefined ? 0 : items.findIndex((item) => idOf(item) === decode(marker)) + 1;
  if (marker !== undefined && start === 0) throw invalidRequest(`Marker '${marker}' is not valid.`);
  const page = items.slice(start, start + pageSize);
  const last = page.at(-1);
  const hasMore = start + pageSize < items.length;
  return { page, marker: hasMore && last !== undefined ? encode(idOf(last)) : undefined };
}

/** Opaque, as EMR's are. */
function encode(id: string): string {
  return Buffer.from(id).toString('base64url');
}

function decode(marker: string): string {
  return Buffer.from(marker, 'base64url').toString();
}
