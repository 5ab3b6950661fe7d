import { isGrpcServiceError, WorkflowFailedError } from '@temporalio/client';
import {
  ApplicationFailure,
  CancelledFailure,
  TerminatedFailure,
  WorkflowNotFoundError,
} from '@temporalio/common';
import { isErrorCode, LonghaulError } from '../model/errors.ts';
import { printable } from '../model/names.ts';
import type { RunError } from '../model/run.ts';

/** The error of the catalogue behind what Temporal's client throws; anything else comes back as it was. */
export function fromTemporal(error: unknown): unknown {
  if (error instanceof LonghaulError) return error;
  if (error instanceof WorkflowNotFoundError) {
    return new LonghaulError('RUN_UNKNOWN', 'Temporal knows no such run.', {}, { cause: error });
  }
  if (error instanceof WorkflowFailedError) return fromFailure(error);
  const service = causes(error).find((each) => isGrpcServiceError(each));
  if (!service) return error;
  const message = `Temporal does not answer as it should: ${printable(service.details || service.message)}.`;
  return new LonghaulError('TEMPORAL_UNREACHABLE', message, {}, { cause: error });
}

/** Why a run failed: the first failure of the chain that is of the catalogue. */
function fromFailure(failure: Error): LonghaulError {
  const chain = causes(failure);
  for (const each of chain) {
    if (each instanceof ApplicationFailure && isErrorCode(each.type)) {
      const detail = each.details?.[0] as RunError | undefined;
      return ofRunError(detail ?? { code: each.type, message: each.message }, failure);
    }
  }
  if (chain.some((each) => each instanceof CancelledFailure)) {
    return new LonghaulError('CANCELLED', 'The run was cancelled.', {}, { cause: failure });
  }
  if (chain.some((each) => each instanceof TerminatedFailure)) {
    const message = 'The run was terminated: nothing of it was cleaned up.';
    return new LonghaulError('CANCELLED', message, {}, { cause: failure });
  }
  const last = chain.at(-1) ?? failure;
  return new LonghaulError('INTERNAL', printable(last.message), {}, { cause: failure });
}

function ofRunError(
  error: Pick<RunError, 'code' | 'message'> & Partial<RunError>,
  cause?: unknown,
): LonghaulError {
  const { code, message, hint, source, log } = error;
  const details = {
    ...(hint !== undefined && { hint }),
    ...(source !== undefined && { source }),
    ...(log !== undefined && { log }),
  };
  return new LonghaulError(code, message, details, { cause });
}

function causes(error: unknown): Error[] {
  const chain: Error[] = [];
  for (let each = error; each instanceof Error && !chain.includes(each); each = each.cause) {
    chain.push(each);
  }
  return chain;
}
