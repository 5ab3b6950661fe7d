import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { LonghaulError } from '../../model/errors.ts';
import { partName } from '../../model/layout.ts';
import { uriOf, type Location } from '../../storage/location.ts';
import { assertDecodable } from '../../csv/encoding.ts';
import type { ConversionEngine, ConversionOutcome, ConversionRequest } from '../engine.ts';
import { openScratch } from '../parts/scratch.ts';
import { sparkError } from './errors.ts';
import { makeInputs, type SparkInputs } from './inputs.ts';
import { MAX_PART_BYTES, PART_BYTES, SHARD_BYTES, type SparkJob, type SparkPart } from './job.ts';
import { fileUri } from './session.ts';
import type { SparkRunner } from './sessions.ts';

export interface SparkSizes {
  shardBytes: number;
  partBytes: number;
  maxPartBytes: number;
}

const SIZES: SparkSizes = {
  shardBytes: SHARD_BYTES,
  partBytes: PART_BYTES,
  maxPartBytes: MAX_PART_BYTES,
};

/** Of the whole, what making the inputs counts for: nothing where Spark reads the landed file itself. */
const INPUTS_SHARE = 0.15;

/** Apache Spark: one job a conversion, in which shards of the file go side by side. */
export function createSparkEngine(run: SparkRunner, sizes: SparkSizes = SIZES): ConversionEngine {
  return { convert: async (request) => await convert(request, sizes, run) };
}

async function convert(
  request: ConversionRequest,
  sizes: SparkSizes,
  run: SparkRunner,
): Promise<ConversionOutcome> {
  const { output, outputPrefix, scratchPrefix, signal, schema } = request;
  assertDecodable(request.scan, request.encoding);
  signal.throwIfAborted();
  const scratch = await openScratch(output.location(scratchPrefix));
  const shardsPrefix = `${scratchPrefix}shards/`;
  const ended = new AbortController();
  const making = makeInputs({
    request: { ...request, signal: AbortSignal.any([signal, ended.signal]) },
    shardBytes: sizes.shardBytes,
    scratchFolder: scratch.folder,
    shardsPrefix,
    uriOf: hadoopUri,
    onProgress: (bytes) => request.onProgress({ bytes: Math.floor(bytes * INPUTS_SHARE) }),
  });
  try {
    // Spark starts while its inputs are made.
    const job = making.then((inputs) => jobOf(request, inputs, sizes, scratch.folder));
    const written = await runFresh(request, job, run, scratch.folder);
    await output.deletePrefix(shardsPrefix);
    const parts = written.map((_, index) => partName(index));
    for (const [index, { name }] of written.entries()) {
      const path = join(scratch.folder, OUTPUT, name);
      await output.putFile(`${outputPrefix}${parts[index]}`, path, signal);
    }
    return { parts, schema };
  } catch (error) {
    ended.abort(error);
    await making.catch(() => undefined);
    // The error is what counts; what cannot be removed now is left for the run's cleaning up, or for a sweep.
    await output.deletePrefix(outputPrefix).catch(() => undefined);
    throw error;
  } finally {
    await scratch.close();
  }
}

/** On this machine, also for a bucket: there, Spark puts a finished file in its place by copying it. */
const OUTPUT = 'output';
const STAGING = 'staging';

function jobOf(
  { schema }: ConversionRequest,
  inputs: SparkInputs,
  sizes: SparkSizes,
  folder: string,
): SparkJob {
  return {
    format: 'longhaul/spark-job/1',
    ...inputs,
    columns: schema.columns,
    output: fileUri(`${join(folder, OUTPUT)}/`),
    partPrefix: 'part-',
    staging: fileUri(`${join(folder, STAGING)}/`),
    partBytes: sizes.partBytes,
    maxPartBytes: sizes.maxPartBytes,
    // The session that runs the job sets it.
    result: '',
    progress: true,
  };
}

/** Each run finds its credentials anew: after a session that has expired, another run is needed. */
async function runFresh(
  request: ConversionRequest,
  job: Promise<SparkJob>,
  run: SparkRunner,
  folder: string,
): Promise<SparkPart[]> {
  const { output, outputPrefix, signal, onNote } = request;
  const location = output.location(outputPrefix);
  const s3 = location.kind === 's3' ? location.settings : undefined;
  let report: ((bytes: number) => void) | undefined;
  // Without a job there is no progress to report; the caller that waits for it gets its error.
  void job.then(
    (each) => (report = onProgressOf(request, each)),
    () => undefined,
  );
  const onProgress = (bytes: number): void => report?.(bytes);
  const once = async (): Promise<SparkPart[]> => {
    const result = await run(job, { s3, signal, onProgress, onNote });
    if ('error' in result) throw sparkError(result.error, s3?.bucket);
    return result.parts;
  };
  try {
    return await once();
  } catch (error) {
    const isOfCredentials = error instanceof LonghaulError && error.code === 'STORE_CREDENTIALS';
    if (!isOfCredentials) throw error;
    // What making the inputs failed of is not Spark's.
    await job;
    for (const left of [OUTPUT, STAGING]) {
      await rm(join(folder, left), { recursive: true, force: true });
    }
    return await once();
  }
}

/** Bytes of the inputs as bytes of the landed file, after those that making the inputs counted for. */
function onProgressOf(
  { input, inputBytes, onProgress }: ConversionRequest,
  { inputs }: SparkJob,
): (bytes: number) => void {
  const total = inputs.reduce((sum, each) => sum + each.bytes, 0);
  const before = inputs.some(({ uri }) => uri === hadoopUri(input)) ? 0 : INPUTS_SHARE;
  return (bytes) => {
    const done = total === 0 ? 1 : bytes / total;
    onProgress({ bytes: Math.floor(inputBytes * (before + (1 - before) * done)) });
  };
}

/** As Hadoop opens it. */
function hadoopUri(location: Location): string {
  return location.kind === 'disk'
    ? fileUri(location.path)
    : uriOf(location).replace(/^s3:/, 's3a:');
}
