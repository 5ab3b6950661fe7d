import { crc32 } from 'node:zlib';
import { createHash } from 'node:crypto';
import type { SourceSpec } from '../model/dataset.ts';
import type { Validator } from '../model/validator.ts';

/** What every checkpoint says of its source: with another one it is of no use. */
export interface CheckpointedSource {
  /** Of the source's address and dialect settings. */
  sourceKey: string;
  validator: Validator;
  totalBytes?: number;
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
    .update(JSON.stringify([address, overrides.delimiter ?? null, overrides.header ?? null]))
    .digest('hex');
}

interface Envelope {
  format: string;
  /** Of `payload`: a damaged checkpoint must not be believed. */
  crc32: number;
  payload: string;
}

export function seal(format: string, content: unknown): string {
  const payload = JSON.stringify(content);
  const envelope: Envelope = { format, crc32: crc32(payload), payload };
  return JSON.stringify(envelope);
}

/** Undefined for what is damaged, or of another format: start from zero. */
export function unseal(format: string, sealed: Buffer | undefined): unknown {
  if (!sealed) return undefined;
  try {
    const envelope = JSON.parse(sealed.toString('utf8')) as Partial<Envelope> | null;
    if (envelope?.format !== format || typeof envelope.payload !== 'string') return undefined;
    if (crc32(envelope.payload) !== envelope.crc32) return undefined;
    return JSON.parse(envelope.payload) as unknown;
  } catch {
    return undefined;
  }
}
