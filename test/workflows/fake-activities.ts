import type { Activities } from '../../src/activities/index.ts';
import type { OpenInput, OpenResult } from '../../src/activities/days.ts';
import { fakeEmr } from './fake-emr.ts';
import type { DatasetSpec, SourceSpec } from '../../src/model/dataset.ts';
import { sumLedgers } from '../../src/model/ledger.ts';
import type { DayInput, IngestResult, LandedSource, SourceResult } from '../../src/model/run.ts';
import { sourceResult } from './source-result.ts';

/** Calls that the fakes received, in order: `land/2015`. */
export type Calls = string[];

/** Activities that return at once with the real ones' results. They serve tests of the workflow's own logic. */
export function fakeActivities(calls: Calls, changes: Partial<Activities> = {}): Activities {
  const landed = async ({ source }: { source: SourceSpec }): Promise<LandedSource> => ({
    ...sourceResult(source.id, 'landed'),
    rawKey: 'raw/key',
  });
  const verified = new Map<string, SourceResult>();
  const fakes: Activities = {
    openSnapshot: async (input) => opened(input),
    probeSource: async () => ({ totalBytes: 1000 }),
    landSource: landed,
    findLanding: landed,
    inspectSource: async () => ({ columns: 2, typedColumns: 1, encoding: 'utf-8' }),
    stageSource: async () => ({ bytes: 1000, stagedBytes: 1000 }),
    convertBatch: async () => ({ failed: [] }),
    convertSource: async () => ({ stagedPrefix: '_staging/x/', parts: 1, bytes: 100 }),
    verifySource: async ({ source }) => {
      const result = sourceResult(source.id, 'converted');
      verified.set(source.id, result);
      return result;
    },
    publishSnapshot: async (input): Promise<IngestResult> => ({
      dataset: input.dataset.name,
      ingestDate: input.ingestDate,
      mode: 'ingest',
      status: 'published',
      revision: input.revision,
      sources: [...verified.values()],
      ledger: { ...sumLedgers([...verified.values()]), balanced: true },
    }),
    syncTable: async ({ dataset, ingestDate }) => ({
      location: `/lake/_iceberg/${dataset}`,
      metadataFile: `/lake/_iceberg/${dataset}/metadata/v1.metadata.json`,
      tag: ingestDate,
      schemaChanges: [],
    }),
    cleanUp: async () => ({}),
    startOrJoinRun: async (input) => ({
      dataset: input.dataset,
      ingestDate: input.ingestDate,
      mode: input.mode ?? 'ingest',
      status: 'published',
      revision: 1,
      sources: [],
      ledger: { records: 0, rows: 0, rejected: 0, balanced: true },
    }),
    pauseIfFailing: async () => ({ failures: 1, paused: false }),
    ...fakeEmr(),
    sweepLeftovers: async ({ olderThanMs, dryRun }) => ({
      olderThanMs,
      dryRun,
      items: [],
      count: 0,
      bytes: 0,
      totals: [],
      younger: 0,
    }),
    ...changes,
  };
  return recording(fakes, calls);
}

export function datasetSpec(sources: string[]): DatasetSpec {
  return {
    name: 'denver-311',
    timeZone: 'America/Denver',
    sources: sources.map((id) => ({
      id,
      address: `http://example.org/${id}.csv`,
      optional: false,
      overrides: {},
    })),
  };
}

/** The input with which a command starts the workflow. */
export function ingestInput(sources: string[], changes: Partial<DayInput> = {}) {
  return {
    dataset: 'denver-311',
    ingestDate: '2026-11-23',
    mode: 'ingest',
    engine: 'duckdb',
    sourceConcurrency: 2,
    heartbeatTimeoutMs: 60_000,
    spec: datasetSpec(sources),
    ...changes,
  } satisfies DayInput;
}

/** A day with no work done, as a worker opens it when its datasets.yaml has one source, 2015. */
export function opened(input: OpenInput): OpenResult {
  const { mode = 'ingest', engine = 'duckdb', spec = datasetSpec(['2015']) } = input;
  const { sourceConcurrency = 2, heartbeatTimeoutMs = 60_000 } = input;
  return {
    plan: { mode, engine, spec, sourceConcurrency, heartbeatTimeoutMs, hasSearchAttributes: true },
    revision: 1,
    finished: [],
  };
}

function recording(fakes: Activities, calls: Calls): Activities {
  const entries = Object.entries(fakes).map(([name, activity]) => {
    const recorded = async (input: { source?: { id: string } }): Promise<unknown> => {
      calls.push(input.source ? `${name}/${input.source.id}` : name);
      return await (activity as (input: unknown) => Promise<unknown>)(input);
    };
    return [name, recorded];
  });
  return Object.fromEntries(entries) as Activities;
}
