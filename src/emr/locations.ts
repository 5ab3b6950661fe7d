import type { RemoteBatch } from '../conversion/spark/remote-batch.ts';
import {
  partPrefix,
  snapshotManifestKey,
  sourcePrefix,
  sourcesPrefix,
  stagingPrefix,
} from '../model/layout.ts';
import type { RunDay } from '../model/run.ts';

/** The converted zone on HDFS, laid out as that of the lake; without a host, since each cluster reads its own HDFS. */
const HDFS_ZONE = 'hdfs:///takehome-converted/';

/** Each cluster of a run has a job of its own: HDFS is gone with the one before. */
export function emrBatch(run: RunDay, generation: number): RemoteBatch {
  const { dataset, ingestDate, revision, runId } = run;
  const attempt = String(generation).padStart(8, '0');
  return { dataset, ingestDate, revision, runId, name: `emr-${generation}`, attempt };
}

/** Where the Parquet files of a source lie on HDFS: at the same keys as in the bucket. */
export function hdfsOutput(run: RunDay, source: string): string {
  return HDFS_ZONE + sourcePrefix({ ...run, source });
}

/** What is not finished. */
export function hdfsStaging({ runId }: RunDay, source: string): string {
  return `${HDFS_ZONE}${stagingPrefix(runId)}${source}/`;
}

export function hdfsManifest({ dataset, ingestDate, revision }: RunDay): string {
  return HDFS_ZONE + snapshotManifestKey(dataset, ingestDate, revision);
}

/** For s3-dist-cp: all sources of the day's revision, and of them what one job wrote. */
export function copiedParts(batch: RemoteBatch): { key: string; from: string; pattern: string } {
  const key = sourcesPrefix(batch).replace(/[^/]*$/, '');
  const pattern = `.*/${partPrefix(batch.runId, batch.attempt)}[0-9]+\\.parquet`;
  return { key, from: HDFS_ZONE + key, pattern };
}
