import { Context } from '@temporalio/activity';
import type { SparkError } from '../conversion/spark/job.ts';
import { SESSION_DIED } from '../conversion/spark/job.ts';
import { causeText } from '../conversion/spark/probable-cause.ts';
import { stageParts, takeResults } from '../conversion/spark/remote-batch.ts';
import { withoutSecrets } from '../emr/logs.ts';
import { isLostNodes } from '../model/emr.ts';
import { LonghaulError } from '../model/errors.ts';
import { printable } from '../model/names.ts';
import type { RunError } from '../model/run.ts';
import type { EmrDeps } from './emr-deps.ts';
import { emrBatch } from './emr-locations.ts';
import type { TakeInput, TakenSources, TakeResultsInput } from './emr-types.ts';
import { toRunError } from './failure.ts';

/** A sentence, not a log. */
const MAX_CAUSE_CHARACTERS = 600;

export async function take(deps: EmrDeps, input: TakeResultsInput): Promise<TakenSources> {
  const { ids, generation, death = '', isLast } = input;
  const errorOf = (said: SparkError, id: string): LonghaulError | undefined => {
    const text = `${said.kind}: ${said.message}`;
    if (!isLast && isLostNodes(text)) return undefined;
    const isDeath = said.kind === SESSION_DIED;
    const cause = isDeath ? [said.message, death].join(' ').trim() : causeText(said);
    return jobError(id, { ...said, message: cause });
  };
  const { cancellationSignal: signal } = Context.current();
  const taken = await takeResults(deps, emrBatch(input, generation), ids, errorOf, signal);
  return { ...taken, failed: taken.failed.map(({ id, error }) => toRunError(error, id)) };
}

function jobError(id: string, { kind, message }: SparkError): LonghaulError {
  if (kind === 'FileExistsError') {
    return new LonghaulError('EMR_OUTPUT_EXISTS', `${id}: ${message}.`, { source: id });
  }
  const cause = shortCause(message);
  const what = `Spark could not convert ${id} on the cluster: ${cause}`;
  return new LonghaulError('EMR_STEP_FAILED', what, { source: id });
}

/** Of a program's words: one line, and no credential. */
export function shortCause(words: string): string {
  const cause = withoutSecrets(printable(words)).slice(0, MAX_CAUSE_CHARACTERS);
  return /[.!?]$/.test(cause) || cause === '' ? cause : `${cause}.`;
}

export async function stageCopied(
  deps: EmrDeps,
  { generation, ids, ...run }: TakeInput,
): Promise<RunError[]> {
  const { cancellationSignal: signal } = Context.current();
  const failed = await stageParts(deps, emrBatch(run, generation), ids, signal);
  return failed.map(({ id, error }) => toRunError(error, id));
}
