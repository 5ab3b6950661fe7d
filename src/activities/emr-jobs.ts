import type { SparkBatch } from '../conversion/spark/job.ts';
import { stageSource } from '../conversion/spark/stage-source.ts';
import { partPrefix, sparkJobKey, stagedSparkPrefix } from '../model/layout.ts';
import { toJson } from '../storage/manifests.ts';
import { newAttempt } from '../storage/staged.ts';
import type { EmrDeps } from './emr-deps.ts';
import { hdfsFolder, hdfsJobStaging, hdfsManifest, hdfsUri, jobPrefix } from './emr-locations.ts';
import type { StagedJob, StageJobInput } from './emr-types.ts';
import type { Work } from './work.ts';

/** A job of one source, whose Parquet goes to HDFS. */
export async function stageJob(
  { raw, converted }: EmrDeps,
  input: StageJobInput,
  work: Work,
): Promise<StagedJob> {
  await stageSource({ raw, converted }, input, work);
  const prefix = jobPrefix(input);
  const { id } = input.source;
  const batch: SparkBatch = {
    format: 'longhaul/spark-batch/1',
    raw: raw.uri(''),
    converted: converted.uri(''),
    starts: converted.uri(`${prefix}starts/`),
    sources: [
      {
        id,
        job: sparkJobKey(stagedSparkPrefix(input.runId, id)),
        output: hdfsUri(hdfsFolder(input)),
        // They have these names in the bucket too, beside those of other attempts.
        partPrefix: partPrefix(input.runId, newAttempt()),
        staging: hdfsUri(hdfsJobStaging(input)),
        result: converted.uri(`${prefix}result.json`),
        unless: hdfsUri(hdfsManifest(input)),
      },
    ],
  };
  await converted.put(`${prefix}job.json`, toJson(batch));
  return { jobUri: converted.uri(`${prefix}job.json`), hdfsFolder: hdfsFolder(input) };
}
