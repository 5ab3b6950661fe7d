import { LonghaulError } from '../../../model/errors.ts';
import { RENDERING_VERSION } from '../canonical-csv.ts';
import { shownOf, type PortalClient } from '../portal-client.ts';
import { versionTag } from '../version-tag.ts';
import { layerOf, type Layer } from './layer.ts';
import { whereUpTo, type Extent } from './pages.ts';
import { metadataOf, type Queries } from './queries.ts';

/** What a landing reads of a layer: not only which records, but how many the server counts. */
export interface Snapshot extends Extent {
  count: number;
}

/** As an ETag; undefined where the layer does not say when it was changed: nothing else changes with each edit. */
export function versionOf(layer: Layer, { count, top }: Snapshot): string | undefined {
  const { edits, geometry } = layer;
  if (edits === undefined) return undefined;
  const all = [edits, count, String(top), fieldsOf(layer), geometry, RENDERING_VERSION];
  return versionTag('arcgis', all);
}

/**
 * The layer has no snapshot to read from: so it must be after the last page what it was before the first.
 * @throws LonghaulError SOURCE_CHANGED where it is not.
 */
export async function assertUnchanged(
  { layer, count, top }: Pick<Snapshot, 'count' | 'top'> & { layer: Layer },
  queries: Queries,
  client: PortalClient,
): Promise<void> {
  const metadata = await metadataOf(layer.url, client, { isPortal: true });
  const now = layerOf(layer.url, metadata, layer.geometry);
  const countNow = await queries.count(whereUpTo(layer, top));
  const changes = [
    now.edits === layer.edits ? '' : 'it was edited',
    countNow === count ? '' : `it counts ${countNow} records, and ${count} before`,
    fieldsOf(now) === fieldsOf(layer) ? '' : 'its fields are others',
  ].filter(Boolean);
  if (changes.length === 0) return;
  const what = `${shownOf(layer.url)} changed while it was being read: ${changes.join('; ')}.`;
  throw new LonghaulError('SOURCE_CHANGED', what);
}

function fieldsOf({ fields, objectIdField }: Layer): string {
  return JSON.stringify([objectIdField, ...fields.map(({ name, type }) => [name, type])]);
}
