import { Context } from '@temporalio/activity';
import type { SparkError } from '../conversion/spark/job.ts';
import { SESSION_DIED } from '../conversion/spark/job.ts';
import { causeText } from '../conversion/spark/probable-cause.ts';
import { stageParts, takeResults } from '../conversion/spark/remote-batch.ts';
import { isLostNodes } from '../model/emr.ts';
import { LonghaulError } from '../model/errors.ts';
import type { RunError } from '../model/run.ts';
import type { EmrDeps } from './emr-deps.ts';
import { emrBatch } from './emr-locations.ts';
import { shortCause } from './emr-logs.ts';
import type { TakeInput, TakenSources, TakeResultsInput } from './emr-types.ts';
import { toRunError } from './failure.ts';

export async function take(deps: EmrDeps, input: TakeResultsInput): Promise<TakenSources> {
  const { ids, generation, death, isLast } = input;
  const { cancellationSignal: signal } = Context.current();
  const errorOf = resultErrors({ death, isLast });
  const taken = await takeResults(deps, emrBatch(input, generation), ids, errorOf, signal);
  return { ...taken, failed: taken.failed.map(({ id, error }) => toRunError(error, id)) };
}

/** What convert.py says of a source, as an error of the catalogue; undefined for what another session may do better. */
export function resultErrors({ death = '', isLast }: Pick<TakeResultsInput, 'death' | 'isLast'>) {
  return (said: SparkError, id: string): LonghaulError | undefined => {
    if (!isLast && isLostNodes(`${said.kind}: ${said.message}`)) return undefined;
    const isDeath = said.kind === SESSION_DIED;
    const message = isDeath ? `${said.message} ${death}`.trim() : causeText(said);
    return jobError(id, { ...said, message });
  };
}

function jobError(id: string, { kind, message }: SparkError): LonghaulError {
  if (kind === 'FileExistsError') {
    return new LonghaulError('EMR_OUTPUT_EXISTS', `${id}: ${message}.`, { source: id });
  }
  const cause = shortCause(message);
  const what = `Spark could not convert ${id}: ${cause}`;
  return new LonghaulError('EMR_STEP_FAILED', what, { source: id });
}

export async function stageCopied(
  deps: EmrDeps,
  { generation, ids, ...run }: TakeInput,
): Promise<RunError[]> {
  const { cancellationSignal: signal } = Context.current();
  const failed = await stageParts(deps, emrBatch(run, generation), ids, signal);
  return failed.map(({ id, error }) => toRunError(error, id));
}
