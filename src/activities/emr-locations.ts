import { attemptPrefix, dayPrefix, sourcePrefix, stagingPrefix } from '../model/layout.ts';
import type { EmrRun, StageJobInput } from './emr-types.ts';

/** The converted zone on HDFS, laid out as that of the lake. */
const HDFS_ZONE = '/takehome-converted/';

/** Where a job's shards, task and result lie in the converted zone. */
export function jobPrefix({ runId, source, attempt }: StageJobInput): string {
  return attemptPrefix(runId, `${source.id}/spark`, attempt);
}

/** Everything of a run on HDFS that is not finished. */
export function hdfsStaging(runId: string): string {
  return HDFS_ZONE + stagingPrefix(runId);
}

export function hdfsJobStaging({ runId, source, attempt }: StageJobInput): string {
  return `${hdfsStaging(runId)}${source.id}/${attempt}/`;
}

/** The finished files of a source, where its Parquet files lie in the bucket too. */
export function hdfsFolder(input: StageJobInput): string {
  return HDFS_ZONE + sourcePrefix({ ...input, source: input.source.id });
}

export function hdfsManifest({ dataset, ingestDate, revision }: Omit<EmrRun, 'runId'>): string {
  return `${HDFS_ZONE}${dayPrefix(dataset, ingestDate)}${manifestName(revision)}`;
}

export function manifestName(revision: number): string {
  return revision === 1 ? '_manifest.json' : `_manifest.r${revision}.json`;
}

/** Without a host: each cluster reads its own HDFS. */
export function hdfsUri(path: string): string {
  return `hdfs://${path}`;
}
