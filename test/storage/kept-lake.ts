import { join } from 'node:path';
import { endDays } from '../../src/activities/sweep.ts';
import type { OpenRuns } from '../../src/activities/open-runs.ts';
import type { SourceSpec } from '../../src/model/dataset.ts';
import { landingManifestKey, snapshotManifestKey, sourcePrefix } from '../../src/model/layout.ts';
import type { KeepRule } from '../../src/model/sweep.ts';
import type { RevisionAt, SourceEntry } from '../../src/model/manifest.ts';
import { DiskStore } from '../../src/storage/disk-store.ts';
import { listRevisions, putTombstone } from '../../src/storage/manifests.ts';
import {
  previousEntry,
  previousSnapshot,
  settingsKeyOf,
} from '../../src/storage/source-results.ts';
import type { Lake } from '../../src/storage/store.ts';
import { findWithdrawn } from '../../src/storage/withdrawn-files.ts';
import { entryOf, snapshotJson } from '../helpers/manifests.ts';

export const DATASET = 'd';

export function sourceOf(id: string): SourceSpec {
  return { id, address: `https://example.org/${id}.csv`, optional: false, overrides: {} };
}

export type SourceState = 'new' | 'unchanged' | 'missing';

/** Publishes days as runs do, with a few bytes in place of each file, or manifests only. */
export class KeptLake implements Lake {
  readonly raw: DiskStore;
  readonly converted: DiskStore;
  readonly #hasFiles: boolean;

  constructor(folder: string, { hasFiles = true } = {}) {
    this.raw = new DiskStore(join(folder, 'raw'));
    this.converted = new DiskStore(join(folder, 'converted'));
    this.#hasFiles = hasFiles;
  }

  /** Publishes the day's next revision. An `unchanged` source is new if the last snapshot does not have it. */
  async publish(
    ingestDate: string,
    sources: Readonly<Record<string, SourceState>>,
  ): Promise<RevisionAt> {
    const ofDay = (await listRevisions(this.converted, DATASET)).filter(
      (ref) => ref.ingestDate === ingestDate,
    );
    const at = { dataset: DATASET, ingestDate, revision: (ofDay.at(-1)?.revision ?? 0) + 1 };
    const previous = await previousSnapshot(this.converted, at);
    const entries: SourceEntry[] = [];
    for (const [id, state] of Object.entries(sources)) {
      const before = previousEntry(previous, id);
      if (state === 'missing') entries.push(entryOf({ id, status: 'missing' }));
      else if (state === 'unchanged' && before) entries.push({ ...before, status: 'unchanged' });
      else entries.push(await this.#source(sourcePrefix({ ...at, source: id }), id));
    }
    const key = snapshotManifestKey(at);
    await this.converted.putIfAbsent(key, snapshotJson({ ...at, sources: entries }));
    return at;
  }

  async withdraw(at: RevisionAt): Promise<void> {
    await putTombstone(this.converted, { dataset: DATASET, ...at, reason: 'wrong', by: 'a test' });
  }

  async #source(prefix: string, id: string): Promise<SourceEntry> {
    const [rawKey, key] = [`${prefix}x.csv`, `${prefix}part-01234567-89abcdef-00000.parquet`];
    if (this.#hasFiles) {
      for (const each of [rawKey, landingManifestKey(rawKey)]) await this.raw.put(each, 'raw');
      await this.converted.put(key, 'parquet');
      await this.converted.put(`${prefix}_source.json`, 'entry');
    }
    return entryOf({
      ...{ id, rawKey, checksum: prefix, settingsKey: settingsKeyOf(sourceOf(id), 'duckdb') },
      parquet: [{ key, rows: 0, bytes: 7, checksum: '' }],
    });
  }

  async files(): Promise<string[]> {
    const keys: string[] = [];
    for (const store of [this.raw, this.converted]) {
      for await (const { key } of store.list('')) keys.push(key);
    }
    return keys.toSorted();
  }
}

/** Does the activity's work on a lake without an Iceberg table. @returns the files that it removed, or would remove. */
export async function keepOnly(
  lake: Lake,
  rule: Omit<KeepRule, 'dataset' | 'timeZone'>,
  { now, dryRun = false }: { now: string; dryRun?: boolean },
): Promise<string[]> {
  const { signal } = new AbortController();
  const nowMs = Date.parse(`${now}T12:00:00Z`);
  const rules = [{ dataset: DATASET, timeZone: 'UTC', ...rule }];
  const runs = { hold: async () => false } as unknown as OpenRuns;
  const kept = await endDays(lake, rules, { dryRun, nowMs, runs, signal });
  const limit = { unpublishedAfterMs: undefined, endedAfterMs: 0, nowMs, signal };
  const ending = dryRun ? { ending: kept.ending } : {};
  const files = [...(await findWithdrawn(lake, { ...limit, ...ending })), ...kept.raw];
  for (const { remove } of dryRun ? [] : files) await remove();
  return [...kept.items, ...files].map(({ kind, key }) => `${kind} ${key}`);
}
