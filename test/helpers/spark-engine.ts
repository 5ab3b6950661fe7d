import { randomUUID } from 'node:crypto';
import { basename, dirname } from 'node:path';
import type { SparkSettings } from '../../src/config/settings.ts';
import type {
  ConversionEngine,
  ConversionOutcome,
  ConversionRequest,
} from '../../src/conversion/engine.ts';
import { convertBatch, type SubmitSpark } from '../../src/conversion/spark/convert-batch.ts';
import { SPARK_SIZES, stageJob, type SparkSizes } from '../../src/conversion/spark/inputs.ts';
import { csvReadingOf } from '../../src/model/scan.ts';
import {
  partName,
  sourcePrefix,
  stagedSchemaKey,
  stagedSparkPrefix,
  stagingPrefix,
} from '../../src/model/layout.ts';
import { DiskStore } from '../../src/storage/disk-store.ts';
import { uriOf } from '../../src/storage/location.ts';
import { STAGED_PARTS } from '../../src/storage/manifest-shapes.ts';
import { toJson } from '../../src/storage/manifests.ts';
import { requireStaged, stagedPartsKey } from '../../src/storage/staged.ts';
import type { Lake } from '../../src/storage/store.ts';
import { LOCAL_SPARK } from './local-spark.ts';

const AT = { dataset: 'd', ingestDate: '2026-01-01', revision: 1 };
const ID = 'a';

interface SparkEngineOptions {
  submit?: SubmitSpark;
  sizes?: SparkSizes;
  settings?: SparkSettings;
}

/** Spark as an engine of one source. It stages and converts a job of this source as Longhaul does. */
export function sparkEngine(options: SparkEngineOptions = {}): ConversionEngine {
  return async (request) => await convert(request, options);
}

async function convert(
  request: ConversionRequest,
  { submit, sizes = SPARK_SIZES, settings = LOCAL_SPARK }: SparkEngineOptions,
): Promise<ConversionOutcome> {
  const { output: store, bytes: totalBytes, scan, encoding, schema, signal } = request;
  const { raw, rawKey } = rawOf(request);
  const lake = { raw, converted: store };
  const runId = randomUUID();
  const prefix = stagedSparkPrefix(runId, ID);
  const target = sourcePrefix({ ...AT, source: ID });
  try {
    const csv = csvReadingOf(scan, encoding, {});
    await store.put(stagedSchemaKey(runId, ID), toJson({ encoding, csv, schema }));
    const file = { ...request, lake, rawKey };
    const { inputs } = await stageJob(file, prefix, sizes, { signal, onProgress: () => undefined });
    const bytes = inputs.reduce((sum, each) => sum + each.bytes, 0);
    const failed = await convertBatch(
      { ...lake, spark: settings },
      { ...AT, runId, sources: [{ id: ID, rawKey, bytes }] },
      {
        signal,
        onProgress: (done) =>
          request.onProgress({ bytes: Math.floor((done.bytes / done.totalBytes) * totalBytes) }),
        onNote: (note) => request.onNote?.(note),
      },
      submit,
    );
    const [failure] = failed;
    if (failure) throw failure.error;
    const staged = await requireStaged(store, stagedPartsKey(prefix), STAGED_PARTS);
    const parts = staged.parts.map((_, index) => partName(index));
    for (const [index, key] of staged.parts.entries()) {
      const range = { location: store.location(key), start: 0, end: (await store.size(key)) ?? 0 };
      await store.copyRange(range, `${request.outputPrefix}${parts[index]}`);
    }
    return { parts, schema: staged.schema };
  } finally {
    await store.deletePrefix(stagingPrefix(runId));
    await store.deletePrefix(target);
  }
}

function rawOf({ location, output }: ConversionRequest): Pick<Lake, 'raw'> & { rawKey: string } {
  if (location.kind === 'disk') {
    return { raw: new DiskStore(dirname(location.path)), rawKey: basename(location.path) };
  }
  return { raw: output, rawKey: uriOf(location).slice(output.uri('').length) };
}
