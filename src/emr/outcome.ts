import { causeText, probableCause } from '../conversion/spark/errors.ts';
import { isLostNodes, isOwnFault } from '../model/emr.ts';
import type { ExplainInput, StepFailure, TakeResultsInput } from '../model/emr-inputs.ts';
import { printable } from '../model/names.ts';
import { s3Of, type EmrDeps } from './plan.ts';
import { setTimeout as sleep } from 'node:timers/promises';
import { createGunzip } from 'node:zlib';
import type { S3Settings } from '../config/settings.ts';
import { findObject, readObject } from '../storage/s3/objects.ts';
import { S3Prefix } from '../storage/s3/prefix.ts';
import { SESSION_DIED, type SparkError } from '../conversion/spark/job.ts';
import { LonghaulError } from '../model/errors.ts';

/** EMR writes logs every five minutes, and when a cluster ends. A run that goes on does not wait that long. */
export const LOG_WAIT_MS = 10_000;
export const LAST_LOG_WAIT_MS = 6 * 60_000;
/** The cause of a failure becomes part of an error's message: a sentence, not a log. */
const MAX_CAUSE_CHARACTERS = 600;

/** Explains why a step did not complete, from EMR's message and the end of the step's log. */
export async function explainStep(deps: EmrDeps, input: ExplainInput): Promise<StepFailure> {
  const { cluster, step, kind, isOver } = input;
  const what = `The step ${step.id} (${kind})`;
  if (step.state === 'CANCELLED') {
    const message = `${what} was cancelled on ${cluster.id}, and not by this run.`;
    return { code: 'EMR_STEP_CANCELLED', message, cause: '', isWorthRetry: false };
  }
  const log = cluster.logUri && `${cluster.logUri}steps/${step.id}/stderr.gz`;
  const waitMs = isOver ? LAST_LOG_WAIT_MS : LOG_WAIT_MS;
  const { cause, lines, text } = await readCause(deps, log, step.reason, waitMs);
  const end = step.state === 'INTERRUPTED' ? 'was interrupted' : 'failed';
  const said = [step.reason ?? '', ...lines].join('\n');
  // Copying and counting are safe to repeat: they meet passing faults, and always read the same files.
  const mayPass = kind === 'convert' ? isLostNodes(said) : !isOwnFault(said);
  return {
    code: 'EMR_STEP_FAILED',
    message: `${what} ${end} on ${cluster.id}; ${text}`,
    cause,
    ...(log === undefined ? {} : { log: { uri: log, lines } }),
    isWorthRetry: step.state === 'INTERRUPTED' || mayPass,
  };
}

/** The cause that a program on another machine logged before it failed. */
export interface LoggedCause {
  /** '' if the cause is unknown. */
  cause: string;
  /** The log's last lines; empty if the log does not exist yet. */
  lines: string[];
  /** Text for the user: the cause, and where the log lies. */
  text: string;
}

/** @param reason EMR's message. */
export async function readCause(
  deps: Pick<EmrDeps, 'raw'>,
  uri: string | undefined,
  reason: string | undefined,
  waitMs: number,
): Promise<LoggedCause> {
  const reader = s3LogReader(s3Of(deps.raw));
  const read = async (log: string): Promise<string> => await readLog(reader, log, waitMs);
  let log = uri === undefined ? '' : await read(uri);
  let inLog = probableCause(log);
  if (uri !== undefined && log !== '' && !inLog) {
    // spark-submit writes the messages of Python into stdout.
    const stdout = await read(uri.replace(/stderr\.gz$/, 'stdout.gz'));
    inLog = probableCause(stdout);
    if (inLog) log = stdout;
  }
  const cause = shortCause(inLog ? causeText(inLog) : (reason ?? ''));
  const why = cause === '' ? 'no reason is known.' : `probable cause: ${cause}`;
  const where = uri === undefined ? '' : ` The whole log: ${uri}`;
  return { cause, lines: tailOf(log), text: why + where };
}

/** A program's message on one line, without credentials. */
function shortCause(words: string): string {
  const cause = withoutSecrets(printable(words)).slice(0, MAX_CAUSE_CHARACTERS);
  return /[.!?]$/.test(cause) || cause === '' ? cause : `${cause}.`;
}

/** An error's details hold the last lines of a log: enough for the exception that matters. */
const TAIL_LINES = 50;
const LOOK_AGAIN_MS = 500;
/** The worker keeps this much of the end of a log: enough for whole stack traces. */
const KEPT_CHARACTERS = 256 * 1024;
/** The worker does not read a larger packed log: it reads a log into memory. */
const MAX_PACKED_BYTES = 32 * 1024 * 1024;
/** A line of a log becomes part of an error. Longer lines are cut. */
const MAX_LINE_CHARACTERS = 500;

/** Reads a gzipped object; undefined if the object does not exist. @throws if the object is too large. */
export type LogReader = (uri: string, signal: AbortSignal) => Promise<Buffer | undefined>;

/** The end of a log as soon as the log exists; '' if it does not. It never throws: a log is only a help. */
export async function readLog(read: LogReader, uri: string, waitMs: number): Promise<string> {
  const signal = AbortSignal.timeout(waitMs);
  try {
    for (;;) {
      const packed = await read(uri, signal);
      if (packed) return await unpackEnd(packed);
      await sleep(LOOK_AGAIN_MS, undefined, { signal });
    }
  } catch {
    // S3 denied the request, did not answer or had no log in time. The message names the log's place all the same.
    return '';
  }
}

async function unpackEnd(packed: Buffer): Promise<string> {
  const gunzip = createGunzip().setEncoding('utf8');
  gunzip.end(packed);
  let end = '';
  try {
    for await (const text of gunzip) end = (end + String(text)).slice(-KEPT_CHARACTERS);
  } catch {
    // If a log is cut off in the middle, its beginning is still useful.
  }
  return end;
}

/** The last lines, printable, and without text that looks like a credential. */
export function tailOf(text: string): string[] {
  const lines = text.split(/\r?\n/);
  while (lines.length > 0 && lines.at(-1)?.trim() === '') lines.pop();
  return lines.slice(-TAIL_LINES).map((line) => {
    // eslint-disable-next-line no-control-regex
    const plain = line.replaceAll(/\u001b\[[\d;]*m/g, '').replaceAll('\t', '    ');
    return withoutSecrets(printable(plain)).slice(0, MAX_LINE_CHARACTERS);
  });
}

/** Removes credentials that a program may have printed by mistake. */
export function withoutSecrets(text: string): string {
  return text
    .replaceAll(/\b(?:AKIA|ASIA)[A-Z0-9]{12,}\b/g, '…')
    .replaceAll(/((?:secret|password|token)[\w.-]*\s*[=:]\s*)[^\s,;&]+/gi, '$1…');
}

/** Reads logs from any bucket with the credentials of the lake. */
function s3LogReader(settings: S3Settings): LogReader {
  return async (uri, signal) => {
    const [, bucket = '', key = ''] = /^s3:\/\/([^/]+)\/(.+)$/.exec(uri) ?? [];
    const s3 = new S3Prefix({ ...settings, bucket }, '');
    const found = await findObject(s3, key, signal);
    if (!found) return undefined;
    if (found.bytes > MAX_PACKED_BYTES) throw new RangeError('too large');
    return await readObject(s3, key, { signal });
  };
}

/** Turns an error of convert.py into one of the catalogue; undefined if another session may succeed. */
export function resultErrors({ death = '', isLast }: Pick<TakeResultsInput, 'death' | 'isLast'>) {
  return (said: SparkError, id: string): LonghaulError | undefined => {
    if (!isLast && isLostNodes(`${said.kind}: ${said.message}`)) return undefined;
    const isDeath = said.kind === SESSION_DIED;
    const cause = isDeath ? `${said.message} ${death}`.trim() : causeText(said);
    const [code, message] =
      said.kind === 'FileExistsError'
        ? (['EMR_OUTPUT_EXISTS', `${id}: ${cause}.`] as const)
        : (['EMR_STEP_FAILED', `Spark could not convert ${id}: ${shortCause(cause)}`] as const);
    return new LonghaulError(code, message, { source: id });
  };
}
