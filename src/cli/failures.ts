import { isGrpcServiceError, WorkflowFailedError } from '@temporalio/client';
import {
  ApplicationFailure,
  CancelledFailure,
  NamespaceNotFoundError,
  TerminatedFailure,
  WorkflowNotFoundError,
} from '@temporalio/common';
import { isErrorCode, LonghaulError, type ErrorCode } from '../model/errors.ts';
import { printable } from '../model/names.ts';
import type { RunError } from '../model/run.ts';

/** The error of the catalogue behind what Temporal's client throws; anything else comes back as it was. */
export function fromTemporal(error: unknown): unknown {
  if (error instanceof LonghaulError) return error;
  // Before "not found": it says nothing of the run.
  const unknown = unknownNamespace(error);
  if (unknown !== undefined) {
    const message = `${printable(unknown).replace(/\.$/, '')}.`;
    return new LonghaulError('TEMPORAL_NO_NAMESPACE', message, {}, { cause: error });
  }
  if (error instanceof WorkflowNotFoundError) {
    return new LonghaulError('RUN_UNKNOWN', 'Temporal knows no such run.', {}, { cause: error });
  }
  if (error instanceof WorkflowFailedError) return fromFailure(error);
  return ofGrpc(error) ?? error;
}

/**
 * What Temporal says where it answers, and does not have the namespace that was asked for: another server, or a slip. The
 * client says it, or the server itself; undefined where it is something else.
 */
export function unknownNamespace(error: unknown): string | undefined {
  for (const each of causes(error)) {
    if (each instanceof NamespaceNotFoundError) return each.message;
    if (!isGrpcServiceError(each)) continue;
    const status: number = each.code;
    if (status === NOT_FOUND && /^namespace\b/i.test(each.details)) return each.details;
  }
  return undefined;
}

/** What the status of a gRPC call means, for those that no retry fixes. */
const GRPC_CODES: Readonly<Record<number, { code: ErrorCode; what: string }>> = {
  7: { code: 'TEMPORAL_DENIED', what: 'Temporal denies access' },
  12: { code: 'TEMPORAL_TOO_OLD', what: 'The Temporal server does not know this call' },
  16: { code: 'TEMPORAL_DENIED', what: 'Temporal does not accept who this is' },
};
const NOT_FOUND = 5;

/** Undefined where no gRPC call failed. */
export function ofGrpc(error: unknown): LonghaulError | undefined {
  const service = causes(error).find((each) => isGrpcServiceError(each));
  if (!service) return undefined;
  const reason = printable(service.details || service.message).replace(/\.$/, '');
  const status: number = service.code;
  const { code, what } = GRPC_CODES[status] ?? {
    code: 'TEMPORAL_UNREACHABLE' as const,
    what: 'Temporal does not answer as it should',
  };
  return new LonghaulError(code, `${what}: ${reason}.`, {}, { cause: error });
}

/** Why a run failed: the first failure of the chain that is of the catalogue. */
function fromFailure(failure: Error): LonghaulError {
  const chain = causes(failure);
  for (const each of chain) {
    if (each instanceof ApplicationFailure && isErrorCode(each.type)) {
      const detail = each.details?.[0] as Partial<RunError> | undefined;
      const { code = each.type, message = each.message, hint, source, log } = detail ?? {};
      return new LonghaulError(code, message, { hint, source, log }, { cause: failure });
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

function causes(error: unknown): Error[] {
  const chain: Error[] = [];
  for (let each = error; each instanceof Error && !chain.includes(each); each = each.cause) {
    chain.push(each);
  }
  return chain;
}
