import { causeText, probableCause } from '../conversion/spark/probable-cause.ts';
import { readStepLog, s3LogReader, tailOf, withoutSecrets } from '../emr/logs.ts';
import { printable } from '../model/names.ts';
import type { EmrDeps } from './emr-deps.ts';
import { s3Of } from './emr-plan.ts';

/** EMR brings logs every five minutes, and those of a cluster when it ends: a run that goes on does not wait for them so long. */
export const LOG_WAIT_MS = 10_000;
export const LAST_LOG_WAIT_MS = 6 * 60_000;
/** A sentence, not a log. */
const MAX_CAUSE_CHARACTERS = 600;

/** Why a program on another machine failed. */
export interface LoggedCause {
  /** '' where none is known. */
  cause: string;
  /** The end of the log; none where it is not there yet. */
  lines: string[];
  /** For people: the cause, and where the log lies. */
  text: string;
}

/** @param reason EMR's own words. */
export async function readCause(
  deps: Pick<EmrDeps, 'raw'>,
  uri: string | undefined,
  reason = '',
  waitMs = LOG_WAIT_MS,
): Promise<LoggedCause> {
  const read = async (log: string): Promise<string> =>
    (await readStepLog(s3LogReader(s3Of(deps.raw)), log, waitMs)).text;
  let log = uri === undefined ? '' : await read(uri);
  let inLog = probableCause(log);
  if (uri !== undefined && log !== '' && !inLog) {
    // Where spark-submit puts what Python says.
    const stdout = await read(uri.replace(/stderr\.gz$/, 'stdout.gz'));
    inLog = probableCause(stdout);
    if (inLog) log = stdout;
  }
  const cause = shortCause(inLog ? causeText(inLog) : reason);
  const why = cause === '' ? 'no reason is known.' : `probable cause: ${cause}`;
  const where = uri === undefined ? '' : ` The whole log: ${uri}`;
  return { cause, lines: tailOf(log), text: why + where };
}

/** Of a program's words: one line, and no credential. */
export function shortCause(words: string): string {
  const cause = withoutSecrets(printable(words)).slice(0, MAX_CAUSE_CHARACTERS);
  return /[.!?]$/.test(cause) || cause === '' ? cause : `${cause}.`;
}
