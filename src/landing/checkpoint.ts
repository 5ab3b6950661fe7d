import { crc32 } from 'node:zlib';
import { createHash } from 'node:crypto';
import type { SourceSpec } from '../model/dataset.ts';
import { isPinned, type Validator } from '../model/manifest.ts';
import type { IngestStateFields } from './ingest-state.ts';
import type { OpenedSource, SourcePosition } from './source.ts';

/** How far a landing came. A later attempt can continue at its end, if the source still has the same version. */
export interface Checkpoint {
  /** A hash of the source's address and dialect settings. An attempt for another source must not use the checkpoint. */
  sourceKey: string;
  validator: Validator;
  totalBytes?: number;
  /** The state at the offset before which the store has all bytes. Absent if the store has no byte yet. */
  end?: CheckpointEnd | undefined;
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

/** A landing that an attempt can continue at its end. */
export type Unfinished = Checkpoint & { end: CheckpointEnd };

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

const FORMAT = 'longhaul/checkpoint/3';

interface Envelope {
  format: string;
  /** CRC-32 of `payload`. The worker must not use a damaged checkpoint. */
  crc32: number;
  payload: string;
}

/** The source that a checkpoint belongs to. */
export interface CheckpointSource {
  spec: SourceSpec;
  source: Pick<OpenedSource, 'validator' | 'totalBytes'>;
}

/** Returns undefined if there is no validator, because no attempt could see whether the source is still the same. */
export function sealedFor(
  { spec, source: { validator, totalBytes } }: CheckpointSource,
  end: CheckpointEnd | undefined,
  upload?: OpenUpload,
): string | undefined {
  if (!isPinned(validator)) return undefined;
  return seal({ sourceKey: sourceKeyOf(spec), validator, totalBytes, end, upload });
}

export function seal(checkpoint: Checkpoint): string {
  const payload = JSON.stringify(checkpoint);
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
    return JSON.parse(envelope.payload) as Checkpoint;
  } catch {
    return undefined;
  }
}
