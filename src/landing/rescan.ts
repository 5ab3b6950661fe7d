import { isDeepStrictEqual } from 'node:util';
import type { Encoding, SourceOverrides } from '../model/dataset.ts';
import { landingManifestKey } from '../model/layout.ts';
import type { LandingManifest } from '../model/manifest.ts';
import type { Dialect } from '../model/scan.ts';
import { toJson } from '../storage/manifests.ts';
import { locationBlocks, type Location } from '../storage/location.ts';
import type { Store } from '../storage/store.ts';
import { HEAD_BYTES, sniffHead } from '../csv/dialect.ts';
import { initialState } from '../csv/scanner-state.ts';
import { IngestState, type Landed } from './ingest-state.ts';

/**
 * Counts and checksums a landed file again, as it is in its store now.
 * @param onProgress bytes so far.
 * @throws LonghaulError LAKE_CORRUPT where the file is not there; STORE_… of S3; the signal's reason.
 */
export async function rescan(
  location: Location,
  dialect: Dialect,
  onProgress: (bytes: number) => void,
  signal: AbortSignal,
  encoding?: Encoding,
): Promise<Landed> {
  const start = { bytes: 0, crc32: 0, dialect, scanner: initialState(dialect) };
  const ingestState = new IngestState({ encoding }, start);
  for await (const block of locationBlocks(location, { signal })) {
    ingestState.push(block, false);
    onProgress(ingestState.bytes);
  }
  return ingestState.finish();
}

/**
 * A landing as datasets.yaml now has it read: where its delimiter or header was set after the file was landed, the stored
 * bytes are counted again, and the landing's manifest says so. Published snapshots keep what they were read with.
 * @throws LonghaulError as `sniffHead` and `rescan` do.
 */
export async function scannedAsConfigured(
  raw: Store,
  landing: LandingManifest,
  overrides: SourceOverrides,
  { signal, onProgress }: { signal: AbortSignal; onProgress: (bytes: number) => void },
): Promise<LandingManifest> {
  const location = raw.location(landing.rawKey);
  const headBytes = Math.min(HEAD_BYTES, landing.bytes);
  const pieces: Buffer[] = [];
  // A block is good until the next one is asked for.
  for await (const block of locationBlocks(location, { end: headBytes, signal }))
    pieces.push(Buffer.from(block));
  const dialect = sniffHead(Buffer.concat(pieces), headBytes === landing.bytes, overrides);
  if (isDeepStrictEqual(dialect, landing.scan.dialect)) return landing;
  const { scan } = await rescan(location, dialect, onProgress, signal, overrides.encoding);
  const rescanned = { ...landing, scan };
  await raw.put(landingManifestKey(landing.rawKey), toJson(rescanned));
  return rescanned;
}
