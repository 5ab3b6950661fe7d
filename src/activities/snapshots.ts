import { dayPrefix, snapshotManifestKey, sourceEntryKey, stagingPrefix } from '../model/layout.ts';
import { LonghaulError } from '../model/errors.ts';
import { shownAddress } from '../model/addresses.ts';
import { sumLedgers } from '../model/ledger.ts';
import type { SnapshotManifest, SourceEntry } from '../model/manifest.ts';
import type { IngestResult } from '../model/run.ts';
import { assertVolume } from '../model/volume-guard.ts';
import { discardPartial } from '../landing/land.ts';
import { readJson, readSnapshot, toJson } from '../storage/manifests.ts';
import { deleteDeadParts } from '../storage/parts.ts';
import type { ActivityDeps } from './deps.ts';
import { rawKeyOf } from './landing.ts';
import {
  previousEntry,
  previousSnapshot,
  settingsKeyOf,
  toIngestResult,
} from './source-results.ts';
import type { CleanUpInput, PublishInput } from './types.ts';
import { shortly } from './work.ts';

type Deps = Pick<ActivityDeps, 'raw' | 'converted' | 'activity'>;

/** The end of a day: its publication, and what is left behind. */
export function createSnapshotActivities(deps: Deps) {
  return {
    publishSnapshot: async (input: PublishInput): Promise<IngestResult> =>
      await shortly(deps, async () => await publishSnapshot(deps, input)),

    cleanUp: async (input: CleanUpInput): Promise<void> => {
      await shortly(deps, async () => {
        await cleanUp(deps, input);
      });
    },
  };
}

/** The manifest is the last thing written; put-if-absent is the last lock. */
async function publishSnapshot(deps: Deps, input: PublishInput): Promise<IngestResult> {
  const { dataset, ingestDate, revision, runId } = input;
  const at = { dataset: dataset.name, ingestDate, revision };
  const previous = await previousSnapshot(deps.converted, at);
  const sources = await Promise.all(
    dataset.sources.map(async (source): Promise<SourceEntry> => {
      if (input.missing.includes(source.id)) return missingEntry(source.id, source.address);
      if (!input.unchanged.includes(source.id))
        return await verifiedEntry(deps, { ...at, source: source.id });
      const entry = previousEntry(previous, source.id);
      if (!entry)
        throw new LonghaulError(
          'LAKE_CORRUPT',
          `The last snapshot has no source ${source.id} any more.`,
        );
      return { ...entry, status: 'unchanged' };
    }),
  );
  const present = sources.filter((entry) => entry.status !== 'missing');
  if (!input.accept && previous) assertVolume(present, previous.sources);
  const allUnchanged = present.length > 0 && present.every((entry) => entry.status === 'unchanged');
  const manifest: SnapshotManifest = {
    format: 'longhaul/snapshot/1',
    ...at,
    status: allUnchanged ? 'unchanged' : 'published',
    runId,
    publishedAt: new Date().toISOString(),
    sources,
    ledger: sumLedgers(sources),
  };
  const key = snapshotManifestKey(dataset.name, ingestDate, revision);
  const outcome = await deps.converted.putIfAbsent(key, toJson(manifest));
  const stored = await readSnapshot(deps.converted, at);
  // `exists` with our own run id: an earlier attempt wrote it and its answer was lost.
  const ours = outcome === 'created' || stored.runId === runId;
  return toIngestResult(deps, stored, {
    mode: 'ingest',
    status: ours ? stored.status : 'already-published',
  });
}

async function verifiedEntry(
  deps: Deps,
  at: { dataset: string; ingestDate: string; revision: number; source: string },
): Promise<SourceEntry> {
  const entry = await readJson<SourceEntry>(deps.converted, sourceEntryKey(at));
  if (!entry)
    throw new LonghaulError('LAKE_CORRUPT', `${deps.converted.uri(sourceEntryKey(at))} is gone.`);
  for (const { key, bytes } of entry.parquet) {
    if ((await deps.converted.size(key)) === bytes) continue;
    const what = `${deps.converted.uri(key)} is missing or not as long as when it was verified.`;
    throw new LonghaulError('LAKE_CORRUPT', what, { source: at.source });
  }
  return entry;
}

function missingEntry(id: string, address: string): SourceEntry {
  return {
    id,
    url: shownAddress(address),
    status: 'missing',
    bytes: 0,
    records: 0,
    rows: 0,
    rejected: 0,
    checksum: '',
    validator: {},
    rawKey: '',
    encoding: 'utf-8',
    blankLines: 0,
    engine: 'duckdb',
    schema: { columns: [] },
    parquet: [],
    settingsKey: settingsKeyOf({ id, address, optional: true, overrides: {} }, 'duckdb'),
  };
}

async function cleanUp(deps: Deps, input: CleanUpInput): Promise<void> {
  const { ingestDate, revision } = input;
  const { name: dataset, sources } = input.dataset;
  await deps.converted.deletePrefix(stagingPrefix(input.runId));
  // One run a day: nobody else writes below its folders.
  const prefix = dayPrefix(dataset, ingestDate);
  await Promise.all([deps.raw.deleteTemporaries(prefix), deps.converted.deleteTemporaries(prefix)]);
  for (const source of input.discardPartials ? sources : []) {
    await discardPartial(deps.raw, rawKeyOf({ dataset, ingestDate, revision, source }));
  }
  await deleteDeadParts(deps.converted, { dataset, ingestDate, revision }, { runId: input.runId });
}
