import type { SparkSettings } from '../../config/settings.ts';
import { freeSpace } from '../../storage/free-space.ts';
import { stagedSparkPrefix } from '../../model/layout.ts';
import { requireLanding, requireSchema, type LandedTask } from '../../storage/staged.ts';
import type { Lake } from '../../storage/store.ts';
import { writtenFolder } from '../convert-source.ts';
import { stageJob } from './inputs.ts';
import { SPARK_SIZES } from './job.ts';

/** Of the free disk: the rest is for landings, for Parquet, and for others. */
const STAGE_SHARE = 1 / 3;

/** Bytes of copies for Spark that a run has at once. */
export async function stageBytes({
  converted,
  spark,
}: Pick<Lake, 'converted'> & { spark: SparkSettings }): Promise<number> {
  if (spark.stageBytes !== undefined) return spark.stageBytes;
  const { bytes } = await freeSpace(writtenFolder(converted));
  return Math.min(Math.floor(bytes * STAGE_SHARE), Number.MAX_SAFE_INTEGER);
}

export interface StagedSource {
  /** What Spark is to read. */
  bytes: number;
  /** Of it, copies that were made for that. */
  stagedBytes: number;
}

interface Watch {
  signal: AbortSignal;
  onProgress: (done: { bytes: number; totalBytes: number }) => void;
}

/** What Spark is to do with a landing, in the run's staging, for whichever Spark; a repeated call keeps the copies that are there. */
export async function stageSource(
  lake: Lake,
  input: LandedTask,
  { signal, onProgress }: Watch,
): Promise<StagedSource> {
  const { bytes: totalBytes, scan } = await requireLanding(lake.raw, input);
  const { encoding, schema } = await requireSchema(lake.converted, input);
  const file = { lake, rawKey: input.rawKey, bytes: totalBytes, scan, encoding, schema };
  const prefix = stagedSparkPrefix(input.runId, input.source.id);
  const { inputs } = await stageJob(file, prefix, SPARK_SIZES, {
    signal,
    onProgress: (bytes) => onProgress({ bytes, totalBytes }),
  });
  const sum = (of: typeof inputs): number => of.reduce((total, { bytes }) => total + bytes, 0);
  const copies = inputs.filter(({ zone }) => zone === 'converted');
  return { bytes: sum(inputs), stagedBytes: sum(copies) };
}
