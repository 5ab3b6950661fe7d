import { crc32 } from 'node:zlib';
import { createHash } from 'node:crypto';
import type { SourceSpec } from '../model/dataset.ts';
import type { Validator } from '../model/validator.ts';
import type { Dialect } from '../model/scan.ts';
import type { Store } from '../storage/store.ts';
import type { ScannerState } from './scanner-state.ts';

/** Up to here the partial file is synced and everything about it known: where a later attempt goes on. */
export interface Checkpoint {
  /** Of the source's address and dialect settings: with others the partial file is of no use. */
  sourceKey: string;
  validator: Validator;
  totalBytes?: number;
  /** Length of the partial file that this checkpoint speaks of. */
  bytes: number;
  /** Of those bytes. */
  crc32: number;
  dialect: Dialect;
  scanner: ScannerState;
}

const FORMAT = 'longhaul/checkpoint/1';

interface Envelope {
  format: typeof FORMAT;
  /** Of `payload`: a damaged checkpoint must not be believed. */
  crc32: number;
  payload: string;
}

export function partialKey(rawKey: string): string {
  return `${rawKey}.partial`;
}

export function checkpointKey(rawKey: string): string {
  return `${partialKey(rawKey)}.checkpoint.json`;
}

/** No address in clear: it may hold a token. */
export function sourceKeyOf({ address, overrides }: SourceSpec): string {
  return createHash('sha256')
    .update(JSON.stringify([address, overrides.delimiter ?? null]))
    .digest('hex');
}

export async function writeCheckpoint(
  store: Store,
  rawKey: string,
  checkpoint: Checkpoint,
): Promise<void> {
  const payload = JSON.stringify(checkpoint);
  const envelope: Envelope = { format: FORMAT, crc32: crc32(payload), payload };
  await store.put(checkpointKey(rawKey), JSON.stringify(envelope));
}

/** Undefined where there is none that the source and the partial file's length agree with: start from zero. */
export async function readCheckpoint(
  store: Store,
  rawKey: string,
  sourceKey: string,
): Promise<Checkpoint | undefined> {
  const text = await store.get(checkpointKey(rawKey));
  const checkpoint = text && decode(text.toString('utf8'));
  if (!checkpoint || checkpoint.sourceKey !== sourceKey) return undefined;
  const length = (await store.size(partialKey(rawKey))) ?? 0;
  return checkpoint.bytes <= length ? checkpoint : undefined;
}

function decode(text: string): Checkpoint | undefined {
  try {
    const envelope = JSON.parse(text) as Partial<Envelope> | null;
    if (envelope?.format !== FORMAT || typeof envelope.payload !== 'string') return undefined;
    if (crc32(envelope.payload) !== envelope.crc32) return undefined;
    return JSON.parse(envelope.payload) as Checkpoint;
  } catch {
    return undefined;
  }
}
