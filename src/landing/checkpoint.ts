import { crc32 } from 'node:zlib';
import { createHash } from 'node:crypto';
import type { SourceSpec } from '../model/dataset.ts';
import { isPinned, type Validator } from '../model/manifest.ts';
import type { IngestStateFields } from './ingest-state.ts';
import type { OpenedSource, SourcePosition } from './source.ts';

/** The places where a later attempt can continue, if the source still has the same version. */
export interface Checkpoint {
  /** A hash of the source's address and dialect settings. An attempt for another source must not use the checkpoint. */
  sourceKey: string;
  validator: Validator;
  totalBytes?: number;
  /** The states at the newest offsets where an attempt may continue, the oldest first. At least one. */
  ends: CheckpointEnd[];
  /** The upload of a landing in S3. S3 itself lists the upload's parts. */
  upload?: OpenUpload;
}

export interface CheckpointEnd extends IngestStateFields {
  /** Present if the source cannot continue at any byte. */
  position?: SourcePosition | undefined;
}

export interface OpenUpload {
  id: string;
  partSizeBytes: number;
  /** The ETag that the completed object will get. An attempt that finds no upload looks for the object by it. */
  completingEtag?: string;
}

/** A landing that an attempt can continue at its last end, if the source still has this version. */
export interface Unfinished extends Checkpoint {
  /** The offset of the last end; more than 0. */
  offset: number;
  /** CRC-32 of the bytes before `offset`. */
  crc32: number;
  position?: SourcePosition | undefined;
}

/** Returns the place where the checkpoint's landing can continue, or undefined if the checkpoint has no end. */
export function unfinishedOf(checkpoint: Checkpoint): Unfinished | undefined {
  const end = checkpoint.ends.at(-1);
  if (!end || end.bytes === 0) return undefined;
  return { ...checkpoint, offset: end.bytes, crc32: end.crc32, position: end.position };
}

export function partialKey(rawKey: string): string {
  return `${rawKey}.partial`;
}

export function checkpointKey(rawKey: string): string {
  return `${partialKey(rawKey)}.checkpoint.json`;
}

/** The key is a hash because the address may hold a token. */
export function sourceKeyOf({ address, overrides, geometry }: SourceSpec): string {
  const { delimiter = null, header = null } = overrides;
  return createHash('sha256')
    .update(JSON.stringify([address, delimiter, header, geometry ?? null]))
    .digest('hex');
}

const FORMAT = 'longhaul/checkpoint/2';

interface Envelope {
  format: string;
  /** CRC-32 of `payload`. The worker must not use a damaged checkpoint. */
  crc32: number;
  payload: string;
}

/** The lists of a scan only grow, and may be long. So the checkpoint holds them once, and their length at each end. */
interface Packed extends Checkpoint {
  splits: number[];
  splitRecords: number[];
  splitCounts: number[];
}

/** The source that a checkpoint belongs to. */
export interface CheckpointSource {
  spec: SourceSpec;
  source: Pick<OpenedSource, 'validator' | 'totalBytes'>;
}

/** Returns undefined if there is no validator, because no attempt could see whether the source is still the same. */
export function sealedFor(
  { spec, source: { validator, totalBytes } }: CheckpointSource,
  ends: CheckpointEnd[],
  upload?: OpenUpload,
): string | undefined {
  if (!isPinned(validator)) return undefined;
  return seal({ sourceKey: sourceKeyOf(spec), validator, totalBytes, ends, upload });
}

export function seal({ ends, ...rest }: Checkpoint): string {
  const { splits = [], splitRecords = [] } = ends.at(-1)?.scanner ?? {};
  const lists = { splits: [], splitRecords: [] };
  const packed: Packed = {
    ...rest,
    splits,
    splitRecords,
    splitCounts: ends.map(({ scanner }) => scanner.splits.length),
    ends: ends.map((end) => ({ ...end, scanner: { ...end.scanner, ...lists } })),
  };
  const payload = JSON.stringify(packed);
  const envelope: Envelope = { format: FORMAT, crc32: crc32(payload), payload };
  return JSON.stringify(envelope);
}

/** Returns undefined for a damaged checkpoint or another format. The landing then starts at the first byte. */
export function unseal(sealed: Buffer | undefined): Checkpoint | undefined {
  if (!sealed) return undefined;
  try {
    const envelope = JSON.parse(sealed.toString('utf8')) as Partial<Envelope> | null;
    if (envelope?.format !== FORMAT || typeof envelope.payload !== 'string') return undefined;
    if (crc32(envelope.payload) !== envelope.crc32) return undefined;
    return unpacked(JSON.parse(envelope.payload) as Packed);
  } catch {
    return undefined;
  }
}

function unpacked({ ends, splits, splitRecords, splitCounts, ...rest }: Packed): Checkpoint {
  const upTo = (length = 0) => ({
    splits: splits.slice(0, length),
    splitRecords: splitRecords.slice(0, length),
  });
  const restored = ends.map((end, index) => ({
    ...end,
    scanner: { ...end.scanner, ...upTo(splitCounts[index]) },
  }));
  return { ...rest, ends: restored };
}
