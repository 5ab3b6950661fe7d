import { createHash } from 'node:crypto';
import type { PortalKind } from '../../model/manifest.ts';

/** Whatever tells two versions of a table apart, in the form of an ETag. */
export function versionTag(kind: PortalKind, parts: unknown): string {
  return `"${kind}-${createHash('sha256').update(JSON.stringify(parts)).digest('hex')}"`;
}
