import { makeInputs } from '../conversion/spark/inputs.ts';
import { MAX_PART_BYTES, PART_BYTES, SHARD_BYTES, type SparkJob } from '../conversion/spark/job.ts';
import { openScratch } from '../conversion/parts/scratch.ts';
import { uriOf } from '../storage/location.ts';
import { toJson } from '../storage/manifests.ts';
import { partPrefix } from '../model/layout.ts';
import { newAttempt, requireLanding, requireSchema } from '../storage/staged.ts';
import type { EmrDeps } from './emr-deps.ts';
import { hdfsFolder, hdfsJobStaging, hdfsManifest, hdfsUri, jobPrefix } from './emr-locations.ts';
import type { StagedJob, StageJobInput } from './emr-types.ts';
import type { Work } from './work.ts';

/**
 * What Spark is to read and to write, in the run's staging: shards are copied on S3's side, and their bytes pass
 * through here only where they must be written anew.
 */
export async function stageJob(
  { raw, converted }: EmrDeps,
  input: StageJobInput,
  { signal, onProgress }: Work,
): Promise<StagedJob> {
  const { bytes, scan } = await requireLanding(raw, input);
  const { encoding, schema } = await requireSchema(converted, input);
  const prefix = jobPrefix(input);
  await converted.deletePrefix(prefix);
  const scratch = await openScratch(converted.location(prefix));
  try {
    const request = {
      ...{ input: raw.location(input.rawKey), inputBytes: bytes, scan, encoding, schema },
      ...{ output: converted, outputPrefix: prefix, scratchPrefix: prefix },
      ...{ signal, onProgress: () => undefined },
    };
    const inputs = await makeInputs({
      request,
      shardBytes: SHARD_BYTES,
      scratchFolder: scratch.folder,
      shardsPrefix: `${prefix}shards/`,
      uriOf,
      onProgress: (done) => onProgress({ bytes: done, totalBytes: bytes }),
    });
    const job: SparkJob = {
      format: 'longhaul/spark-job/1',
      ...inputs,
      columns: schema.columns,
      output: hdfsUri(hdfsFolder(input)),
      // They have these names in the bucket too, beside those of other attempts.
      partPrefix: partPrefix(input.runId, newAttempt()),
      staging: hdfsUri(hdfsJobStaging(input)),
      partBytes: PART_BYTES,
      maxPartBytes: MAX_PART_BYTES,
      result: converted.uri(`${prefix}result.json`),
      unless: hdfsUri(hdfsManifest(input)),
    };
    await converted.put(`${prefix}job.json`, toJson(job));
    return {
      jobUri: converted.uri(`${prefix}job.json`),
      hdfsFolder: hdfsFolder(input),
      shards: inputs.inputs.length,
    };
  } finally {
    await scratch.close();
  }
}
