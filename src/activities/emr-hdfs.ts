import type { SparkResult } from '../conversion/spark/job.ts';
import { describeCluster } from '../emr/clusters.ts';
import { HdfsUnreachable, WebHdfs, webHdfsBase } from '../emr/webhdfs.ts';
import { LonghaulError } from '../model/errors.ts';
import {
  sourceEntryKey,
  sourcePrefix,
  sparkShardsPrefix,
  stagedSparkPrefix,
  stagingPrefix,
} from '../model/layout.ts';
import { assertBalanced, sumLedgers } from '../model/ledger.ts';
import type { SnapshotManifest, SourceEntry } from '../model/manifest.ts';
import type { SourceResult } from '../model/run.ts';
import {
  HDFS_ROWS,
  SOURCE_ENTRY,
  SPARK_RESULT,
  type HdfsRows,
  type StagedParts,
} from '../storage/manifest-shapes.ts';
import { readJson, toJson } from '../storage/manifests.ts';
import type { Store } from '../storage/store.ts';
import { countParquetRows } from '../verification/footers.ts';
import { requireLanding, requireSchema, requireStaged, stagedPartsKey } from '../storage/staged.ts';
import { apiOf } from './emr-clusters.ts';
import type { EmrDeps } from './emr-deps.ts';
import { hdfsManifest, hdfsUri, jobPrefix, manifestName } from './emr-locations.ts';
import type {
  CopiedInput,
  CopyInput,
  CountedInput,
  CountInput,
  CountResult,
  HdfsManifestInput,
  StageJobInput,
  StepCommand,
} from './emr-types.ts';
import { convertedEntry, toSourceResult } from '../storage/source-results.ts';
import type { Work } from './work.ts';

/** Undefined where the job wrote none. */
export async function jobResult(
  converted: Store,
  input: StageJobInput,
): Promise<SparkResult | undefined> {
  return await readJson(converted, `${jobPrefix(input)}result.json`, SPARK_RESULT);
}

export async function count(deps: EmrDeps, input: CountInput, work: Work): Promise<CountResult> {
  const { scan } = await requireLanding(deps.raw, input);
  const found = input.isCountedByStep
    ? await countedByStep(deps.converted, input)
    : await countHere(deps, input, work);
  if ('outcome' in found) return found;
  const written = await jobResult(deps.converted, input);
  const names = written && 'parts' in written ? written.parts.map(({ name }) => name) : [];
  const seen = found.parts.map(({ name }) => name).toSorted();
  if (names.toSorted().join('/') !== seen.join('/')) {
    const what = `${hdfsUri(input.hdfsFolder)} holds ${seen.join(', ') || 'nothing'}, where the job wrote ${names.join(', ') || 'nothing'}.`;
    throw new LonghaulError('LAKE_CORRUPT', what, { source: input.source.id });
  }
  const rows = found.parts.reduce((sum, part) => sum + part.rows, 0);
  assertBalanced({ records: scan.records, rows, rejected: 0 }, input.source.id);
  await deps.converted.put(countedKey(input), toJson(found));
  return { outcome: 'counted', parts: found.parts.length, rows };
}

export async function result(deps: EmrDeps, input: CountedInput): Promise<SourceResult> {
  const entry = await entryOnHdfs(deps, input);
  await deps.converted.put(entryKey(input.runId, input.source.id), toJson(entry));
  const result = toSourceResult(deps, entry);
  const parquet = entry.parquet.map(({ key, rows, bytes }) => ({
    path: hdfsUri(`/takehome-converted/${key}`),
    rows,
    bytes,
  }));
  return { ...result, parquet };
}

/** @returns folders for s3-dist-cp. What is copied has names of the job's own, so it stays where it comes. */
export function planCopy({ converted }: EmrDeps, input: CopyInput): { from: string; to: string } {
  const to = converted.uri(sourcePrefix({ ...input, source: input.source.id }));
  return { from: hdfsUri(input.hdfsFolder), to };
}

export async function stageParts({ converted }: EmrDeps, input: CopiedInput): Promise<void> {
  const { schema } = await requireSchema(converted, input);
  const counted = await requireCounted(converted, input);
  const prefix = sourcePrefix({ ...input, source: input.source.id });
  const parts = counted.parts.map(({ name }) => prefix + name).toSorted();
  const staged: StagedParts = { parts, schema };
  for (const { name, bytes } of counted.parts) {
    const copied = await converted.size(prefix + name);
    if (copied === bytes) continue;
    const uri = converted.uri(prefix + name);
    const what = `${uri} has ${copied ?? 'no'} bytes; on HDFS it has ${bytes}.`;
    throw new LonghaulError('LAKE_CORRUPT', what, { source: input.source.id });
  }
  await converted.put(stagedPartsKey(input.stagedPrefix), toJson(staged));
  // What Spark read is of no use any more, and as large as the landing.
  await converted.deletePrefix(sparkShardsPrefix(stagedSparkPrefix(input.runId, input.source.id)));
}

/** The same manifest as in the bucket, of what lies on this HDFS. */
export async function stageManifest(
  { converted }: EmrDeps,
  input: HdfsManifestInput,
): Promise<StepCommand> {
  const { dataset, ingestDate, revision, runId, output } = input;
  const sources: SourceEntry[] = [];
  for (const source of input.sources) {
    const key =
      output === 'hdfs'
        ? entryKey(runId, source)
        : sourceEntryKey({ dataset, ingestDate, revision, source });
    sources.push(await requireStaged(converted, key, SOURCE_ENTRY));
  }
  const manifest: SnapshotManifest = {
    format: 'longhaul/snapshot/1',
    dataset,
    ingestDate,
    revision,
    status: 'published',
    runId,
    publishedAt: new Date().toISOString(),
    sources,
    ledger: sumLedgers(sources),
  };
  const folder = `${stagingPrefix(runId)}_emr/manifest/`;
  await converted.put(folder + manifestName(revision), toJson(manifest));
  const to = hdfsManifest(input);
  return { from: converted.uri(folder), to: hdfsUri(to.slice(0, to.lastIndexOf('/') + 1)) };
}

async function entryOnHdfs(deps: EmrDeps, input: CountedInput): Promise<SourceEntry> {
  const landing = await requireLanding(deps.raw, input);
  const staging = await requireSchema(deps.converted, input);
  const { parts } = await requireCounted(deps.converted, input);
  const prefix = sourcePrefix({ ...input, source: input.source.id });
  return convertedEntry(input, landing, staging, {
    schema: staging.schema,
    rows: parts.reduce((sum, { rows }) => sum + rows, 0),
    // HDFS checks its blocks by itself, and says no checksum that another store could be compared with.
    parquet: parts.map(({ name, rows, bytes }) => ({
      key: prefix + name,
      rows,
      bytes,
      checksum: '',
    })),
  });
}

async function countHere(
  deps: EmrDeps,
  input: CountInput,
  work: Work,
): Promise<HdfsRows | CountResult> {
  const { clusterId, hdfsFolder: folder } = input;
  const { master } = await describeCluster(apiOf(deps), clusterId, undefined, work.signal);
  const base = webHdfsBase(deps.emr.webHdfsUrl, { id: clusterId, master });
  const unreachable = (why: string): CountResult => ({
    outcome: 'unreachable',
    why,
    args: ['--folder', hdfsUri(folder), '--result', deps.converted.uri(countKey(input))],
  });
  if (base === undefined) return unreachable('The cluster has no name that could be asked.');
  const webHdfs = new WebHdfs(base, work.signal);
  try {
    const entries = (await webHdfs.list(folder)) ?? [];
    const files = entries.filter(({ isFolder }) => !isFolder);
    const parts: HdfsRows['parts'] = [];
    const store = {
      uri: hdfsUri,
      size: async (path: string) => await webHdfs.size(path),
      readRange: async (path: string, start: number, end: number) =>
        await webHdfs.readRange(path, start, end),
    };
    for (const { name } of files) {
      const { rows, bytes } = await countParquetRows(store, folder + name);
      parts.push({ name, rows, bytes });
      work.onProgress({ bytes });
    }
    return { format: 'longhaul/hdfs-rows/1', parts };
  } catch (error) {
    const cause = unreachableOf(error);
    if (!cause) throw error;
    return unreachable(cause.message);
  } finally {
    await webHdfs.close();
  }
}

/** A reader may have wrapped it. */
function unreachableOf(error: unknown): HdfsUnreachable | undefined {
  for (let each = error; each instanceof Error; each = each.cause) {
    if (each instanceof HdfsUnreachable) return each;
  }
  return undefined;
}

async function countedByStep(converted: Store, input: CountInput): Promise<HdfsRows> {
  const counted = await readJson(converted, countKey(input), HDFS_ROWS);
  if (counted) return counted;
  throw new LonghaulError('LAKE_CORRUPT', `${converted.uri(countKey(input))} is gone.`);
}

async function requireCounted(converted: Store, input: StageJobInput): Promise<HdfsRows> {
  return await requireStaged(converted, countedKey(input), HDFS_ROWS);
}

/** What the step writes. */
function countKey(input: StageJobInput): string {
  return `${jobPrefix(input)}count.json`;
}

/** What was found right, by whichever reader. */
function countedKey(input: StageJobInput): string {
  return `${jobPrefix(input)}counted.json`;
}

function entryKey(runId: string, source: string): string {
  return `${stagingPrefix(runId)}${source}/hdfs-entry.json`;
}
