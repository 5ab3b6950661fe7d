import { shownAddress } from '../model/addresses.ts';
import { partName, sourceEntryKey, sourcePrefix } from '../model/layout.ts';
import { assertBalanced } from '../model/ledger.ts';
import type { ParquetPart, SourceEntry } from '../model/manifest.ts';
import type { SourceResult } from '../model/run.ts';
import { toJson } from '../storage/manifests.ts';
import type { Store } from '../storage/store.ts';
import { countParquetRows } from '../verification/footers.ts';
import {
  keepPrivate,
  requireLanding,
  requireSchema,
  requireStaged,
  stagedPartsKey,
  type StagedParts,
} from './conversion.ts';
import type { ActivityDeps } from './deps.ts';
import { workKey } from './landing.ts';
import { countLedger } from './metrics.ts';
import { settingsKeyOf, toSourceResult } from './source-results.ts';
import type { VerifyInput } from './types.ts';
import { working, type Work } from './work.ts';

type Deps = Pick<ActivityDeps, 'raw' | 'converted' | 'activity'>;

/** The ledger: rows from Parquet footers, by a reader that is not the writer, against the stream's own count. */
export function createVerificationActivities(deps: Deps) {
  return {
    verifySource: async (input: VerifyInput): Promise<SourceResult> =>
      await working(
        deps,
        { source: input.source.id, stage: 'verify', key: workKey(input) },
        async (work) => toSourceResult(deps, await verifySource(deps, input, work)),
      ),
  };
}

async function verifySource(deps: Deps, input: VerifyInput, work: Work): Promise<SourceEntry> {
  const landing = await requireLanding(deps.raw, input);
  const { encoding, csv } = await requireSchema(deps.converted, input);
  const staged = await requireStaged<StagedParts>(
    deps.converted,
    stagedPartsKey(input.stagedPrefix),
  );
  const at = { ...input, source: input.source.id };
  // Nobody reads an entry of a day that is not published; one of an earlier, unfinished run gives way.
  await deps.converted.delete(sourceEntryKey(at));
  const places = staged.parts.map((name, index) => ({
    from: input.stagedPrefix + name,
    to: sourcePrefix(at) + partName(index),
  }));
  const counted: CountedPart[] = [];
  for (const place of places) counted.push(await countPart(deps.converted, place, work));
  const rows = counted.reduce((sum, part) => sum + part.rows, 0);
  const ledger = { records: landing.scan.records, rows, rejected: 0 };
  assertBalanced(ledger, input.source.id);
  countLedger(ledger);
  await keepPrivate(deps, input.rawKey, sourcePrefix(at));
  const parquet: ParquetPart[] = [];
  for (const { place, rows, bytes } of counted) {
    await movePart(deps.converted, place);
    const checksum = await deps.converted.checksum(place.to, work.signal);
    parquet.push({ key: place.to, rows, bytes, checksum });
  }
  const entry: SourceEntry = {
    id: input.source.id,
    url: shownAddress(input.source.address),
    status: 'converted',
    bytes: landing.bytes,
    checksum: landing.checksum,
    ...ledger,
    validator: landing.validator,
    rawKey: landing.rawKey,
    encoding,
    csv,
    dialect: landing.scan.dialect,
    blankLines: landing.scan.blankLines,
    engine: input.engine,
    schema: staged.schema,
    parquet,
    settingsKey: settingsKeyOf(input.source, input.engine),
  };
  await deps.converted.put(sourceEntryKey(at), toJson(entry));
  return entry;
}

interface CountedPart {
  place: Place;
  rows: number;
  bytes: number;
}

interface Place {
  from: string;
  to: string;
}

/** A part that an attempt before this one has moved already is counted where it is now. */
async function countPart(converted: Store, place: Place, work: Work): Promise<CountedPart> {
  const isStaged = (await converted.size(place.from)) !== undefined;
  const key = isStaged ? place.from : place.to;
  const { rows, bytes } = await countParquetRows(converted, key);
  work.report({ bytes });
  return { place, rows, bytes };
}

async function movePart(converted: Store, place: Place): Promise<void> {
  if ((await converted.size(place.from)) === undefined) return;
  await converted.delete(place.to);
  await converted.move(place.from, place.to);
}
