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

/** Converts an error of Temporal's client into one of the catalogue. Returns any other error unchanged. */
export function fromTemporal(error: unknown): unknown {
  if (error instanceof LonghaulError) return error;
  // This check precedes that of "not found", because an unknown namespace says nothing about the run.
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
 * The message if Temporal answers but does not have the namespace: it is another server, or the name is misspelled. The
 * client or the server itself gives the message. Undefined for any other error.
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

/** Meaning of the gRPC status codes that no retry fixes. */
const GRPC_CODES: Readonly<Record<number, { code: ErrorCode; what: string }>> = {
  7: { code: 'TEMPORAL_DENIED', what: 'Temporal denies access' },
  12: { code: 'TEMPORAL_TOO_OLD', what: 'The Temporal server does not know this call' },
  16: { code: 'TEMPORAL_DENIED', what: 'Temporal does not accept the API key or certificate' },
};
const NOT_FOUND = 5;

/** @returns undefined if no gRPC call failed. */
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

/** Finds why a run failed: the first failure of the chain whose code is in the catalogue. */
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
