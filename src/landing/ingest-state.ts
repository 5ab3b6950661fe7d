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

/** The first block shows the dialect. Blocks of this size stay in the processor's cache. */
export const BLOCK_BYTES = HEAD_BYTES;

/** All that the worker knows of a source's first `bytes` bytes, as plain JSON. A later attempt can continue from it. */
export interface IngestStateFields {
  bytes: number;
  /** CRC-32 of the first `bytes` bytes. */
  crc32: number;
  dialect: Dialect;
  scanner: ScannerState;
}

/** The result of a landing whose bytes have all passed. */
export interface Landed {
  bytes: number;
  checksum: string;
  scan: CsvScan;
}

/** Counts and checksums a source's bytes as they pass, for any kind of store. */
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

  get records(): number {
    return this.#scanner?.records ?? 0;
  }

  /**
   * @param block has `BLOCK_BYTES` bytes; the last one may be shorter, even empty.
   * @throws LonghaulError as `assertPlainText` and `sniffHead` do, at the first block.
   */
  push(block: Buffer, last: boolean): void {
    const scanner = this.#scanner ?? this.#begin(block, last);
    // An empty buffer may have no memory. For it, zlib.crc32 returns 0 instead of the start value.
    if (block.length > 0) this.#crc32 = crc32(block, this.#crc32);
    scanner.push(block);
    this.#bytes += block.length;
  }

  /** Must not be called before the first block. */
  state(): IngestStateFields {
    if (!this.#dialect || !this.#scanner) throw new Error('Of no block there is no state.');
    return {
      bytes: this.#bytes,
      crc32: this.#crc32,
      dialect: this.#dialect,
      scanner: this.#scanner.state(),
    };
  }

  /** Ends the file after its last block. The object cannot be used afterwards. */
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
 * Counts and checksums again a landed file that is in its store.
 * @param onProgress gets the number of bytes so far.
 * @throws LonghaulError LAKE_CORRUPT if the file is missing; STORE_… from S3; the signal's reason.
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
 * Returns the landing as datasets.yaml now says to read it. If the delimiter or header setting changed since the
 * landing, the worker counts the stored bytes again and rewrites the manifest. Published snapshots do not change.
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
  // The reader reuses a block's memory for the next block, so copy it.
  for await (const block of locationBlocks(location, { end: headBytes, signal }))
    pieces.push(Buffer.from(block));
  const dialect = sniffHead(Buffer.concat(pieces), headBytes === landing.bytes, overrides);
  if (isDeepStrictEqual(dialect, landing.scan.dialect)) return landing;
  const { scan } = await rescan(location, dialect, onProgress, signal, overrides.encoding);
  const rescanned = { ...landing, scan };
  await raw.put(landingManifestKey(landing.rawKey), toJson(rescanned));
  return rescanned;
}
