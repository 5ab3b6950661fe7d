import { Context } from '@temporalio/activity';
import { causeText, probableCause } from '../conversion/spark/probable-cause.ts';
import { readStepLog, s3LogReader, stepLogUri, tailOf, withoutSecrets } from '../emr/logs.ts';
import { addStep, commandStep, copyArgs, findStep, sparkArgs } from '../emr/steps.ts';
import { isLostNodes, type EmrStep } from '../model/emr.ts';
import { stepName } from '../model/emr-names.ts';
import { LonghaulError, type ErrorCode } from '../model/errors.ts';
import { printable } from '../model/names.ts';
import { apiOf } from './emr-clusters.ts';
import { jobResult } from './emr-hdfs.ts';
import type { EmrDeps } from './emr-deps.ts';
import { s3Of, scriptKey } from './emr-plan.ts';
import type { ExplainInput, StepCommand, StepFailure, SubmitInput } from './emr-types.ts';

/** A sentence, not a log. */
const MAX_CAUSE_CHARACTERS = 600;

export async function submit(deps: EmrDeps, input: SubmitInput): Promise<EmrStep> {
  const api = apiOf(deps);
  const { clusterId } = input;
  const name = stepName(input);
  const { cancellationSignal: signal } = Context.current();
  const known = await findStep(api, clusterId, name, signal);
  if (known) return known;
  const step = commandStep(name, argsOf(deps, input.runId, input.command));
  try {
    return { id: await addStep(api, clusterId, step), state: 'PENDING' };
  } catch (error) {
    // The answer may be what was lost: one that is there must not be there twice.
    const made = isDoubtful(error) ? await findStep(api, clusterId, name) : undefined;
    if (made) return made;
    throw error;
  }
}

function isDoubtful(error: unknown): boolean {
  const { code } = error as { code?: ErrorCode };
  return code === 'EMR_UNREACHABLE' || code === 'EMR_UNAVAILABLE';
}

function argsOf(deps: EmrDeps, runId: string, command: StepCommand): string[] {
  if ('from' in command) return copyArgs(command.from, command.to);
  const script = deps.converted.uri(scriptKey(runId, command.script));
  return sparkArgs(script, command.args);
}

/** Why a step did not complete, by what EMR says, by the job's own result, and by the end of its log. */
export async function explain(deps: EmrDeps, input: ExplainInput): Promise<StepFailure> {
  const { cluster, step, kind, source } = input;
  const what = `The step ${step.id} (${kind} of ${source.id})`;
  if (step.state === 'CANCELLED') {
    const message = `${what} was cancelled on ${cluster.id}, and not by this run.`;
    return { code: 'EMR_STEP_CANCELLED', message, isLostNodes: false };
  }
  const log = cluster.logUri === undefined ? undefined : stepLogUri(cluster.logUri, step.id);
  const found = log === undefined ? undefined : await readStepLog(s3LogReader(s3Of(deps.raw)), log);
  const jobError = await jobErrorOf(deps, input);
  const inLog = probableCause(found?.text ?? '');
  const words = jobError ?? (inLog && causeText(inLog)) ?? step.reason ?? '';
  const cause = withoutSecrets(printable(words)).slice(0, MAX_CAUSE_CHARACTERS);
  const lines = tailOf(found?.text ?? '');
  const where = log === undefined ? '' : ` The whole log: ${log}`;
  const end = step.state === 'INTERRUPTED' ? 'was interrupted' : 'failed';
  const why = cause === '' ? 'no reason is known' : `probable cause: ${cause}`;
  return {
    code: codeOf(jobError),
    message: `${what} ${end} on ${cluster.id}; ${why}${/[.!?]$/.test(why) ? '' : '.'}${where}`,
    ...(log === undefined ? {} : { log: { uri: log, lines } }),
    isLostNodes:
      step.state === 'INTERRUPTED' ||
      isLostNodes(
        [step.reason, jobError, ...lines].filter((each) => each !== undefined).join('\n'),
      ),
  };
}

function codeOf(jobError: string | undefined): ErrorCode {
  return jobError?.startsWith('FileExistsError') ? 'EMR_OUTPUT_EXISTS' : 'EMR_STEP_FAILED';
}

/** The error that a conversion wrote as its result; undefined where it wrote none. */
async function jobErrorOf(deps: EmrDeps, input: ExplainInput): Promise<string | undefined> {
  if (input.kind !== 'convert') return undefined;
  try {
    const result = await jobResult(deps.converted, { ...input, rawKey: '' });
    return result && 'error' in result
      ? `${result.error.kind}: ${result.error.message}`
      : undefined;
  } catch (error) {
    if (error instanceof LonghaulError || error instanceof SyntaxError) return undefined;
    throw error;
  }
}
