import { isDeepStrictEqual } from 'node:util';
import { crc32 } from 'node:zlib';
import { HEAD_BYTES, sniffHead } from '../csv/dialect.ts';
import { CsvScanner } from '../csv/scanner.ts';
import { initialState, type ScannerState } from '../csv/scanner-state.ts';
import { formatChecksum } from '../model/texts.ts';
import type { Encoding, SourceOverrides } from '../model/dataset.ts';
import { landingManifestKey } from '../model/layout.ts';
import type { LandingManifest } from '../model/manifest.ts';
import type { CsvScan, Dialect } from '../model/scan.ts';
import { locationBlocks, type Location } from '../storage/location.ts';
import { toJson } from '../storage/manifests.ts';
import type { Store } from '../storage/store.ts';
import { assertPlainText } from './content-kind.ts';

/** The dialect is found from the first block; blocks of this size stay in the processor's cache. */
export const BLOCK_BYTES = HEAD_BYTES;

/** Everything that is known of a source's first `bytes`, as plain JSON: where a later attempt can go on. */
export interface IngestStateFields {
  bytes: number;
  /** CRC-32 of those bytes. */
  crc32: number;
  dialect: Dialect;
  scanner: ScannerState;
}

/** What a landing is, once all of it has passed. */
export interface Landed {
  bytes: number;
  checksum: string;
  scan: CsvScan;
}

/** Counts and checksums a source's bytes as they pass, whatever kind of store they go to. */
export class IngestState {
  readonly #overrides: SourceOverrides;
  #bytes = 0;
  #crc32 = 0;
  #dialect: Dialect | undefined;
  #scanner: CsvScanner | undefined;

  constructor(overrides: SourceOverrides, resumed?: IngestStateFields) {
    this.#overrides = overrides;
    if (!resumed) return;
    this.#bytes = resumed.bytes;
    this.#crc32 = resumed.crc32;
    this.#dialect = resumed.dialect;
    this.#scanner = new CsvScanner(resumed.dialect, resumed.scanner);
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** CRC-32 of the bytes so far. */
  get crc32(): number {
    return this.#crc32;
  }

  get records(): number {
    return this.#scanner?.records ?? 0;
  }

  /**
   * @param block of `BLOCK_BYTES`; the last may be shorter, even empty.
   * @throws LonghaulError as `assertPlainText` and `sniffHead` do, at the first block.
   */
  push(block: Buffer, last: boolean): void {
    const scanner = this.#scanner ?? this.#begin(block, last);
    // An empty block may have no address, and of that zlib.crc32 makes 0 whatever it starts from.
    if (block.length > 0) this.#crc32 = crc32(block, this.#crc32);
    scanner.push(block);
    this.#bytes += block.length;
  }

  /** After the first block. */
  state(): IngestStateFields {
    if (!this.#dialect || !this.#scanner) throw new Error('Of no block there is no state.');
    return {
      bytes: this.#bytes,
      crc32: this.#crc32,
      dialect: this.#dialect,
      scanner: this.#scanner.state(),
    };
  }

  /** Ends the file, whose last block was pushed. The state is used up. */
  finish(): Landed {
    if (!this.#scanner) throw new Error('A finished file was never begun.');
    const scan = this.#scanner.finish(this.#overrides.encoding);
    return { bytes: this.#bytes, checksum: formatChecksum(this.#crc32), scan };
  }

  #begin(head: Buffer, complete: boolean): CsvScanner {
    assertPlainText(head);
    this.#dialect = sniffHead(head, complete, this.#overrides);
    this.#scanner = new CsvScanner(this.#dialect);
    return this.#scanner;
  }
}

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
