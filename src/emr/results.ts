import type { FailedSource } from '../conversion/spark/convert-batch.ts';
import { SESSION_DIED, type SparkError } from '../conversion/spark/job.ts';
import { causeText } from '../conversion/spark/probable-cause.ts';
import { stageParts, takeResults, type TakenResults } from '../conversion/spark/remote-batch.ts';
import { isLostNodes } from '../model/emr.ts';
import type { TakeInput, TakeResultsInput } from '../model/emr-inputs.ts';
import { LonghaulError } from '../model/errors.ts';
import type { Lake } from '../storage/store.ts';
import { shortCause } from './explain-step.ts';
import { emrBatch } from './locations.ts';

/** What became of each source in a step that converts. */
export async function takeEmrResults(
  deps: Lake,
  input: TakeResultsInput,
  signal: AbortSignal,
): Promise<TakenResults> {
  const { ids, generation, death, isLast } = input;
  const errorOf = resultErrors({ death, isLast });
  return await takeResults(deps, emrBatch(input, generation), ids, errorOf, signal);
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

/** What has come to S3, in the form that verification reads. @returns the sources that have not. */
export async function stageCopied(
  deps: Lake,
  { generation, ids, ...run }: TakeInput,
  signal: AbortSignal,
): Promise<FailedSource[]> {
  return await stageParts(deps, emrBatch(run, generation), ids, signal);
}
