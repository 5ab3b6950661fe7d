import { GetObjectCommand } from '@aws-sdk/client-s3';
import { setTimeout as sleep } from 'node:timers/promises';
import { createGunzip } from 'node:zlib';
import type { S3Settings } from '../config/settings.ts';
import { printable } from '../model/names.ts';
import { findObject } from '../storage/s3/objects.ts';
import { S3Prefix } from '../storage/s3/prefix.ts';

/** The last lines of a log, for an error's details: enough for the exception that counts. */
const TAIL_LINES = 50;
/** EMR brings logs every five minutes: a run that has failed does not wait for them longer than this. */
const MAX_LOG_WAIT_MS = 10_000;
const LOOK_AGAIN_MS = 500;
/** How much of the end of the text is kept: whole stack traces. */
const KEPT_CHARACTERS = 256 * 1024;
/** A log that is larger when packed is left where it is. */
const MAX_PACKED_BYTES = 32 * 1024 * 1024;
/** A line of a log that becomes part of an error. */
const MAX_LINE_CHARACTERS = 500;

/** An object, packed; undefined where it is not there, or is too large to be looked at. */
export type LogReader = (uri: string, signal: AbortSignal) => Promise<Buffer | undefined>;

export interface StepLog {
  uri: string;
  /** Its end; '' where it is not there. */
  text: string;
}

export function stepLogUri(clusterLogUri: string, stepId: string, file = 'stderr'): string {
  return `${clusterLogUri}steps/${stepId}/${file}.gz`;
}

/**
 * The end of a step's log, as soon as it is there, within 10 s: a help to people, so it never fails.
 * @param waitMs for tests.
 */
export async function readStepLog(
  read: LogReader,
  uri: string,
  waitMs = MAX_LOG_WAIT_MS,
): Promise<StepLog> {
  const over = new AbortController();
  const timer = setTimeout(() => over.abort(new Error('It took too long.')), waitMs);
  try {
    return { uri, text: await readEnd(read, uri, over.signal) };
  } catch {
    // Forbidden, unreachable, too late: the message names its place all the same.
    return { uri, text: '' };
  } finally {
    clearTimeout(timer);
  }
}

async function readEnd(read: LogReader, uri: string, signal: AbortSignal): Promise<string> {
  for (;;) {
    const packed = await Promise.race([read(uri, signal), aborted(signal)]);
    if (packed) return await unpackEnd(packed);
    await sleep(LOOK_AGAIN_MS, undefined, { signal });
  }
}

/** The last lines, printable, and without what looks like a credential. */
export function tailOf(text: string, count = TAIL_LINES): string[] {
  const lines = text.split(/\r?\n/);
  while (lines.length > 0 && lines.at(-1)?.trim() === '') lines.pop();
  return lines.slice(-count).map((line) => {
    // eslint-disable-next-line no-control-regex
    const plain = line.replaceAll(/\u001b\[[\d;]*m/g, '').replaceAll('\t', '    ');
    return withoutSecrets(printable(plain)).slice(0, MAX_LINE_CHARACTERS);
  });
}

/** What a careless program may have printed. */
export function withoutSecrets(text: string): string {
  return text
    .replaceAll(/\b(?:AKIA|ASIA)[A-Z0-9]{12,}\b/g, '…')
    .replaceAll(/((?:secret|password|token)[\w.-]*\s*[=:]\s*)[^\s,;&]+/gi, '$1…');
}

/** Reads logs of any bucket, with the credentials of the lake. */
export function s3LogReader(settings: S3Settings): LogReader {
  return async (uri, signal) => {
    const [, bucket = '', key = ''] = /^s3:\/\/([^/]+)\/(.+)$/.exec(uri) ?? [];
    const s3 = new S3Prefix({ ...settings, bucket }, '');
    const found = await findObject(s3, key, signal);
    if (!found) return undefined;
    if (found.bytes > MAX_PACKED_BYTES) throw new RangeError('too large');
    return await s3.read(new GetObjectCommand({ Bucket: bucket, Key: key }), { signal });
  };
}

async function unpackEnd(packed: Buffer): Promise<string> {
  const gunzip = createGunzip();
  let end = '';
  gunzip.setEncoding('utf8').on('data', (text: string) => {
    end = (end + text).slice(-KEPT_CHARACTERS);
  });
  return await new Promise((resolve) => {
    // A log that was cut off in the middle is worth its beginning.
    gunzip.once('error', () => resolve(end));
    gunzip.once('end', () => resolve(end));
    gunzip.end(packed);
  });
}

async function aborted(signal: AbortSignal): Promise<never> {
  return await new Promise((_resolve, reject) => {
    const stop = (): void => reject(signal.reason as Error);
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
}
