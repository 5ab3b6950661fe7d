import { LonghaulError } from '../model/errors.ts';
import type { SnapshotRef } from '../model/layout.ts';
import {
  carriedRevisions,
  revisionText,
  type RevisionAt,
  type Tombstone,
} from '../model/manifest.ts';
import {
  isPublished,
  listRevisions,
  listSnapshots,
  putTombstone,
  readRevisions,
  readTombstone,
} from '../storage/manifests.ts';
import type { Lake, Store } from '../storage/store.ts';

export interface UnpublishInput {
  dataset: string;
  ingestDate: string;
  /** Default: the day's newest revision, even if it is unpublished, so that a second call withdraws nothing more. */
  revision?: number;
  reason: string;
  by: string;
  /** Also unpublishes later snapshots that carry the revision's versions. */
  withLater: boolean;
}

/** The result that the command prints as JSON. */
export interface Unpublished extends Pick<
  Tombstone,
  'dataset' | 'ingestDate' | 'revision' | 'reason' | 'by' | 'unpublishedAt'
> {
  status: 'unpublished' | 'already-unpublished';
  /** Revisions that this call withdrew, in its order. */
  withdrawn: RevisionAt[];
  /** The revision of the day that readers see now, and the dataset's newest snapshot. Absent if there is none. */
  dayIsNow?: RevisionAt;
  latestIsNow?: RevisionAt;
}

/**
 * Withdraws a revision of a day from all readers: they see the day's earlier revision, or the day is gone. No file is
 * removed. The newest day's tombstone is written first. If a call is cut off, no published snapshot carries a withdrawn
 * one, and the next call goes on.
 * @throws LonghaulError NOT_PUBLISHED, SNAPSHOT_CARRIED, MANIFEST_UNREADABLE.
 */
export async function unpublish({ converted }: Lake, input: UnpublishInput): Promise<Unpublished> {
  const { dataset, reason, by } = input;
  const target = await targetOf(converted, input);
  let carriers = await carriersOf(converted, target);
  if (carriers.length > 0 && !input.withLater) throw carried(target, carriers);
  const { ingestDate, revision } = target;
  const withdrawn: RevisionAt[] = [];
  // A run that was about to publish may have carried the revision until the tombstone existed, but not later.
  do {
    for (const ref of [...carriers.toReversed(), target]) {
      const at = { ingestDate: ref.ingestDate, revision: ref.revision };
      const because = ref === target ? {} : { because: { ingestDate, revision } };
      const outcome = await putTombstone(converted, { dataset, ...at, reason, by, ...because });
      if (outcome === 'created') withdrawn.push(at);
    }
    carriers = await carriersOf(converted, target);
  } while (carriers.length > 0);
  const { unpublishedAt, ...said } = (await readTombstone(converted, target)) as Tombstone;
  const left = (await listSnapshots(converted, dataset)).map((ref): RevisionAt => ({
    ingestDate: ref.ingestDate,
    revision: ref.revision,
  }));
  return {
    ...{ dataset, ingestDate, revision },
    status: withdrawn.some((at) => isSame(at, target)) ? 'unpublished' : 'already-unpublished',
    ...{ reason: said.reason, by: said.by, unpublishedAt },
    withdrawn,
    dayIsNow: left.findLast((at) => at.ingestDate === ingestDate),
    latestIsNow: left.at(-1),
  };
}

async function targetOf(
  converted: Store,
  { dataset, ingestDate, revision }: UnpublishInput,
): Promise<SnapshotRef> {
  const refs = await listRevisions(converted, dataset);
  const ofDay = refs.filter((ref) => ref.ingestDate === ingestDate);
  const found = ofDay.findLast((ref) => revision === undefined || ref.revision === revision);
  if (found) return found;
  const numbers = ofDay.map((ref) => ref.revision).join(', ');
  const what =
    numbers === ''
      ? `No snapshot of ${dataset} was published for ${ingestDate}.`
      : `${dataset} ${ingestDate} has no revision ${revision}; there: ${numbers}.`;
  throw new LonghaulError('NOT_PUBLISHED', what);
}

/**
 * Published snapshots that carry files of the revision, of another carrier, or of a revision that is already
 * unpublished; oldest first. A snapshot carries only files of older ones.
 */
async function carriersOf(converted: Store, target: SnapshotRef): Promise<SnapshotRef[]> {
  const refs = (await listRevisions(converted, target.dataset)).filter(
    ({ ingestDate }) => ingestDate >= target.ingestDate,
  );
  const gone = new Set([target, ...refs.filter((ref) => ref.isUnpublished)].map(revisionText));
  const published = refs.filter((ref) => isPublished(ref) && !isSame(ref, target));
  const carriers: SnapshotRef[] = [];
  for (const manifest of await readRevisions(converted, published)) {
    if (!manifest || !carriedRevisions(manifest).some((at) => gone.has(revisionText(at)))) continue;
    gone.add(revisionText(manifest));
    carriers.push(manifest);
  }
  return carriers;
}

function isSame(a: RevisionAt, b: RevisionAt): boolean {
  return a.ingestDate === b.ingestDate && a.revision === b.revision;
}

function carried(target: SnapshotRef, carriers: readonly SnapshotRef[]): LonghaulError {
  const which = carriers.map(revisionText).join(', ');
  const what = `Later days use files of ${target.dataset} ${revisionText(target)} for unchanged sources: ${which}.`;
  return new LonghaulError('SNAPSHOT_CARRIED', what);
}
