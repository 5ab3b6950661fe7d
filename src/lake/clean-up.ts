import { discardPartial } from '../landing/land.ts';
import { rawKeyOf } from '../landing/land-source.ts';
import {
  dayPrefix,
  landingManifestKey,
  landingNameOf,
  snapshotManifestKey,
  sourcePrefix,
  stagingPrefix,
} from '../model/layout.ts';
import type { SnapshotManifest } from '../model/manifest.ts';
import { SNAPSHOT } from '../storage/manifest-shapes.ts';
import { isUnpublished, readManifest } from '../storage/manifests.ts';
import { deleteDeadParts } from '../storage/leftovers.ts';
import type { Lake, Store } from '../storage/store.ts';
import type { RevisionOfRun } from './publish.ts';

export interface EndedRun extends RevisionOfRun {
  /** A failed run keeps its partial landings for the retry. Any other leaves none, even if its worker was killed. */
  discardPartials: boolean;
}

/** Cleans up after a run. @returns the run that published the day's revision, if the revision is still published. */
export async function cleanUp(deps: Lake, input: EndedRun): Promise<{ publishedBy?: string }> {
  const { ingestDate, revision, runId, discardPartials } = input;
  const { name: dataset, sources } = input.dataset;
  await deps.converted.deletePrefix(stagingPrefix(runId));
  const day = dayPrefix(dataset, ingestDate);
  for (const zone of [deps.raw, deps.converted]) {
    await zone.deleteUnfinished(day, (kind) => kind === 'temporary');
  }
  const key = snapshotManifestKey({ dataset, ingestDate, revision });
  const published = await readManifest(deps.converted, key, SNAPSHOT);
  for (const source of sources) {
    const at = { dataset, ingestDate, revision, source };
    if (discardPartials || published) await discardPartial(deps.raw, rawKeyOf(at));
    if (published) await removeOtherLandings(deps.raw, published, at);
  }
  await deleteDeadParts(deps.converted, { dataset, ingestDate, revision }, { runId });
  const isStill = published && !(await isUnpublished(deps.converted, published));
  return isStill ? { publishedBy: published.runId } : {};
}

/**
 * After a day's revision is published, no run uses a landing of it that the manifest does not name. That landing is an
 * older version, or of a run that another one overtook. Before that, a run of another host may be about to name it.
 */
async function removeOtherLandings(
  raw: Store,
  { sources }: SnapshotManifest,
  at: Parameters<typeof rawKeyOf>[0],
): Promise<void> {
  const folder = sourcePrefix({ ...at, source: at.source.id });
  const named = new Set(sources.flatMap(({ rawKey }) => [rawKey, landingManifestKey(rawKey)]));
  const landed = rawKeyOf(at).slice(folder.length);
  const others: string[] = [];
  for await (const { key } of raw.list(folder)) {
    const name = landingNameOf(key.slice(folder.length));
    const isLanding = name === landed || name === landingManifestKey(landed);
    if (isLanding && !named.has(key)) others.push(key);
  }
  // The manifest goes first. A file without a manifest is not a landing; a manifest without its file would be false.
  for (const key of others.toSorted((a, b) => b.length - a.length)) await raw.delete(key);
}
