import type { Dispatcher } from 'undici';
import { printable } from '../model/names.ts';
import { header } from './http-headers.ts';

/** A portal's JSON about an export is some hundred bytes; of more, nothing is told. */
export const MAX_SAID_BYTES = 4096;
/** A body that trickles is not waited for: the status says enough. */
const SAID_WITHIN_MS = 5000;
/** How much of a stranger's sentence an error message quotes. */
const MAX_SENTENCE_LENGTH = 200;

/** What a portal says of an export in place of the file. */
export interface Said {
  status?: string;
  /** All of it, fit to be shown: `PagingData, 50 %`. */
  text: string;
}

/**
 * What a portal's JSON says: its `status`, `progressInPercent`, and its `message`, which ArcGIS Hub has at the top,
 * in `errors` or in `error`. Undefined for anything else: a web page says nothing that fits into a line.
 */
export function saidIn(json: string): Said | undefined {
  const said = parsed(json);
  if (said === undefined) return undefined;
  const { status, progressInPercent: percent } = said;
  const sentence = [said, said['errors'], said['error']].map(messageOf).find(Boolean);
  const parts = [
    typeof status === 'string' ? status : '',
    typeof percent === 'number' ? `${percent} %` : '',
    sentence ?? '',
  ];
  const text = printable(parts.filter(Boolean).join(', ').slice(0, MAX_SENTENCE_LENGTH));
  return { text, ...(typeof status === 'string' && { status }) };
}

/** What comes with a status that is no success. Reads no more than fits, and never throws: the status says enough. */
export async function saidBy(response: Dispatcher.ResponseData): Promise<Said | undefined> {
  const length = Number(header(response, 'content-length') ?? 0);

  if (length > MAX_SAID_BYTES) return undefined;
  const pieces: Buffer[] = [];
  const startedAt = performance.now();
  try {
    let bytes = 0;
    for await (const piece of response.body) {
      pieces.push(piece as Buffer);
      bytes += (piece as Buffer).length;
      if (bytes > MAX_SAID_BYTES || performance.now() - startedAt > SAID_WITHIN_MS)
        return undefined;
    }
    return saidIn(Buffer.concat(pieces).toString('utf8'));
  } catch {
    return undefined;
  }
}

function parsed(json: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(json);
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function messageOf(value: unknown): string | undefined {
  const { message } = (value ?? {}) as { message?: unknown };
  return typeof message === 'string' ? message : undefined;
}
