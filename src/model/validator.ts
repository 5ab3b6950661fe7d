/** What pins a version of a source: compared as strings, never interpreted. */
export interface Validator {
  /** Strong only: a weak one does not promise equal bytes. */
  etag?: string;
  lastModified?: string;
}

/** Whether two versions can be distinguished. */
export function isPinned({ etag, lastModified }: Validator): boolean {
  return etag !== undefined || lastModified !== undefined;
}

/** Shown to be the same version: an ETag decides where both have one, else Last-Modified. */
export function isSameVersion(a: Validator, b: Validator): boolean {
  if (a.etag !== undefined && b.etag !== undefined) return a.etag === b.etag;
  return a.lastModified !== undefined && a.lastModified === b.lastModified;
}

/** Not shown to be another version: a server may leave out of an answer what it said before. */
export function mayBeSame(known: Validator, seen: Validator): boolean {
  if (known.etag !== undefined && seen.etag !== undefined) return known.etag === seen.etag;
  if (known.lastModified === undefined || seen.lastModified === undefined) return true;
  return known.lastModified === seen.lastModified;
}
