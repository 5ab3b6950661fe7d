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
  /** A failed run keeps its partial landings for the retry; any other leaves none, a killed worker's neither. */
  discardPartials: boolean;
}

/** At the end of a run. @returns the run that published the day's revision, if one did and it is published still. */
export async function cleanUp(deps: Lake, input: EndedRun): Promise<{ publishedBy?: string }> {
  const { ingestDate, revision, runId, discardPartials } = input;
  const { name: dataset, sources } = input.dataset;
  await deps.converted.deletePrefix(stagingPrefix(runId));
  const day = dayPrefix(dataset, ingestDate);
  for (const zone of [deps.raw, deps.converted]) {
    await zone.deleteUnfinished(day, (kind) => kind === 'temporary');
  }
  const key = snapshotManifestKey(dataset, ingestDate, revision);
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
 * Once a day's revision is published, a landing of it that the manifest does not name is of no use to any run: an older
 * version's, or a run's that another one overtook. Before that, another host's run may be about to name it.
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
  // A file without its manifest is no landing; a manifest without its file would be a lie.
  for (const key of others.toSorted((a, b) => b.length - a.length)) await raw.delete(key);
}
