import { causeText, probableCause } from '../conversion/spark/probable-cause.ts';
import { isLostNodes, isOwnFault } from '../model/emr.ts';
import type { ExplainInput, StepFailure } from '../model/emr-inputs.ts';
import { readStepLog, s3LogReader, stepLogUri, tailOf, withoutSecrets } from './logs.ts';
import { printable } from '../model/names.ts';
import type { EmrDeps } from './plan.ts';
import { s3Of } from './plan.ts';

/** EMR brings logs every five minutes, and those of a cluster when it ends: a run that goes on does not wait for them so long. */
export const LOG_WAIT_MS = 10_000;
export const LAST_LOG_WAIT_MS = 6 * 60_000;
/** A sentence, not a log. */
const MAX_CAUSE_CHARACTERS = 600;

/** Why a step did not complete, by what EMR says and by the end of its log. */
export async function explainStep(deps: EmrDeps, input: ExplainInput): Promise<StepFailure> {
  const { cluster, step, kind, isOver } = input;
  const what = `The step ${step.id} (${kind})`;
  if (step.state === 'CANCELLED') {
    const message = `${what} was cancelled on ${cluster.id}, and not by this run.`;
    return { code: 'EMR_STEP_CANCELLED', message, cause: '', isWorthRetry: false };
  }
  const log = cluster.logUri === undefined ? undefined : stepLogUri(cluster.logUri, step.id);
  const waitMs = isOver ? LAST_LOG_WAIT_MS : LOG_WAIT_MS;
  const { cause, lines, text } = await readCause(deps, log, step.reason, waitMs);
  const end = step.state === 'INTERRUPTED' ? 'was interrupted' : 'failed';
  const said = [step.reason ?? '', ...lines].join('\n');
  // Copying and counting meet what passes, and the same files.
  const mayPass = kind === 'convert' ? isLostNodes(said) : !isOwnFault(said);
  return {
    code: 'EMR_STEP_FAILED',
    message: `${what} ${end} on ${cluster.id}; ${text}`,
    cause,
    ...(log === undefined ? {} : { log: { uri: log, lines } }),
    isWorthRetry: step.state === 'INTERRUPTED' || mayPass,
  };
}

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
